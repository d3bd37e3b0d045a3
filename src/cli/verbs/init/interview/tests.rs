//! The course of the questions with somebody who answers from a script.

use std::collections::VecDeque;

use super::{super::seen::Class, *};
use crate::inventory::Inventory;

const EXAMPLE: &str = include_str!("../../../../../inventory/minimal.toml");

fn class(name: &str, default: bool) -> Class {
    Class { name: name.to_owned(), provisioner: "example.com/disk".to_owned(), default, expands: default }
}

fn cluster(classes: Vec<Class>) -> Cluster {
    Cluster {
        name: "here".to_owned(),
        context: "here".to_owned(),
        version: "1.34.4".to_owned(),
        user: "me".to_owned(),
        openshift: Ok(false),
        classes: Ok(classes),
        namespaces: Ok(vec!["default".to_owned(), "apps".to_owned()]),
        installations: Ok(Vec::new()),
    }
}

fn interview(file: Option<&str>, contexts: &[&str]) -> Interview {
    let known = contexts.iter().map(|name| (*name).to_owned()).collect();
    let contexts = Contexts { known, current: contexts.last().map(|name| (*name).to_owned()) };
    let facts = Facts { file: PathBuf::from("pgherd.toml"), contexts, namespace: None };
    let start = file.map_or_else(Draft::fresh, |text| Draft::of(text).unwrap());
    Interview::new(facts, start, Draft::of(EXAMPLE).unwrap())
}

/// Answers with what a script has for a question, in order, and with the proposal where it has nothing.
struct Scripted {
    interview: Interview,
    cluster: Option<Cluster>,
    script: Vec<(Id, VecDeque<&'static str>)>,
    /// What was asked, and what was proposed.
    asked: Vec<(Id, Option<String>)>,
    looked: Vec<Option<String>>,
    refused: Vec<String>,
}

impl Scripted {
    fn new(interview: Interview, script: &[(Id, &[&'static str])]) -> Self {
        let script = script.iter().map(|(id, answers)| (*id, answers.iter().copied().collect())).collect();
        let (asked, looked, refused) = (Vec::new(), Vec::new(), Vec::new());
        Self { interview, cluster: Some(cluster(vec![class("fast", true)])), script, asked, looked, refused }
    }

    /// Goes on until everything is answered.
    fn run(mut self) -> Self {
        loop {
            match self.interview.step() {
                Step::Look(name) => {
                    self.looked.push(name.clone());
                    self.interview.saw(name, self.cluster.clone());
                }
                Step::Ask(question) => {
                    self.asked.push((question.id, question.proposal.clone()));
                    assert!(self.asked.len() < 200, "{:?}", self.asked);
                    let planned = self.script.iter_mut().find(|(id, _)| *id == question.id);
                    let typed = planned.and_then(|(_, answers)| answers.pop_front()).unwrap_or_default();
                    let reply = match (typed, &question.answers) {
                        ("<", _) => Reply::Back,
                        (text, Answers::Choice(choices)) => {
                            let wanted = if text.is_empty() {
                                question.proposal.clone()
                            } else {
                                Some(text.to_owned())
                            };
                            let found =
                                choices.iter().position(|choice| Some(&choice.value) == wanted.as_ref());
                            Reply::Chosen(found.unwrap_or_else(|| panic!("{wanted:?} in {choices:?}")))
                        }
                        (text, _) => Reply::Line(text.to_owned()),
                    };
                    if let Err(why) = self.interview.reply(&question, &reply) {
                        self.refused.push(why);
                    }
                }
                Step::Finished => return self,
            }
        }
    }

    fn text(&self) -> String {
        self.interview.draft().text()
    }

    fn times(&self, id: Id) -> usize {
        self.asked.iter().filter(|(asked, _)| *asked == id).count()
    }

    fn proposals(&self, wanted: Id) -> Vec<&str> {
        let of = self.asked.iter().filter(|(id, _)| *id == wanted);
        of.map(|(_, proposal)| proposal.as_deref().unwrap_or("?")).collect()
    }
}

fn checked(text: &str) -> Inventory {
    Inventory::parse("pgherd.toml", text).unwrap_or_else(|report| panic!("{}\n{text}", report.render(false)))
}

#[test]
fn all_proposals_together_are_a_right_inventory() {
    let run = Scripted::new(interview(None, &[]), &[]).run();
    checked(&run.text());
    assert_eq!(run.looked, [None]);
    insta::assert_snapshot!(run.text());
}

#[test]
fn without_a_cluster_it_goes_on() {
    let mut run = Scripted::new(interview(None, &[]), &[]);
    run.cluster = None;
    checked(&run.run().text());
}

#[test]
fn everything_that_is_asked_is_written() {
    let run = Scripted::new(
        interview(None, &["one", "two"]),
        &[
            (Id::Context, &["one"]),
            (Id::Name, &["databases"]),
            (Id::Watched, &["red, blue"]),
            (Id::NamespaceMode, &["dynamic"]),
            (Id::Registry, &["registry.example.com:5000"]),
            (Id::PullSecrets, &["registry"]),
            (Id::Version, &["18"]),
            (Id::Class(1), &["slow"]),
            (Id::Size(1), &["20Gi"]),
            (Id::MoreStorage(2), &["yes"]),
            (Id::StorageName(2), &["log"]),
            (Id::Class(2), &["fast"]),
            (Id::StorageUse(2), &["wal"]),
            (Id::MemoryLimit(1), &["-"]),
            (Id::MoreResources(2), &["y"]),
            (Id::ResourceName(2), &["large"]),
            (Id::Cpu(2), &["4"]),
            (Id::Replicas, &["2"]),
            (Id::OpenShift, &["yes"]),
            (Id::Tls, &["files"]),
            (Id::TlsCertificate, &["ca.crt"]),
            (Id::TlsKey, &["ca.key"]),
            (Id::S3, &["yes"]),
            (Id::Bucket, &["backups"]),
            (Id::Endpoint, &["s3.example.com:9000"]),
            (Id::Region, &["here"]),
            (Id::Key, &["AKIA"]),
            (Id::SecretPlace, &["env"]),
            (Id::Secret, &["S3_SECRET"]),
            (Id::Metrics, &["yes"]),
        ],
    );
    let mut run = run;
    let mut seen = cluster(vec![class("fast", false), class("slow", false)]);
    seen.openshift = Ok(true);
    run.cluster = Some(seen);
    let run = run.run();
    assert_eq!(run.refused, Vec::<String>::new());
    assert_eq!(run.looked, [Some("one".to_owned())]);
    checked(&run.text());
    insta::assert_snapshot!(run.text());
}

#[test]
fn a_wrong_answer_is_refused_with_its_reason_and_asked_again() {
    let run = Scripted::new(
        interview(None, &[]),
        &[
            (Id::Name, &["Mine!", "-", "mine"]),
            (Id::Watched, &["red red", "red,Blue", "red"]),
            (Id::Operator, &["localhost/pgherd", "localhost/pgherd:dev"]),
            (Id::Version, &["seventeen", "3", "17"]),
            (Id::Size(1), &["1Gb", "100", "1Gi"]),
            (Id::MemoryLimit(1), &["1Mi", "1Gi"]),
            (Id::Replicas, &["-1", "1"]),
            (Id::S3, &["perhaps", "yes"]),
            (Id::Bucket, &["", "b", "backups"]),
            (Id::Endpoint, &["https://s3.example.com", "s3.example.com"]),
            (Id::Region, &["here"]),
            (Id::Key, &["AKIA"]),
            (Id::SecretPlace, &["env"]),
            (Id::Secret, &["abc/def+ghi", "S3_SECRET"]),
        ],
    )
    .run();
    insta::assert_snapshot!(run.refused.join("\n"));
    assert_eq!((run.times(Id::Name), run.times(Id::Namespace)), (3, 1));
    assert!(!run.text().contains("abc/def"));
    checked(&run.text());
}

#[test]
fn going_back_proposes_what_was_answered() {
    // From the registry back to the name, question by question, and on from there.
    let script: [(Id, &[&str]); 5] = [
        (Id::Name, &["one", "two"]),
        (Id::Namespace, &["first", "<"]),
        (Id::Watched, &["red", "<"]),
        (Id::NamespaceMode, &["dynamic", "<"]),
        (Id::Registry, &["<"]),
    ];
    let run = Scripted::new(interview(None, &[]), &script).run();
    assert_eq!(run.proposals(Id::Name), ["pgherd", "one"]);
    assert_eq!(run.proposals(Id::Namespace), ["one", "first", "first"]);
    assert_eq!(run.proposals(Id::Watched), ["postgres-operator", "red", "red"]);
    let inventory = checked(&run.text());
    assert_eq!(inventory.installation.name.as_str(), "two");
    assert_eq!(inventory.installation.namespace.as_str(), "first");
    assert_eq!(inventory.namespaces.mode, NamespaceMode::Dynamic);
}

#[test]
fn before_the_first_question_there_is_none() {
    let run = Scripted::new(interview(None, &[]), &[(Id::Name, &["<", "one"])]).run();
    assert!(run.refused.len() == 1 && run.refused[0].contains("first question"), "{:?}", run.refused);
}

#[test]
fn an_answer_can_be_changed_from_the_summary() {
    let mut run = Scripted::new(interview(None, &[]), &[]).run();
    let asked = run.asked.len();
    run.interview.change(Id::S3);
    run.script = vec![
        (Id::S3, VecDeque::from(["yes"])),
        (Id::Bucket, VecDeque::from(["backups"])),
        (Id::Endpoint, VecDeque::from(["s3.eu-central-1.amazonaws.example"])),
        (Id::Region, VecDeque::from(["eu-central-1"])),
    ];
    let mut run = run.run();
    // What became necessary by it is asked, and nothing else.
    assert_eq!(run.asked.len() - asked, 6, "{:?}", run.asked);
    assert!(checked(&run.text()).s3.bucket.is_some());
    assert_eq!(run.proposals(Id::UriStyle), ["host"]);
    // Going back from a change leaves the answer as it was.
    run.interview.change(Id::Name);
    run.script = vec![(Id::Name, VecDeque::from(["<"]))];
    let run = run.run();
    assert_eq!(checked(&run.text()).installation.name.as_str(), "pgherd");
}

#[test]
fn another_context_is_looked_at_and_its_classes_are_asked_for() {
    let mut run = Scripted::new(interview(None, &["one", "two"]), &[(Id::Class(1), &["fast"])]).run();
    run.interview.change(Id::Context);
    run.script = vec![(Id::Context, VecDeque::from(["one"]))];
    run.cluster = Some(cluster(vec![class("other", false)]));
    let run = run.run();
    assert_eq!(run.looked, [Some("two".to_owned()), Some("one".to_owned())]);
    assert_eq!(run.times(Id::Class(1)), 2);
    assert!(run.text().contains("class = \"other\""), "{}", run.text());
}

const OURS: &str = r#"# Ours, since 2024.
[namespaces]
watched = ["red"]    # ask the red team

[installation]
namespace = "pgo"
name = "ours"

[storage3]
size = "5Gi"         # was 1Gi
name = "fast"
class = "gone"

[storage4]
name = "slow"
size = "1Ti"

[images]
operator = "registry.example.com/pgherd:1"
[images.postgres]
16 = "registry.example.com/postgres:16"
17 = "registry.example.com/postgres:17"

[defaults.storage]
primary = "fast"

[s3]
bucket = "backups"
endpoint = "s3.example.com"
region = "here"
key = "AKIA"
secret = { file = "s3.key" } # 0600
"#;

#[test]
fn a_file_of_somebody_stays_as_it_is_when_everything_is_taken() {
    let run = Scripted::new(interview(Some(OURS), &[]), &[]).run();
    assert_eq!(run.text(), OURS);
    assert_eq!(run.proposals(Id::Size(3)), ["5Gi"]);
    assert_eq!(run.proposals(Id::Secret), ["s3.key"]);
}

#[test]
fn a_store_that_is_only_prepared_stays() {
    let (before, _) = OURS.split_once("[s3]").unwrap();
    let prepared = format!("{before}[s3]\nuri_style = \"path\"\n");
    let run = Scripted::new(interview(Some(&prepared), &[]), &[]).run();
    assert_eq!(run.text(), prepared);
}

#[test]
fn only_what_is_answered_otherwise_changes() {
    let run = Scripted::new(
        interview(Some(OURS), &[]),
        &[
            (Id::Name, &["theirs"]),
            (Id::Watched, &["blue, red"]),
            (Id::Class(3), &["fast"]),
            (Id::Size(3), &["10Gi"]),
            (Id::Replicas, &["1"]),
            (Id::S3, &["no"]),
            (Id::Cpu(1), &["2"]),
        ],
    )
    .run();
    checked(&run.text());
    insta::assert_snapshot!(run.text());
}

#[test]
fn what_a_file_lacks_is_filled_in() {
    let run = Scripted::new(interview(Some("[installation]\nname = \"mine\" # so far\n"), &[]), &[]).run();
    assert_eq!(checked(&run.text()).installation.name.as_str(), "mine");
    assert!(run.text().contains("name = \"mine\" # so far\n"), "{}", run.text());
}

#[test]
fn what_cannot_be_guessed_has_no_proposal() {
    let class = |classes: Vec<Class>| {
        let mut interview = interview(None, &[]);
        interview.saw(None, Some(cluster(classes)));
        let all = interview.questions();
        all.into_iter().find(|question| question.id == Id::Class(1)).unwrap().proposal
    };
    assert_eq!(class(vec![super::tests::class("a", false), super::tests::class("b", false)]), None);
    assert_eq!(class(vec![super::tests::class("a", false)]), Some("a".to_owned()));
    assert_eq!(class(vec![super::tests::class("a", true)]), Some(String::new()));
    assert_eq!(class(Vec::new()), None);
}
