//! Running a command in a container and collecting what it says.

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::AttachParams};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// What is kept of each stream, in bytes. A command that says more is still waited for.
const KEPT: u64 = 64 * 1024;

/// A container in a pod.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Namespace of the pod.
    pub namespace: &'a str,
    /// Name of the pod.
    pub pod: &'a str,
    /// Name of the container.
    pub container: &'a str,
}

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It could not be started or its streams broke.
    #[error("failed to run a command in {pod}/{container}: {source}")]
    Request {
        /// Name of the pod.
        pod: String,
        /// Name of the container.
        container: String,
        /// What the API server said.
        source: Box<kube::Error>,
    },
    /// A stream broke.
    #[error("failed to talk to a command in {pod}: {source}")]
    Stream {
        /// Name of the pod.
        pod: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("a command in {pod}/{container} failed: {stderr}")]
    Failed {
        /// Name of the pod.
        pod: String,
        /// Name of the container.
        container: String,
        /// What it wrote to standard error, shortened.
        stderr: String,
    },
}

/// What a command wrote, shortened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// To standard output.
    pub stdout: String,
    /// To standard error.
    pub stderr: String,
}

/// Runs `command` with `stdin` and returns what it wrote.
///
/// # Errors
/// When it can't be run, or ends with another code than 0.
pub async fn run(
    client: &Client,
    target: Target<'_>,
    command: &[String],
    stdin: &SecretString,
) -> Result<Output, ExecError> {
    let request = |source: kube::Error| ExecError::Request {
        pod: target.pod.to_owned(),
        container: target.container.to_owned(),
        source: Box::new(source),
    };
    let stream = |source: std::io::Error| ExecError::Stream { pod: target.pod.to_owned(), source };
    let pods: Api<Pod> = Api::namespaced(client.clone(), target.namespace);
    let params = AttachParams::default().container(target.container).stdin(true).stdout(true).stderr(true);
    let mut process = pods.exec(target.pod, command, &params).await.map_err(request)?;

    let (input, output, errors) = (process.stdin(), process.stdout(), process.stderr());
    let status = process.take_status();
    let write = async {
        if let Some(mut input) = input {
            input.write_all(stdin.expose_secret().as_bytes()).await?;
            input.shutdown().await?;
        }
        Ok::<(), std::io::Error>(())
    };
    // All at once: a command that is blocked on a full pipe reads no more input.
    let (written, output, errors) = tokio::join!(write, collect(output), collect(errors));
    let (output, errors) = (output.map_err(stream)?, errors.map_err(stream)?);
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    process.join().await.map_err(|error| stream(std::io::Error::other(error)))?;
    match status.and_then(|status| status.status) {
        Some(text) if text == "Success" => {
            written.map_err(stream)?;
            Ok(Output { stdout: output, stderr: errors })
        }
        _ => Err(ExecError::Failed {
            pod: target.pod.to_owned(),
            container: target.container.to_owned(),
            stderr: errors.trim().to_owned(),
        }),
    }
}

async fn collect(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut stream) = stream else { return Ok(String::new()) };
    let mut kept = Vec::new();
    (&mut stream).take(KEPT).read_to_end(&mut kept).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(String::from_utf8_lossy(&kept).into_owned())
}
