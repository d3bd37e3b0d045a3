//! What was seen of a cluster, and what it means for an installation. Pure.

use crate::k8s::client::{OLDEST, major_and_minor};

/// A cluster, as far as the caller may look. Of what couldn't be looked at there is the reason.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) context: String,
    /// The version of its API server.
    pub(super) version: String,
    /// Who the API server takes the caller for.
    pub(super) user: String,
    pub(super) openshift: Look<bool>,
    pub(super) classes: Look<Vec<Class>>,
    pub(super) namespaces: Look<Vec<String>>,
    pub(super) installations: Look<Vec<Installed>>,
}

/// What was seen, or why it couldn't be.
pub(super) type Look<T> = Result<T, String>;

/// A storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) provisioner: String,
    /// Whether it is the one of volumes that name none.
    pub(super) default: bool,
    /// Whether its volumes can grow.
    pub(super) expands: bool,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) watched: Vec<String>,
}

impl Class {
    /// In one line.
    pub(super) fn told(&self) -> String {
        let Self { name, provisioner, default, expands } = self;
        let default = if *default { "the default, " } else { "" };
        let grow = if *expands { "can grow" } else { "can't grow" };
        format!("{name}: {default}volumes {grow} ({provisioner})")
    }
}

impl Cluster {
    /// The class of volumes that name none.
    pub(super) fn default_class(&self) -> Option<&Class> {
        self.classes.as_ref().ok()?.iter().find(|class| class.default)
    }

    /// The class of a name, or the default class for an empty one.
    pub(super) fn class(&self, name: &str) -> Option<&Class> {
        if name.is_empty() {
            return self.default_class();
        }
        self.classes.as_ref().ok()?.iter().find(|class| class.name == name)
    }

    /// Namespaces that may be meant for something of ours.
    pub(super) fn ordinary_namespaces(&self) -> Vec<&str> {
        let systems = |name: &&str| {
            !["kube-", "openshift"].iter().any(|start| name.starts_with(start)) && *name != "default"
        };
        self.namespaces.iter().flatten().map(String::as_str).filter(systems).collect()
    }

    /// What is told before the questions.
    pub(super) fn told(&self) -> Vec<String> {
        let Self { name, context, version, user, openshift, classes, namespaces, installations } = self;
        let mut lines =
            vec![format!("Cluster    {name} (Kubernetes {version}), context {context}, as {user}")];
        let mut line = |title: &str, text: String| lines.push(format!("{title:<10} {text}"));
        match classes {
            Ok(classes) if classes.is_empty() => {
                line("Storage", "there is no storage class".to_owned());
            }
            Ok(classes) => classes.iter().enumerate().for_each(|(index, class)| {
                line(if index == 0 { "Storage" } else { "" }, class.told());
            }),
            Err(why) => line("Storage", unseen("storage classes", why)),
        }
        match openshift {
            Ok(true) => line("Kind", "OpenShift".to_owned()),
            Ok(false) => {}
            Err(why) => line("Kind", unseen("whether it is OpenShift", why)),
        }
        if let Err(why) = namespaces {
            line("Namespaces", unseen("namespaces", why));
        }
        match installations {
            Ok(installed) => installed.iter().enumerate().for_each(|(index, installed)| {
                let Installed { name, namespace, watched } = installed;
                let title = if index == 0 { "Installed" } else { "" };
                line(title, format!("{name} in namespace {namespace}, watches {}", watched.join(", ")));
            }),
            Err(why) => line("Installed", unseen("installations", why)),
        }
        lines
    }

    /// What is worth a second thought about an installation that would be there too.
    pub(super) fn concerns(&self, ours: &Installed) -> Vec<String> {
        let mut concerns = Vec::new();
        if older(&self.version) {
            let (major, minor) = OLDEST;
            concerns.push(format!(
                "this is Kubernetes {}, and pgherd needs {major}.{minor} or newer",
                self.version
            ));
        }
        for other in self.installations.iter().flatten() {
            if (&other.name, &other.namespace) == (&ours.name, &ours.namespace) {
                concerns.push(format!(
                    "there is an installation {} in namespace {}: installing changes that one",
                    other.name, other.namespace
                ));
                continue;
            }
            let both: Vec<&str> =
                ours.watched.iter().filter(|name| other.watched.contains(name)).map(String::as_str).collect();
            if !both.is_empty() {
                concerns.push(format!(
                    "the installation {} in namespace {} watches {} already: two operators would be at odds there",
                    other.name,
                    other.namespace,
                    both.join(" and ")
                ));
            }
        }
        concerns
    }
}

/// Whether a version such as `1.32.7+vendor` is too old. One that isn't understood may be right.
fn older(version: &str) -> bool {
    major_and_minor(version).is_some_and(|version| version < OLDEST)
}

fn unseen(what: &str, why: &str) -> String {
    format!("{what} can't be seen: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(name: &str, watched: &[&str]) -> Installed {
        let watched = watched.iter().map(|name| (*name).to_owned()).collect();
        Installed { name: name.to_owned(), namespace: name.to_owned(), watched }
    }

    #[test]
    fn another_operator_in_the_same_namespace_is_a_concern() {
        let cluster = Cluster {
            name: "here".to_owned(),
            context: "here".to_owned(),
            version: "1.34.4".to_owned(),
            user: "me".to_owned(),
            openshift: Ok(true),
            classes: Err("forbidden".to_owned()),
            namespaces: Ok(["default", "kube-system", "red"].map(str::to_owned).to_vec()),
            installations: Ok(vec![installed("one", &["red", "blue"]), installed("two", &["green"])]),
        };
        assert_eq!(cluster.ordinary_namespaces(), ["red"]);
        let concerns = cluster.concerns(&installed("three", &["blue"]));
        assert!(concerns.len() == 1 && concerns[0].contains("watches blue already"), "{concerns:?}");
        let concerns = cluster.concerns(&installed("two", &["green"]));
        assert!(concerns.len() == 1 && concerns[0].contains("changes that one"), "{concerns:?}");
        insta::assert_snapshot!(cluster.told().join("\n"));
    }

    #[test]
    fn an_old_server_is_told_from_a_new_one() {
        for (version, expected) in [
            ("1.32.7", true),
            ("1.32.7+vendor.1", true),
            ("1.33.0", false),
            ("1.34.4-rc.1", false),
            ("2.0.0", false),
            ("unknown", false),
        ] {
            assert_eq!(older(version), expected, "{version}");
        }
    }
}
