//! What a question is: how it is answered, what is proposed, and what its answer does to the inventory.

use super::draft::{Draft, parse, secret};
use crate::{
    cli::{Form, Query},
    inventory::{
        catalogue::at,
        setting::{Kind, Need},
    },
};

/// What an answer that there is none is shown as.
const NONE: &str = "none";

/// Which question it is. Numbers are those of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    Context,
    Name,
    Namespace,
    Watched,
    NamespaceMode,
    Registry,
    PullSecrets,
    Operator,
    Version,
    Postgres,
    StorageName(u32),
    Class(u32),
    Size(u32),
    AccessMode(u32),
    StorageUse(u32),
    MoreStorage(u32),
    ResourceName(u32),
    Cpu(u32),
    Memory(u32),
    MemoryLimit(u32),
    ResourceUse(u32),
    MoreResources(u32),
    Replicas,
    OpenShift,
    Tls,
    TlsCertificate,
    TlsKey,
    TlsSecret,
    S3,
    Bucket,
    Endpoint,
    Region,
    UriStyle,
    Key,
    SecretPlace,
    Secret,
    Metrics,
}

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: Id,
    pub(super) title: String,
    pub(super) help: Vec<String>,
    pub(super) answers: Answers,
    /// What an empty answer means. None when nothing can be guessed.
    pub(super) proposal: Option<String>,
    pub(super) effects: Vec<Effect>,
}

/// How it is answered. An answer is kept as a text; an empty one is that there is none.
#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// By typing.
    Text {
        /// Whether there may be none.
        optional: bool,
    },
    /// With `yes` or `no`.
    YesNo,
    /// By choosing one of these.
    Choice(Vec<Choice>),
}

/// Something to choose.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// What an answer does to the inventory.
#[derive(Clone, Debug)]
pub(super) enum Effect {
    /// The setting gets the answer as its value, and goes when the answer is that there is none.
    Value(String),
    /// The same, unless this is the answer.
    ValueUnless { path: String, in_force: String },
    /// The secret is in the place that the answer names: a `file` or an `env`.
    Secret { path: &'static str, key: &'static str },
    /// The setting gets a value, as it would be typed, whatever the answer is.
    Always { path: String, value: String },
    /// The setting gets a value with this answer.
    When { answer: &'static str, path: String, value: String },
    /// The setting or table goes with this answer.
    Remove { answer: &'static str, path: &'static str },
}

impl Effect {
    /// The setting.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Value(path)
            | Self::ValueUnless { path, .. }
            | Self::Always { path, .. }
            | Self::When { path, .. } => path,
            Self::Secret { path, .. } | Self::Remove { path, .. } => path,
        }
    }

    /// Does it.
    pub(super) fn apply(&self, text: &str, draft: &mut Draft) {
        match self {
            Self::Value(path) if text.is_empty() => draft.remove(path),
            Self::Value(path) => {
                // In somebody's file, what has its default already need not be written.
                if draft.is_fresh() || draft.has(path) || !is_default(path, text) {
                    draft.set_text(path, text);
                }
            }
            Self::ValueUnless { in_force, .. } if in_force == text => {}
            Self::ValueUnless { path, .. } => draft.set_text(path, text),
            Self::Secret { path, key } => {
                if draft.get(&format!("{path}.{key}")).as_deref() != Some(text) {
                    draft.set(path, secret(key, text));
                }
            }
            Self::Always { path, value } => draft.set_text(path, value),
            Self::When { answer, path, value } if *answer == text => draft.set_text(path, value),
            Self::Remove { answer, path } if *answer == text => draft.remove(path),
            Self::When { .. } | Self::Remove { .. } => {}
        }
    }
}

fn is_default(path: &str, text: &str) -> bool {
    let Some(named) = at(path) else { return false };
    let default = named.setting.default().and_then(|default| default.parse::<toml_edit::Value>().ok());
    default.is_some_and(|default| default.to_string() == parse(text, &named.setting.kind).to_string())
}

impl Question {
    fn new(id: Id, title: &str, answers: Answers) -> Self {
        let (title, help) = (title.to_owned(), Vec::new());
        Self { id, title, help, answers, proposal: None, effects: Vec::new() }
    }

    /// One that is answered by typing.
    pub(super) fn text(id: Id, title: &str) -> Self {
        Self::new(id, title, Answers::Text { optional: false })
    }

    /// One that is answered with yes or no.
    pub(super) fn yes_no(id: Id, title: &str, proposal: bool) -> Self {
        Self::new(id, title, Answers::YesNo).proposing(Some(if proposal { "yes" } else { "no" }.to_owned()))
    }

    /// One that is answered by choosing.
    pub(super) fn choice(id: Id, title: &str, choices: Vec<Choice>) -> Self {
        Self::new(id, title, Answers::Choice(choices))
    }

    /// The answer may be that there is none.
    pub(super) fn optional(mut self, optional: bool) -> Self {
        self.answers = Answers::Text { optional };
        self
    }

    /// Something to know.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Something to know, if there is something.
    pub(super) fn hint(mut self, text: Option<String>) -> Self {
        self.help.extend(text);
        self
    }

    /// What an empty answer means.
    pub(super) fn proposing(mut self, proposal: Option<String>) -> Self {
        self.proposal = proposal;
        self
    }

    /// The answer is the value of a setting, whose meaning is the help.
    pub(super) fn sets(mut self, path: impl Into<String>) -> Self {
        let path = path.into();
        self.help.extend(at(&path).map(|named| named.setting.meaning.trim().to_owned()));
        if let (Answers::Text { optional: true }, Some(without)) = (&self.answers, without(&path)) {
            self.help.push(format!("`-`: {without}."));
        }
        self.effects.push(Effect::Value(path));
        self
    }

    /// The same, but an answer that is in force without it isn't written.
    pub(super) fn sets_unless(self, path: &str, in_force: Option<String>) -> Self {
        let mut question = self.sets(path);
        if let Some(in_force) = in_force {
            question.effects = vec![Effect::ValueUnless { path: path.to_owned(), in_force }];
        }
        question
    }

    /// Something else happens with an answer.
    pub(super) fn with(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// What the typed text says as an answer to this; or why it says nothing.
    pub(super) fn understood(&self, typed: &str) -> Result<String, String> {
        let text = match (typed.trim(), &self.proposal) {
            ("", Some(proposal)) => proposal.clone(),
            ("", None) => return Err("something has to be typed here".to_owned()),
            (text, _) => text.to_owned(),
        };
        match &self.answers {
            Answers::Text { optional: true } if text == "-" => Ok(String::new()),
            Answers::Text { optional: false } if text.is_empty() || text == "-" => {
                Err("it can't be left out".to_owned())
            }
            Answers::Text { .. } => Ok(text),
            Answers::YesNo => match text.to_lowercase().as_str() {
                "y" | "yes" => Ok("yes".to_owned()),
                "n" | "no" => Ok("no".to_owned()),
                _ => Err(format!("\"{text}\" is neither yes nor no")),
            },
            Answers::Choice(choices) => {
                let known = choices.iter().any(|choice| choice.value == text);
                known.then_some(text).ok_or_else(|| "it isn't among what there is".to_owned())
            }
        }
    }

    /// Whether an answer that was given before is still one.
    pub(super) fn takes(&self, answer: &str) -> bool {
        match &self.answers {
            Answers::Choice(choices) => choices.iter().any(|choice| choice.value == answer),
            Answers::Text { optional } => *optional || !answer.is_empty(),
            Answers::YesNo => true,
        }
    }

    /// An answer as it is shown.
    pub(super) fn shown(&self, answer: &str) -> String {
        match &self.answers {
            Answers::Choice(choices) => choices
                .iter()
                .find(|choice| choice.value == answer)
                .map_or_else(|| answer.to_owned(), |choice| choice.label.clone()),
            _ if answer.is_empty() => NONE.to_owned(),
            _ => answer.to_owned(),
        }
    }

    /// An answer as it stands in a summary: of none, what it means.
    pub(super) fn summed_up(&self, answer: &str) -> String {
        let meaning = self.effects.iter().find_map(|effect| match effect {
            Effect::Value(path) if answer.is_empty() => without(path),
            _ => None,
        });
        match (&self.answers, meaning) {
            (Answers::Text { .. }, Some(meaning)) => format!("{NONE}: {meaning}"),
            _ => self.shown(answer),
        }
    }

    /// The question as it is put to somebody.
    pub(super) fn query(&self) -> Query {
        let form = match &self.answers {
            Answers::Choice(choices) => Form::Menu {
                options: choices.iter().map(|choice| choice.label.clone()).collect(),
                chosen: (choices.iter())
                    .position(|choice| Some(&choice.value) == self.proposal.as_ref())
                    .unwrap_or(0),
            },
            Answers::Text { .. } | Answers::YesNo => {
                Form::Line { proposal: self.proposal.as_ref().map(|text| self.shown(text)) }
            }
        };
        Query { title: self.title.clone(), help: self.help.clone(), form }
    }
}

/// What happens without a setting.
fn without(path: &str) -> Option<&'static str> {
    match at(path)?.setting.need {
        Need::Optional(without) => Some(without),
        Need::Required | Need::Default(_) => None,
    }
}

/// The values of a setting that has a few, each with its meaning.
pub(super) fn values(path: &str) -> Vec<Choice> {
    let Some(Kind::Choice(choices)) = at(path).map(|named| named.setting.kind) else { return Vec::new() };
    choices.iter().map(|(value, meaning)| Choice::new(*value, format!("{value}:{meaning}"))).collect()
}
