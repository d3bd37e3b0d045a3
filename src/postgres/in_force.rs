//! Whether a container has taken up what Secrets hold. The kubelet brings a change into its files after a while, and a loop
//! beside the server makes it read them again and notes that it did (`desired/text/reload.sh`).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kube::{Client, ResourceExt as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use crate::{
    desired::{pgbouncer, pod::DATABASE_CONTAINER, text::scripts},
    domain::digest,
    k8s::exec::{self, ExecError},
};

/// Below this directory are the certificates of every container.
const MOUNT: &str = "/pgconf";

/// A file that comes from a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    path: String,
    secret: String,
    key: String,
}

/// Why a pod's container works with other certificates than its Secrets hold; none when it works with these, or doesn't
/// run and reads them when it starts. `secrets` are those of its namespace, by name.
///
/// # Errors
/// When the container can't be asked.
pub async fn outdated(
    client: &Client,
    pod: &Pod,
    secrets: &BTreeMap<String, Secret>,
) -> Result<Option<String>, ExecError> {
    let Some((container, in_force)) = server(pod).filter(|(container, _)| running(pod, &container.name))
    else {
        return Ok(None);
    };
    let files = files(pod, container);
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let target = exec::Target { namespace: &namespace, pod: &name, container: &container.name };
    // What is read last counts: files that change in between are not those that were looked at.
    let script = format!("sha256sum -- \"$@\" || :\n{in_force}");
    let mut command = ["sh", "-ceu", "--", &script, "sh"].map(str::to_owned).to_vec();
    command.extend(files.iter().map(|file| file.path.clone()));
    let said = exec::run(client, target, &command, &SecretString::default()).await?.stdout;
    Ok(judge(&files, secrets, &said))
}

/// The container of a pod that serves with certificates, and the commands that tell whether it has read them.
fn server(pod: &Pod) -> Option<(&Container, String)> {
    let find = |name: &str| pod.spec.as_ref()?.containers.iter().find(|container| container.name == name);
    find(DATABASE_CONTAINER)
        .map(|container| (container, scripts::in_force()))
        .or_else(|| find(pgbouncer::CONTAINER).map(|container| (container, pgbouncer::in_force())))
}

fn running(pod: &Pod, container: &str) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut of_container = statuses.filter(|status| status.name == container);
    of_container.any(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
}

/// The files of a container that come from Secrets, as far as certificates are there.
fn files(pod: &Pod, container: &Container) -> Vec<File> {
    let volumes = || pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mounts = container.volume_mounts.iter().flatten().filter(|mount| mount.mount_path.starts_with(MOUNT));
    let mut files = Vec::new();
    for mount in mounts {
        let projected =
            volumes().find(|volume| volume.name == mount.name).and_then(|volume| volume.projected.as_ref());
        for source in projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            let Some(secret) = &source.secret else { continue };
            files.extend(secret.items.iter().flatten().map(|item| File {
                path: format!("{}/{}", mount.mount_path, item.path),
                secret: secret.name.clone(),
                key: item.key.clone(),
            }));
        }
    }
    files
}

/// Compares what a container said with what it should have.
fn judge(files: &[File], secrets: &BTreeMap<String, Secret>, said: &str) -> Option<String> {
    let seen: BTreeMap<&str, &str> =
        said.lines().filter_map(|line| line.split_once("  ")).map(|(digest, path)| (path, digest)).collect();
    for File { path, secret, key } in files {
        let value = secrets.get(secret).and_then(|secret| secret.data.as_ref()?.get(key));
        let wanted = value.map(|value| digest::hex(&Sha256::digest(&value.0)));
        if wanted.as_deref() != seen.get(path.as_str()).copied() {
            return Some(format!("{key} of secret {secret} has not arrived in {path} yet"));
        }
    }
    (said.lines().last() != Some(scripts::IN_FORCE))
        .then(|| "its certificates have not been read again yet".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "hippo-00-abcd-0", "namespace": "zoo"},
            "spec": {
                "containers": [{"name": "database", "volumeMounts": [
                    {"name": "cert-volume", "mountPath": "/pgconf/tls"},
                    {"name": "files", "mountPath": "/etc/postgres"},
                ]}],
                "volumes": [
                    {"name": "cert-volume", "projected": {"sources": [
                        {"secret": {"name": "hippo-cluster-cert", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    ]}},
                    {"name": "files", "projected": {"sources": [
                        {"secret": {"name": "theirs", "items": [{"key": "a", "path": "a"}]}},
                    ]}},
                ],
            },
            "status": {"containerStatuses": [{
                "name": "database", "ready": true, "image": "", "imageID": "", "restartCount": 0,
                "state": {"running": {}},
            }]},
        }))
        .unwrap()
    }

    #[test]
    fn files_have_to_arrive_and_to_be_read() {
        let pod = pod();
        let (container, _) = server(&pod).unwrap();
        assert!(running(&pod, "database"));
        let files = files(&pod, container);
        assert_eq!(files.len(), 1, "certificates alone: {files:?}");
        let secret: Secret = serde_json::from_value(json!({"data": {"ca.crt": "bmV3Cg=="}})).unwrap();
        let secrets = BTreeMap::from([("hippo-cluster-cert".to_owned(), secret)]);
        let said = |text: &str, read: &str| {
            format!("{}  /pgconf/tls/ca.crt\n{read}\n", digest::hex(&Sha256::digest(text.as_bytes())))
        };
        assert_eq!(judge(&files, &secrets, &said("new\n", scripts::IN_FORCE)), None);
        let unread = judge(&files, &secrets, &said("new\n", "")).unwrap();
        assert!(unread.contains("read again"), "{unread}");
        let late = judge(&files, &secrets, &said("old\n", scripts::IN_FORCE)).unwrap();
        assert!(late.contains("ca.crt of secret hippo-cluster-cert"), "{late}");
        assert!(
            judge(&files, &BTreeMap::new(), &said("new\n", scripts::IN_FORCE)).is_some(),
            "the Secret is gone"
        );
    }
}
