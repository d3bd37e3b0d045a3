//! A session with PostgreSQL over any stream, always encrypted and always with a server that proves who it is.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::{Config, config::SslMode, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::login::Login;

/// Why there is no session, or a statement failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The authority's certificate can't be used.
    #[error("the authority's certificate can't be read: {0}")]
    Authority(String),
    /// The server said no, or nobody is there.
    #[error("{}", reason(.0))]
    Postgres(#[from] tokio_postgres::Error),
}

impl SessionError {
    /// Whether the server answered and refused: its answer says all, and another try wouldn't help.
    #[must_use]
    pub fn refused(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.as_db_error().is_some())
    }
}

/// The server's own words, or the innermost cause.
fn reason(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return answer.message().to_owned();
    }
    let mut deepest: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = deepest
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
        .map(|inner| inner as &(dyn std::error::Error + 'static))
        .or_else(|| deepest.source())
    {
        deepest = next;
    }
    // A cause alone can be as short as "unexpected end of file".
    if std::ptr::eq(deepest, error as &(dyn std::error::Error + 'static)) || error.source().is_none() {
        error.to_string()
    } else {
        format!("{}: {deepest}", error.to_string().split(':').next().unwrap_or_default())
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinged {
    /// What `version()` says.
    pub version: String,
    /// How long a statement takes there and back.
    pub round_trip: Duration,
}

/// Logs in over `stream`, asks for the version, and measures how long that takes.
///
/// The server's certificate has to be signed by `authority` (PEM) and to name `server`.
///
/// # Errors
/// When the server can't be trusted, refuses, or goes away.
pub async fn ping<S>(stream: S, authority: &str, server: &str, login: &Login) -> Result<Pinged, SessionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connector = MakeRustlsConnect::new(trusting(authority)?);
    let Ok(tls) = MakeTlsConnect::<S>::make_tls_connect(&mut connector, server);
    let mut config = Config::new();
    config
        .user(&login.user)
        .password(login.password.expose_secret())
        .dbname(&login.database)
        .application_name("pgherd")
        .ssl_mode(SslMode::Require);
    let (client, connection) = config.connect_raw(stream, tls).await?;
    let serving = tokio::spawn(connection);
    let asked = async {
        let row = client.query_one("select version()", &[]).await?;
        let version: String = row.try_get(0)?;
        let started = Instant::now();
        client.simple_query("").await?;
        Ok::<_, tokio_postgres::Error>(Pinged { version, round_trip: started.elapsed() })
    };
    let pinged = asked.await;
    drop(client);
    // It says goodbye to the server; whether that arrives matters to nobody.
    serving.await.ok();
    Ok(pinged?)
}

fn trusting(authority: &str) -> Result<ClientConfig, SessionError> {
    let unreadable = |error: &dyn std::fmt::Display| SessionError::Authority(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err(SessionError::Authority("there is no certificate in it".to_owned()));
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
