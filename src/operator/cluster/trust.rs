//! Certificates of the user's that take the place of others, while instances with either talk to each other. The first pod
//! with the new ones is made once all trust all: otherwise it could not follow a primary with the old ones, for ever.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _};

use super::{Error, instances::Plan};
use crate::{
    desired::{
        Cluster,
        secrets::text,
        volumes::{CertificateFiles, certificate_files},
    },
    k8s::cluster_objects::{ByName, ClusterObjects},
    pki::{certificates, issued_by, merged},
    postgres::in_force,
};

/// Which file of an instance decides whom it trusts, and which file of the others it looks at: the server at the client that
/// replicates, and that client at the server.
const RELATIONS: [(&str, &str); 2] = [("ca.crt", "replication/tls.crt"), ("replication/ca.crt", "tls.crt")];

/// Certificates that the pods of a cluster have, or will have.
fn in_use(objects: &ClusterObjects) -> Vec<CertificateFiles> {
    let of_pods = objects.pods.values().filter_map(|pod| pod.spec.as_ref());
    let of_sets = objects.stateful_sets.values().filter_map(|set| set.spec.as_ref()?.template.spec.as_ref());
    let mut found: Vec<CertificateFiles> = Vec::new();
    for spec in of_pods.chain(of_sets) {
        if let Some(files) = certificate_files(spec)
            && !found.contains(&files)
        {
            found.push(files);
        }
    }
    found
}

/// The Secrets of the user's that instances show certificates from: those that the description names, and those that pods
/// still have from an earlier one.
///
/// # Errors
/// When the API server refuses or can't be reached.
pub(super) async fn fetch(
    client: &Client,
    cluster: &Cluster,
    objects: &ClusterObjects,
) -> Result<ByName<Secret>, Error> {
    let named = [&cluster.custom_certificate, &cluster.custom_replication_certificate];
    let named = named.into_iter().flatten().map(|projection| projection.name.clone());
    let used = in_use(objects).into_iter().flat_map(|files| files.into_values().map(|(secret, _)| secret));
    let api: Api<Secret> = Api::namespaced(client.clone(), &cluster.namespace);
    let mut found = ByName::new();
    for name in named.chain(used) {
        if !objects.secrets.contains_key(&name)
            && !found.contains_key(&name)
            && let Some(secret) = api.get_opt(&name).await?
        {
            found.insert(name, secret);
        }
    }
    Ok(found)
}

/// What the operator's own lists of trusted authorities have to hold besides its own: those of the user's Secrets.
#[must_use]
pub fn roots(cluster: &Cluster, objects: &ClusterObjects) -> String {
    let secret = |name: &str| objects.users_certificates.get(name);
    let named = [&cluster.custom_certificate, &cluster.custom_replication_certificate];
    let named = named.into_iter().flatten().map(|projection| {
        let items = projection.items.iter().flatten();
        let key = items.into_iter().find(|item| item.path == "ca.crt").map_or("ca.crt", |item| &item.key);
        (projection.name.clone(), key.to_owned())
    });
    let used = in_use(objects).into_iter().flat_map(|mut files| {
        RELATIONS.into_iter().filter_map(move |(trusting, _)| files.remove(trusting)).collect::<Vec<_>>()
    });
    let texts: Vec<String> = named.chain(used).filter_map(|(name, key)| text(secret(&name)?, &key)).collect();
    merged(texts.iter().map(String::as_str))
}

/// Why no pod may be replaced yet; none when all instances would understand each other.
///
/// # Errors
/// When the API server or an instance can't be asked.
pub(super) async fn missing(
    client: &Client,
    cluster: &Cluster,
    plan: &Plan,
    objects: &ClusterObjects,
) -> Result<Option<String>, Error> {
    let used = in_use(objects);
    if used.len() < 2 || plan.keep.len() < 2 {
        return Ok(None);
    }
    let mut secrets = fetch(client, cluster, objects).await?;
    secrets.extend(objects.secrets.clone());
    if let Some(why) = strangers(&used, &secrets) {
        return Ok(Some(why));
    }
    // What is in the Secrets has to be in the pods.
    for (name, _) in &plan.keep {
        let Some(pod) = objects.pods.get(&name.pod()).filter(|pod| pod.metadata.deletion_timestamp.is_none())
        else {
            continue;
        };
        if let Some(why) = in_force::outdated(client, pod, &secrets).await? {
            return Ok(Some(format!("{}: {why}", pod.name_any())));
        }
    }
    Ok(None)
}

/// Says which of several sets of certificates doesn't trust which other.
fn strangers(used: &[CertificateFiles], secrets: &BTreeMap<String, Secret>) -> Option<String> {
    let read = |(name, key): &(String, String)| text(secrets.get(name)?, key);
    for trusting in used {
        for trusted in used.iter().filter(|other| *other != trusting) {
            for (roots, shown) in RELATIONS {
                let (Some(roots), Some(shown)) = (trusting.get(roots), trusted.get(shown)) else { continue };
                let (Some(list), Some(leaf)) = (read(roots), read(shown)) else {
                    return Some(format!("secret {} or {} lacks a certificate", roots.0, shown.0));
                };
                if !certificates(&list).any(|authority| issued_by(&leaf, authority)) {
                    return Some(format!(
                        "{} of secret {} does not hold the authority of {} in secret {}; while pods are replaced, each \
                         has to trust the other: put both authorities into {}",
                        roots.1, roots.0, shown.1, shown.0, roots.1
                    ));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        desired::secrets::data,
        pki::{Authority, LeafRequest, Terms, Usage},
    };

    fn files(secret: &str) -> CertificateFiles {
        ["tls.crt", "ca.crt", "replication/tls.crt", "replication/ca.crt"]
            .map(|path| {
                let key = path.trim_start_matches("replication/");
                (path.to_owned(), (secret.to_owned(), key.to_owned()))
            })
            .into()
    }

    #[test]
    fn each_has_to_trust_the_other() {
        let now = Timestamp::now();
        let made = |name: &str| {
            let authority = Authority::generate(name, now, Terms::AUTHORITY).unwrap();
            let request =
                LeafRequest { common_name: "a".into(), dns_names: vec!["a".into()], usage: Usage::Both };
            let leaf = authority.issue(&request, now, Terms::LEAF).unwrap().certificate_pem;
            (authority.certificate_pem().to_owned(), leaf)
        };
        let ((old, of_old), (new, of_new)) = (made("old"), made("new"));
        let both = format!("{old}{new}");
        let secret = |roots: &str, leaf: &str| Secret {
            data: Some(data([("ca.crt", roots), ("tls.crt", leaf)])),
            ..Secret::default()
        };
        let look = |roots_of_ours: &str, roots_of_theirs: &str| {
            let secrets = BTreeMap::from([
                ("ours".to_owned(), secret(roots_of_ours, &of_old)),
                ("theirs".to_owned(), secret(roots_of_theirs, &of_new)),
            ]);
            strangers(&[files("ours"), files("theirs")], &secrets)
        };
        assert_eq!(look(&both, &both), None);
        let why = look(&both, &new).unwrap();
        assert!(
            why.starts_with("ca.crt of secret theirs does not hold the authority of tls.crt in secret ours"),
            "{why}"
        );
        assert!(look(&old, &both).unwrap().contains("secret ours does not hold"));
        assert_eq!(strangers(&[files("ours")], &BTreeMap::new()), None, "alone there is nobody to trust");
    }
}
