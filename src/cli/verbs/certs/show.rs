//! `pgherd certs show`.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt as _, api::ListParams};
use serde::Serialize;

use super::scene::Scene;
use crate::{
    api::labels as clusters,
    certificates::{Home, KEYS, LEAF_CERTIFICATE, Policy, Source, Stored, authorities, entry, renewal},
    cli::{Context, Exit, Failure, output::table},
    desired::secrets::{PATRONI_COMBINED, ROOT_KEYS, rules, stored_authorities},
    domain::cluster_names::ROOT_AUTHORITY_SECRET,
    k8s::{Doing as _, Error, Kind},
    pki::{Facts, Keys, Usage, before, days_left},
    roles::watched::Watched,
};

/// Nothing to choose: the installation is the inventory's, or the one whose namespace `-n` names.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    namespace: String,
    secret: String,
    kind: String,
    subject: String,
    issuer: String,
    not_after: Timestamp,
    /// Negative once it has expired.
    days_left: i64,
    /// The day on which it is renewed or replaced without anybody's doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    renews: Option<String>,
}

impl Args {
    /// Lists certificates.
    ///
    /// # Errors
    /// When there is no installation, or its Secrets can't be read.
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let scene = Scene::find(context).await?;
        let now = Timestamp::now();
        let mut rows = own(&scene.home, &scene.policy, &scene.stored().await?, now);
        let watched = Watched::find(&scene.client, &scene.inventory).await?;
        if let Some(unseen) = &watched.unseen {
            context.printer.warning(unseen);
        }
        for namespace in &watched.names {
            match in_namespace(&scene.client, namespace).await {
                Ok(secrets) => rows.extend(secrets.iter().flat_map(|secret| of_cluster(secret, now))),
                Err(error) if error.kind() == Kind::Forbidden => {
                    context
                        .printer
                        .warning(&format!("what is in {namespace} can't be seen: {}", error.message()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        for expired in rows.iter().filter(|row| row.days_left < 0) {
            context.printer.warning(&format!("{}/{} has expired", expired.namespace, expired.secret));
        }
        context.printer.result(&rows, || shown(&rows))?;
        Ok(Exit::Success)
    }
}

/// Secrets of clusters, and that of their common authority, which belongs to no single one.
async fn in_namespace(client: &Client, namespace: &str) -> Result<Vec<Secret>, Error> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let parameters = ListParams::default().labels(clusters::CLUSTER);
    let action = || format!("list the secrets of {namespace}");
    let (authority, list) = tokio::join!(api.get_opt(ROOT_AUTHORITY_SECRET), api.list(&parameters));
    let mut secrets: Vec<Secret> = authority.doing(action)?.into_iter().collect();
    secrets.extend(list.doing(action)?.items);
    Ok(secrets)
}

/// The operator's certificates.
fn own(home: &Home, policy: &Policy, stored: &Stored, now: Timestamp) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut issuer = None;
    if let Some(secret) = &stored.authority {
        let turn = authorities(secret, "").ok().and_then(|set| {
            issuer = Facts::read(set.current.certificate_pem()).ok();
            (policy.source == Source::Made).then(|| set.due(&policy.rules(home))).flatten()
        });
        rows.extend(authority_rows(secret, &KEYS, turn, now));
    }
    if let Some(secret) = &stored.leaf {
        let owned = home.owns(secret);
        let due = stored
            .leaf()
            .zip(issuer)
            .filter(|_| owned)
            .and_then(|(leaf, issuer)| renewal(&leaf, &issuer, policy));
        rows.extend(entry(secret, LEAF_CERTIFICATE).and_then(|pem| row(secret, &pem, None, due, now)));
    }
    rows
}

/// The certificates of a Secret in a namespace with clusters. Leaves are renewed in their last third.
fn of_cluster(secret: &Secret, now: Timestamp) -> Vec<Row> {
    if secret.name_any() == ROOT_AUTHORITY_SECRET {
        let namespace = secret.namespace().unwrap_or_default();
        let turn = stored_authorities(secret).and_then(|set| set.due(&rules(&namespace)));
        return authority_rows(secret, &ROOT_KEYS, turn, now);
    }
    let pem = [LEAF_CERTIFICATE, PATRONI_COMBINED].iter().find_map(|key| entry(secret, key));
    let of_leaf = pem.and_then(|pem| {
        let facts = Facts::read(&pem).ok()?;
        let third = facts.lifetime().as_secs() / 3;
        row(secret, &pem, None, Some(before(facts.not_after, third)), now)
    });
    of_leaf.into_iter().collect()
}

/// Authorities that follow each other; the one that issues now is replaced at `turn`.
fn authority_rows(secret: &Secret, keys: &Keys, turn: Option<Timestamp>, now: Timestamp) -> Vec<Row> {
    let kinds = [
        (keys.certificate, "authority", turn),
        (keys.next_certificate, "next authority", None),
        (keys.previous_certificate, "previous authority", None),
    ];
    let row = |(key, kind, turn)| row(secret, &entry(secret, key)?, Some(kind), turn, now);
    kinds.into_iter().filter_map(row).collect()
}

fn row(
    secret: &Secret,
    pem: &str,
    kind: Option<&str>,
    due: Option<Timestamp>,
    now: Timestamp,
) -> Option<Row> {
    let facts = Facts::read(pem).ok()?;
    let usage = match facts.usage {
        _ if facts.authority => "authority",
        Some(Usage::Client) => "client",
        Some(Usage::Both) => "server, client",
        Some(Usage::Server) | None => "server",
    };
    Some(Row {
        namespace: secret.namespace().unwrap_or_default(),
        secret: secret.name_any(),
        kind: kind.unwrap_or(usage).to_owned(),
        days_left: days_left(facts.not_after, now),
        not_after: facts.not_after,
        subject: facts.subject,
        issuer: facts.issuer,
        renews: due.map(|due| due.strftime("%Y-%m-%d").to_string()),
    })
}

fn shown(rows: &[Row]) -> String {
    let header = ["NAMESPACE", "SECRET", "KIND", "SUBJECT", "ISSUER", "DAYS LEFT", "RENEWS"];
    let lines = rows.iter().map(|row| {
        let left = if row.days_left < 0 { "expired".to_owned() } else { row.days_left.to_string() };
        [
            row.namespace.clone(),
            row.secret.clone(),
            row.kind.clone(),
            row.subject.clone(),
            row.issuer.clone(),
            left,
            row.renews.clone().unwrap_or_else(|| "–".to_owned()),
        ]
    });
    table(&header, lines)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::{
        certificates::decide,
        desired::secrets::{ROOT_CERTIFICATE, data},
        inventory::Inventory,
        pki::{Authority, LeafRequest, Terms},
        roles::certificates,
    };

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn secret(name: &str, pairs: &[(&str, &str)]) -> Secret {
        let mut secret = Secret { data: Some(data(pairs.iter().copied())), ..Secret::default() };
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.namespace = Some("orders".to_owned());
        secret
    }

    #[test]
    fn everything_that_ends_some_day_is_listed_and_no_key_with_it() {
        let inventory =
            Inventory::parse("minimal.toml", include_str!("../../../../inventory/minimal.toml")).unwrap();
        let (home, policy) =
            (certificates::home(&inventory.installation), certificates::policy(&inventory.tls));
        let mut set = decide(&home, &policy, &Stored::default(), None, now()).unwrap().authorities;
        set.prepare(&policy.rules(&home), now()).unwrap();
        let decision = crate::certificates::settle(&home, &policy, set, None, now()).unwrap();
        let [authority, leaf] = &decision.secrets[..] else { panic!("{:?}", decision.secrets.len()) };
        let stored = Stored { authority: Some(authority.clone()), leaf: Some(leaf.clone()) };
        let mut rows = own(&home, &policy, &stored, now());

        let root = Authority::generate("pgherd orders", now(), Terms::AUTHORITY).unwrap();
        let request =
            |usage| LeafRequest { common_name: "hippo".into(), dns_names: vec!["hippo".into()], usage };
        let issued = |usage, days| root.issue(&request(usage), now(), Terms::days(days)).unwrap();
        let (server, patroni) = (issued(Usage::Server, 90), issued(Usage::Both, 365));
        let combined = format!("{}{}", patroni.certificate_pem, patroni.key_pem.expose_secret());
        let secrets = [
            secret(ROOT_AUTHORITY_SECRET, &[(ROOT_CERTIFICATE, root.certificate_pem())]),
            secret("hippo-cluster-cert", &[(LEAF_CERTIFICATE, &server.certificate_pem)]),
            secret("hippo-pguser-app", &[("password", "hush")]),
            secret("hippo-a-certs", &[(PATRONI_COMBINED, &combined)]),
        ];
        let later: Timestamp = "2026-06-15T12:00:00Z".parse().unwrap();
        rows.extend(secrets.iter().flat_map(|secret| of_cluster(secret, later)));
        let text = shown(&rows);
        insta::assert_snapshot!(text);
        let json = serde_json::to_string(&rows).unwrap();
        for told in [text, json] {
            assert!(!told.contains("PRIVATE") && !told.contains("hush"), "{told}");
        }
    }
}
