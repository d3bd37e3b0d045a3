//! psql of this machine, through a port that leads to the pod. It knows the server by the name of its Service, so that it
//! can check the certificate, and finds it at the port's address.

use std::{io::Write as _, path::PathBuf, process::Stdio, sync::Arc};

use kube::Client;
use secrecy::ExposeSecret as _;
use tempfile::NamedTempFile;
use tokio::process::Command;

use super::route::Route;
use crate::{
    cli::{Code, Context, Exit, Failure},
    k8s::port_forward,
};

/// The program, if it is on the PATH.
pub(super) fn find() -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join("psql")).find(|path| path.is_file())
}

/// Runs it to its end.
pub(super) async fn run(
    context: &Context,
    client: &Client,
    program: PathBuf,
    route: Route,
    arguments: Vec<String>,
) -> Result<Exit, Failure> {
    // Said better here than by psql, which would only see a connection that is closed at once.
    route.member(client).await?;
    let passwords = file(route.login.password_file().expose_secret())?;
    let authority = file(&route.authority)?;

    let route = Arc::new(route);
    let (finder, finding) = (client.clone(), Arc::clone(&route));
    let find = move || {
        let (client, route) = (finder.clone(), Arc::clone(&finding));
        async move { route.current(&client).await.ok().flatten().map(|member| member.pod) }
    };
    let listener = port_forward::listen(client, &route.namespace, route.port, find)
        .await
        .map_err(|error| Failure::internal(format!("no local port can be opened: {error}")))?;

    let mut command = Command::new(&program);
    command
        .args(arguments)
        .env("PGHOST", route.server_name())
        .env("PGHOSTADDR", "127.0.0.1")
        .env("PGPORT", listener.port.to_string())
        .env("PGUSER", &route.login.user)
        .env("PGDATABASE", &route.login.database)
        .env("PGSSLMODE", "verify-full")
        .env("PGSSLROOTCERT", authority.path())
        // In a file that nobody else may read: others of the same user can read each other's environment.
        .env("PGPASSFILE", passwords.path())
        .stdin(Stdio::inherit())
        .kill_on_drop(true);
    // Settings of the caller's that would lead elsewhere.
    for name in ["PGPASSWORD", "PGSERVICE", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS"] {
        command.env_remove(name);
    }
    context.leave_interrupts_to_child();
    let mut child = command.spawn().map_err(|error| {
        Failure::new(Code::Internal, format!("{} can't be run", program.display())).because(error.to_string())
    })?;
    let status = child.wait().await.map_err(Failure::internal)?;
    Ok(Exit::Child(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// A file that only its owner can read, and that goes when it is dropped.
fn file(text: &str) -> Result<NamedTempFile, Failure> {
    let write = || {
        let mut file = tempfile::Builder::new().prefix("pgherd-").tempfile()?;
        file.write_all(text.as_bytes())?;
        file.flush()?;
        Ok::<_, std::io::Error>(file)
    };
    write().map_err(|error| {
        Failure::new(Code::Output, "a temporary file can't be written").because(error.to_string())
    })
}
