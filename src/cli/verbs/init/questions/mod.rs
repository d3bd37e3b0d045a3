//! Every question of the wizard, in order, as they follow from the answers so far. Pure.

mod outside;
mod volumes;

use std::collections::BTreeMap;

use super::{
    draft::Draft,
    question::{Choice, Effect, Id, Question, values},
    seen::Cluster,
};
use crate::{
    inventory::{catalogue::at, setting::Need},
    k8s::client::Contexts,
};

/// What questions and proposals depend on.
pub(super) struct View<'a> {
    /// The inventory before the first question.
    pub(super) draft: &'a Draft,
    /// Where proposals of images come from.
    pub(super) example: &'a Draft,
    /// What there is to choose from; empty when it was chosen already.
    pub(super) contexts: &'a Contexts,
    pub(super) cluster: Option<&'a Cluster>,
    /// The namespace that the command line names.
    pub(super) namespace: Option<&'a str>,
    pub(super) answers: &'a BTreeMap<Id, String>,
}

impl View<'_> {
    fn answer(&self, id: Id) -> &str {
        self.answers.get(&id).map_or("", String::as_str)
    }

    /// The proposal for a setting: what the file has, or something of ours. In somebody's file, what can be left out and is,
    /// stays out.
    fn propose(&self, path: &str, ours: Option<&str>) -> Option<String> {
        let need = at(path).map(|named| named.setting.need);
        let default = || match need {
            Some(Need::Optional(_)) => Some(String::new()),
            Some(Need::Default(text)) => Some(text.trim_matches('"').to_owned()),
            _ => None,
        };
        let ours = || ours.map(str::to_owned);
        let rest = || if self.draft.is_fresh() { ours().or_else(default) } else { default().or_else(ours) };
        self.draft.get(path).or_else(rest)
    }

    /// A question whose answer was given before proposes that.
    fn again(&self, question: Question) -> Question {
        match self.answers.get(&question.id) {
            Some(answer) if question.takes(answer) => question.proposing(Some(answer.clone())),
            _ => question,
        }
    }
}

/// All questions.
pub(super) fn questions(view: &View<'_>) -> Vec<Question> {
    let mut all = Vec::new();
    installation(view, &mut all);
    images(view, &mut all);
    volumes::storages(view, &mut all);
    volumes::resources(view, &mut all);
    databases(view, &mut all);
    outside::tls(view, &mut all);
    outside::s3(view, &mut all);
    outside::metrics(view, &mut all);
    all.into_iter().map(|question| view.again(question)).collect()
}

fn installation(view: &View<'_>, all: &mut Vec<Question>) {
    if view.contexts.known.len() > 1 {
        let choices = view.contexts.known.iter().map(|name| Choice::new(name, name)).collect();
        let proposal = view.propose("kubernetes.context", None).filter(|text| !text.is_empty());
        let proposal = proposal.or_else(|| view.contexts.current.clone());
        all.push(
            Question::choice(Id::Context, "Context of the kube config", choices)
                .sets("kubernetes.context")
                .proposing(proposal),
        );
    }
    let installed = view.cluster.and_then(|cluster| cluster.installations.as_ref().ok());
    let there: Vec<&str> = installed.into_iter().flatten().map(|there| there.name.as_str()).collect();
    let free = (1..).map(|number| match number {
        1 => "pgherd".to_owned(),
        more => format!("pgherd-{more}"),
    });
    let ours = free.into_iter().find(|name| !there.contains(&name.as_str())).unwrap_or_default();
    all.push(
        Question::text(Id::Name, "Name of the installation")
            .sets("installation.name")
            .hint((!there.is_empty()).then(|| format!("In the cluster are: {}.", there.join(", "))))
            .proposing(view.propose("installation.name", Some(&ours))),
    );
    let namespaces = view.cluster.map(Cluster::ordinary_namespaces).unwrap_or_default();
    let existing = (!namespaces.is_empty()).then(|| {
        let more = if namespaces.len() > 10 { ", …" } else { "" };
        format!(
            "In the cluster are: {}{more}.",
            namespaces.iter().take(10).copied().collect::<Vec<_>>().join(", ")
        )
    });
    let name = view.answer(Id::Name);
    all.push(
        Question::text(Id::Namespace, "Namespace of the operator")
            .sets("installation.namespace")
            .hint(existing.clone())
            .proposing(view.propose("installation.namespace", view.namespace.or(Some(name)))),
    );
    let ours = view.example.get("namespaces.watched");
    all.push(
        Question::text(Id::Watched, "Namespaces for databases")
            .optional(true)
            .sets("namespaces.watched")
            .help("Several are separated by commas.")
            .hint(existing)
            .proposing(view.propose("namespaces.watched", ours.as_deref())),
    );
    all.push(
        Question::choice(
            Id::NamespaceMode,
            "Rights of the operator on namespaces",
            values("namespaces.mode"),
        )
        .sets("namespaces.mode")
        .proposing(view.propose("namespaces.mode", None)),
    );
}

fn images(view: &View<'_>, all: &mut Vec<Question>) {
    all.push(
        Question::text(Id::Registry, "Registry of the images")
            .optional(true)
            .sets("images.registry")
            .proposing(view.propose("images.registry", None)),
    );
    let registry = !view.answer(Id::Registry).is_empty();
    if registry {
        all.push(
            Question::text(Id::PullSecrets, "Secrets with credentials for the registry")
                .optional(true)
                .sets("images.pull_secrets")
                .help("`-`: the registry needs none.")
                .proposing(view.propose("images.pull_secrets", None).map(
                    // The default is a list with nothing in it.
                    |text| if text == "[]" { String::new() } else { text },
                )),
        );
    }
    let example = view.example.get("images.operator").filter(|_| !registry);
    let proposal = view.propose("images.operator", example.as_deref());
    let ours = example.filter(|_| proposal.as_deref().is_none_or(str::is_empty));
    all.push(
        Question::text(Id::Operator, "Image of pgherd")
            .optional(registry)
            .sets("images.operator")
            .proposing(ours.or(proposal)),
    );
    let known = |draft: &Draft| draft.keys("images.postgres").into_iter().max();
    let newest = known(view.draft).or_else(|| known(view.example));
    let path = "defaults.postgres_version";
    let said = view.propose(path, newest.as_deref()).filter(|text| !text.is_empty());
    // The newest is what clusters get that say nothing.
    let unless = newest.clone().filter(|_| !view.draft.is_fresh() && !view.draft.has(path));
    all.push(
        Question::text(Id::Version, "Version of PostgreSQL")
            .sets_unless(path, unless)
            .proposing(said.or(newest)),
    );
    let version = view.answer(Id::Version);
    let path = format!("images.postgres.{version}");
    // The image of another version, with this version in its place.
    let similar = [view.draft, view.example].into_iter().find_map(|draft| {
        let other = known(draft)?;
        let image = draft.get(&format!("images.postgres.{other}"))?;
        let changed =
            image.rsplit_once(':').map(|(name, tag)| format!("{name}:{}", tag.replace(&other, version)));
        Some(changed.unwrap_or(image))
    });
    let ours = if registry && view.draft.keys("images.postgres").is_empty() {
        Some(format!("postgres:{version}"))
    } else {
        similar
    };
    let proposal = view.draft.get(&path).or(ours);
    all.push(
        Question::text(Id::Postgres, &format!("Image of PostgreSQL {version}"))
            .sets(path)
            .proposing(proposal),
    );
}

fn databases(view: &View<'_>, all: &mut Vec<Question>) {
    all.push(
        Question::text(Id::Replicas, "Replicas of a database")
            .sets("defaults.replicas")
            .help("With one or more, another instance takes over when the primary fails.")
            .proposing(view.propose("defaults.replicas", None)),
    );
    if view.cluster.is_some_and(|cluster| cluster.openshift == Ok(true)) {
        let had = view.draft.get("defaults.set_fs_group");
        let left = had.map_or(view.draft.is_fresh(), |text| text == "false");
        let path = "defaults.set_fs_group";
        let mut question = Question::yes_no(Id::OpenShift, "Leave groups of volumes to OpenShift?", left)
            .help("OpenShift gives volumes a group by itself, and refuses pods that choose one.")
            .with(Effect::When { answer: "yes", path: path.to_owned(), value: "false".to_owned() });
        if view.draft.has(path) {
            question = question.with(Effect::Remove { answer: "no", path });
        }
        all.push(question);
    }
}
