//! Which installation a cluster is followed by. Its name is an annotation of the cluster, written at the first look, so that of
//! two installations that look after one namespace the first one has the cluster, and the other leaves it alone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use kube::ResourceExt as _;

use super::Story;
use crate::api::{labels, postgres_cluster::PostgresCluster};

/// Whose a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This installation's.
    Ours,
    /// Nobody's yet.
    Nobodys,
    /// That of another installation, with this name.
    Theirs(String),
}

/// Whose a cluster is, for the installation `follower`. An operator without an installation leaves alone what has a name.
pub(super) fn whose(resource: &PostgresCluster, follower: Option<&str>) -> Whose {
    match resource.annotations().get(labels::FOLLOWED_BY).map(String::as_str) {
        None | Some("") => Whose::Nobodys,
        Some(name) if Some(name) == follower => Whose::Ours,
        Some(name) => Whose::Theirs(name.to_owned()),
    }
}

/// Clusters of others that were seen, by namespace and name, and whose they are: so that each is told of once.
#[derive(Default)]
pub struct Others(Mutex<HashMap<(String, String), String>>);

impl Others {
    /// Says whose a cluster is, unless that was said before.
    pub(super) fn tell(
        &self,
        resource: &PostgresCluster,
        theirs: &str,
        follower: Option<&str>,
        story: &mut Story,
    ) {
        let (namespace, name) = (resource.namespace().unwrap_or_default(), resource.name_any());
        let told = self.lock().insert((namespace.clone(), name.clone()), theirs.to_owned());
        if told.as_deref() == Some(theirs) {
            return;
        }
        let advice = follower.map_or_else(String::new, |follower| {
            format!(
                ". To hand it over to {follower}: kubectl annotate --overwrite -n {namespace} postgrescluster/{name} {}={follower}",
                labels::FOLLOWED_BY
            )
        });
        let note = format!("installation {theirs} follows this cluster, so this one leaves it alone{advice}");
        story.warn("FollowedByAnother", "Follow", note);
    }

    /// Forgets a cluster that isn't another one's any more, or is gone.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::test_support::{resource, spec};

    fn followed_by(name: Option<&str>) -> PostgresCluster {
        let mut cluster = resource(&spec());
        if let Some(name) = name {
            cluster.annotations_mut().insert(labels::FOLLOWED_BY.to_owned(), name.to_owned());
        }
        cluster
    }

    #[test]
    fn the_annotation_tells_whose_a_cluster_is() {
        let ours = Some("home.pgherd");
        assert_eq!(whose(&followed_by(None), ours), Whose::Nobodys);
        assert_eq!(whose(&followed_by(Some("")), ours), Whose::Nobodys);
        assert_eq!(whose(&followed_by(ours), ours), Whose::Ours);
        let theirs = Whose::Theirs("elsewhere.pgherd".into());
        assert_eq!(whose(&followed_by(Some("elsewhere.pgherd")), ours), theirs);
        assert_eq!(whose(&followed_by(Some("elsewhere.pgherd")), None), theirs);
        assert_eq!(whose(&followed_by(None), None), Whose::Nobodys);
    }

    #[test]
    fn another_ones_cluster_is_told_of_once_until_something_is_new() {
        let others = Others::default();
        let cluster = followed_by(Some("elsewhere.pgherd"));
        let mut story = Story::default();
        for _ in 0..3 {
            others.tell(&cluster, "elsewhere.pgherd", Some("home.pgherd"), &mut story);
        }
        assert_eq!(story.reasons(), ["FollowedByAnother"]);
        others.tell(&cluster, "third.pgherd", Some("home.pgherd"), &mut story);
        others.forget("zoo", "rhino");
        others.tell(&cluster, "third.pgherd", None, &mut story);
        assert_eq!(story.reasons().len(), 3);
    }
}
