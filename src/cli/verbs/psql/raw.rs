//! A terminal whose every key goes to somebody else.

use std::io;

use futures::{StreamExt as _, stream::BoxStream};
use rustix::{
    stdio::{stdin, stdout},
    termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr},
};
use tokio::signal::unix::{SignalKind, signal};

/// As long as this exists, keys are neither shown nor understood here. Then the terminal is as it was.
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// Gives the terminal away.
    pub(super) fn enter() -> io::Result<Self> {
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // There is nobody left to tell, and nothing better to do.
        tcsetattr(stdin(), OptionalActions::Now, &self.before).ok();
    }
}

/// Width and height of the terminal: as they are now, and after every change.
pub(super) fn sizes() -> io::Result<BoxStream<'static, (u16, u16)>> {
    let changes = signal(SignalKind::window_change())?;
    let later = futures::stream::unfold(changes, |mut changes| async move {
        changes.recv().await?;
        Some((size(), changes))
    });
    Ok(futures::stream::iter([size()]).chain(later).filter_map(std::future::ready).boxed())
}

fn size() -> Option<(u16, u16)> {
    tcgetwinsize(stdout()).ok().map(|size| (size.ws_col, size.ws_row))
}
