//! Who is in the test cluster. Tests run side by side, each in namespaces of its own; one that has to see the cluster as a whole,
//! or changes what all share, waits until nobody else is there and keeps others out.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Those who are in, and those who want to be alone.
struct Room {
    guests: usize,
    alone: bool,
    waiting: usize,
}

static ROOM: Mutex<Room> = Mutex::new(Room { guests: 0, alone: false, waiting: 0 });
static CHANGED: Condvar = Condvar::new();

/// Being there. It ends when this is dropped.
pub(crate) struct Presence {
    alone: bool,
}

impl Presence {
    /// Among others. A test that is in comes in again, for another installation, whoever waits; everybody else lets those go
    /// first who wait to be alone.
    pub(crate) fn shared() -> Self {
        let mut room = wait(|room| room.alone || room.guests == 0 && room.waiting > 0);
        room.guests += 1;
        Self { alone: false }
    }

    /// Without anybody else.
    pub(crate) fn alone() -> Self {
        room().waiting += 1;
        let mut room = wait(|room| room.alone || room.guests > 0);
        room.waiting -= 1;
        room.alone = true;
        Self { alone: true }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut room = room();
        if self.alone {
            room.alone = false;
        } else {
            room.guests -= 1;
        }
        CHANGED.notify_all();
    }
}

/// The room. A test that panicked left it as it should be.
fn room() -> MutexGuard<'static, Room> {
    ROOM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits as long as `busy`.
fn wait(busy: impl Fn(&Room) -> bool) -> MutexGuard<'static, Room> {
    CHANGED.wait_while(room(), |room| busy(room)).unwrap_or_else(PoisonError::into_inner)
}
