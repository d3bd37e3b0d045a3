//! `pgherd certs export`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use kube::ResourceExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use super::scene::Scene;
use crate::{
    certificates::{AUTHORITY_CERTIFICATE, authorities, store},
    cli::{Code, Context, Exit, Failure, output::counted, verbs::target},
    desired::secrets::text,
    domain::names::ObjectName,
    k8s::{Doing as _, clusters},
    pki::{certificates, merged},
    postgres::login,
    temporary,
};

/// What to export.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The authority of a database cluster instead of the operator's: what libpq takes as sslrootcert
    #[arg(long, value_name = "NAME")]
    cluster: Option<ObjectName>,
    /// The file to write; `-o FILE` is the same [default: standard output]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Write the authority's key too, into a file that only you can read
    #[arg(long, requires = "to", conflicts_with = "cluster")]
    with_key: bool,
    /// Overwrite the file if it is there
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Exported {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates: Option<String>,
}

impl Args {
    /// Writes the certificates of authorities.
    ///
    /// # Errors
    /// When they aren't there, or the file can't be written.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let Self { cluster, to, with_key, force } = self;
        let to = to.or_else(|| context.settings.out.clone());
        if let Some(file) = to.as_deref().filter(|file| !force && file.exists()) {
            return Err(exists(file));
        }
        let (bundle, key) = match &cluster {
            Some(cluster) => (of_cluster(context, cluster.as_ref()).await?, None),
            None => of_operator(context, with_key).await?,
        };
        let count = certificates(&bundle).count();
        let Some(file) = to else {
            let exported = Exported { file: None, count, certificates: Some(bundle.clone()) };
            context.printer.result(&exported, || bundle)?;
            return Ok(Exit::Success);
        };
        write(&file, &bundle, key.as_ref(), force)?;
        let exported = Exported { file: Some(file.display().to_string()), count, certificates: None };
        context.printer.result(&exported, || {
            let with = if key.is_some() { " with the key; only you can read it" } else { "" };
            format!("Wrote {} to {}{with}.\n", counted(count, "certificate"), file.display())
        })?;
        Ok(Exit::Success)
    }
}

/// What clients of the operator's endpoint have to trust; the key is that of the authority that issues.
async fn of_operator(context: &Context, with_key: bool) -> Result<(String, Option<SecretString>), Failure> {
    let scene = Scene::find(context).await?;
    let (home, api) = (&scene.home, store::api(&scene.client, &scene.home));
    let read =
        async |name: &str| api.get_opt(name).await.doing(|| format!("read secret {}/{name}", home.namespace));
    // Nobody has to be able to read the key for the public part.
    if !with_key {
        let leaf = read(&home.leaf_secret()).await?;
        if let Some(bundle) = leaf.as_ref().and_then(|leaf| text(leaf, AUTHORITY_CERTIFICATE)) {
            return Ok((public(&bundle), None));
        }
    }
    let name = scene.policy.authority_secret(home);
    let place = format!("secret {}/{name}", home.namespace);
    let secret = read(&name).await?.ok_or_else(|| {
        Failure::new(Code::ObjectMissing, format!("there is no {place}"))
            .next("The operator makes its certificates when it runs.")
    })?;
    let set = authorities(&secret, &place)?;
    Ok((set.bundle(), with_key.then(|| set.current.key_pem().clone())))
}

/// Certificates and nothing else, whatever the text holds.
fn public(text: &str) -> String {
    merged([text])
}

async fn of_cluster(context: &Context, name: &str) -> Result<String, Failure> {
    let connection = context.connection().await?;
    let namespace = target::namespace(context, connection);
    let cluster = target::cluster(&connection.client, &namespace, name).await?;
    let (secret, key) = login::authority_of(&cluster);
    let found = clusters::secret(&connection.client, &namespace, &secret).await?;
    let bundle = found.as_ref().and_then(|secret| text(secret, &key)).unwrap_or_default();
    let public = public(&bundle);
    if public.is_empty() {
        let name = cluster.name_any();
        return Err(Failure::new(
            Code::ObjectMissing,
            format!("cluster {namespace}/{name} has no certificate yet"),
        )
        .because(format!("Looked for {key} in secret {namespace}/{secret}."))
        .next(format!("Is it ready? `pgherd show cluster {name} -n {namespace}`")));
    }
    Ok(public)
}

/// Puts the file there whole or not at all, and never with a key that others could read meanwhile.
fn write(file: &Path, bundle: &str, key: Option<&SecretString>, force: bool) -> Result<(), Failure> {
    let mode = if key.is_some() { 0o600 } else { 0o644 };
    let unwritable = |error: std::io::Error| {
        Failure::new(Code::Output, format!("{} can't be written", file.display())).because(error.to_string())
    };
    let mut temporary = temporary::beside(file, mode).map_err(unwritable)?;
    temporary.write_all(bundle.as_bytes()).map_err(unwritable)?;
    if let Some(key) = key {
        temporary.write_all(key.expose_secret().as_bytes()).map_err(unwritable)?;
    }
    let kept = if force { temporary.persist(file) } else { temporary.persist_noclobber(file) };
    match kept {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(file)),
        Err(error) => Err(unwritable(error.error)),
    }
}

fn exists(file: &Path) -> Failure {
    Failure::new(Code::FileExists, format!("{} is there already", file.display()))
        .next("Nothing was written. `--force` overwrites it, another name keeps both.")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_with_a_key_is_the_owners_alone_and_nothing_is_overwritten_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let mode = || fs_err::metadata(&file).unwrap().permissions().mode() & 0o777;
        write(&file, "public\n", None, false).unwrap();
        assert_eq!(mode() & 0o077 & !0o044, 0, "{:o}", mode());
        let key = SecretString::from("secret\n");
        let refused = write(&file, "public\n", Some(&key), false).unwrap_err();
        assert_eq!(refused.code(), Code::FileExists);
        write(&file, "public\n", Some(&key), true).unwrap();
        assert_eq!(mode(), 0o600);
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "public\nsecret\n");
    }
}
