//! Running a command in a container with the streams of this process, as if it ran here.

use futures::{SinkExt as _, Stream, StreamExt as _, pin_mut};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{
    Api, Client,
    api::{AttachParams, TerminalSize},
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::exec::{ExecError, Target};

/// Where the command reads from and writes to.
#[derive(Debug)]
pub struct Streams<I, O, E> {
    /// What it reads.
    pub input: I,
    /// Where its output goes, and with a terminal everything it writes.
    pub output: O,
    /// Where its messages go.
    pub errors: E,
}

/// Runs `command` and gives back its exit code. With `sizes` it gets a terminal, of the size that was told last as width and
/// height.
///
/// # Errors
/// When it can't be started, or the connection to it breaks.
pub async fn run<I, O, E>(
    client: &Client,
    target: Target<'_>,
    command: &[String],
    streams: Streams<I, O, E>,
    sizes: Option<impl Stream<Item = (u16, u16)>>,
) -> Result<u8, ExecError>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
    E: AsyncWrite + Unpin,
{
    let Streams { mut input, output, errors } = streams;
    let broken = |source: std::io::Error| ExecError::Stream { pod: target.pod.to_owned(), source };
    let pods: Api<Pod> = Api::namespaced(client.clone(), target.namespace);
    let terminal = sizes.is_some();
    let params = AttachParams::default()
        .container(target.container)
        .stdin(true)
        .stdout(true)
        // A terminal has one stream for both.
        .stderr(!terminal)
        .tty(terminal);
    let mut process = pods.exec(target.pod, command, &params).await.map_err(|source| ExecError::Request {
        pod: target.pod.to_owned(),
        container: target.container.to_owned(),
        source: Box::new(source),
    })?;

    let (writer, stdout, stderr) = (process.stdin(), process.stdout(), process.stderr());
    let resize = process.terminal_size();
    let status = process.take_status();
    // These two end with the command, not with what they read from: its output goes on after the input's end.
    let feeding = async {
        if let Some(mut writer) = writer {
            // A command that ends without reading everything breaks this pipe, which is its right.
            tokio::io::copy(&mut input, &mut writer).await.ok();
            writer.shutdown().await.ok();
        }
        std::future::pending::<()>().await;
    };
    let sizing = async {
        if let (Some(mut resize), Some(sizes)) = (resize, sizes) {
            pin_mut!(sizes);
            while let Some((width, height)) = sizes.next().await {
                if resize.send(TerminalSize { width, height }).await.is_err() {
                    break;
                }
            }
        }
        std::future::pending::<()>().await;
    };
    let running = async {
        let (output, errors) = tokio::join!(pass(stdout, output), pass(stderr, errors));
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        output.and(errors).map(|()| status)
    };
    let status = tokio::select! {
        status = running => status.map_err(broken)?,
        () = feeding => None,
        () = sizing => None,
    };
    status.as_ref().and_then(exit_code).ok_or_else(|| broken(std::io::Error::other(told(status.as_ref()))))
}

async fn pass(from: Option<impl AsyncRead + Unpin>, mut to: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    if let Some(mut from) = from {
        tokio::io::copy(&mut from, &mut to).await?;
    }
    to.flush().await
}

/// The exit code that a status tells.
fn exit_code(status: &Status) -> Option<u8> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

fn told(status: Option<&Status>) -> String {
    let message = status.and_then(|status| status.message.clone());
    message.unwrap_or_else(|| "the connection broke before it ended".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn exit_codes_are_read_from_the_status() {
        let code = |status| exit_code(&serde_json::from_value(status).unwrap());
        assert_eq!(code(json!({"status": "Success"})), Some(0));
        let failed = json!({"status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}});
        assert_eq!(code(failed), Some(3));
        assert_eq!(code(json!({"status": "Failure", "reason": "InternalError"})), None);
    }
}
