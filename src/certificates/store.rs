//! The two Secrets in the cluster. Whoever writes them does so as the operator's field manager, whichever process it is,
//! and only over what it has read: of two that write at the same time, one has to look again.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};

use super::{Home, Policy, Stored};
use crate::k8s::{
    self, Doing as _,
    apply::{Apply, OPERATOR},
};

/// How these Secrets are applied.
pub const APPLY: Apply = Apply { manager: OPERATOR, force: true };

/// Secrets of the operator's namespace.
#[must_use]
pub fn api(client: &Client, home: &Home) -> Api<Secret> {
    Api::namespaced(client.clone(), &home.namespace)
}

/// Reads what is there.
///
/// # Errors
/// When the API server can't be asked or refuses.
pub async fn read(client: &Client, home: &Home, policy: &Policy) -> Result<Stored, k8s::Error> {
    let api = api(client, home);
    let (authority, leaf) = (policy.authority_secret(home), home.leaf_secret());
    let get =
        async |name: &str| api.get_opt(name).await.doing(|| format!("read secret {}/{name}", home.namespace));
    let (authority, leaf) = tokio::join!(get(&authority), get(&leaf));
    Ok(Stored { authority: authority?, leaf: leaf? })
}

/// Writes a Secret in place of the one that was read, or where none was.
///
/// # Errors
/// When somebody else changed it meanwhile, or the API server refuses.
pub async fn write(
    client: &Client,
    home: &Home,
    secret: &Secret,
    live: Option<&Secret>,
) -> Result<Secret, k8s::Error> {
    let secret = over(secret, live);
    APPLY.run(&api(client, home), &secret.name_any(), &secret).await
}

/// The Secret, tied to the version that was read.
#[must_use]
pub fn over(secret: &Secret, live: Option<&Secret>) -> Secret {
    let mut secret = secret.clone();
    if let Some(live) = live {
        secret.metadata.uid = live.uid();
        secret.metadata.resource_version = live.resource_version();
    }
    secret
}
