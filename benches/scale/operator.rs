//! The operator, as a process of this machine that reaches the API server through the counting proxy.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use crate::sample::Sample;

/// An operator that looks after one namespace.
pub(crate) struct Operator {
    child: Child,
    _files: tempfile::TempDir,
}

impl Operator {
    /// Starts it as its Deployment would: with its endpoint for health and metrics.
    pub(crate) fn start(program: &Path, kubeconfig: &str, namespace: &str) -> anyhow::Result<Self> {
        let files = tempfile::tempdir()?;
        let file = files.path().join("kubeconfig");
        fs_err::write(&file, kubeconfig)?;
        let log = fs_err::File::create(log_file())?;
        let mut command = Command::new(program);
        command.env_clear().env("HOME", files.path()).env("PATH", "/usr/bin:/bin");
        command.env("RELATED_IMAGE_POSTGRES_17", "localhost/postgres:17");
        command.args(["operator", "--watch-namespace", namespace, "--installation", namespace]);
        command.args(["--namespace", namespace, "--listen", "127.0.0.1:0"]);
        command.arg("--kubeconfig").arg(&file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.into_parts().0);
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self { child, _files: files })
    }

    /// What it has used by now.
    pub(crate) fn sample(&mut self) -> anyhow::Result<Sample> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("the operator has ended with {status}; see {}", log_file().display());
        }
        Sample::of(&PathBuf::from(format!("/proc/{}", self.child.id())))
    }
}

/// What it says, of the last size.
fn log_file() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-scale-operator.log")
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
