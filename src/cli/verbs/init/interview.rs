//! The course of the questions: which one is next, what an answer leads to, and the way back. Pure: what is seen and what is
//! answered comes from outside.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    draft::{Draft, told},
    question::{Answers, Effect, Id, Question},
    questions::{View, questions},
    seen::{Cluster, Installed},
};
use crate::{
    cli::Reply,
    inventory::{ImageName, Level, NamespaceMode},
    k8s::client::Contexts,
};

/// What is known before the first question.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// The file that is written.
    pub(super) file: PathBuf,
    /// Contexts to choose from; empty when there is nothing to choose.
    pub(super) contexts: Contexts,
    /// The namespace that the command line names.
    pub(super) namespace: Option<String>,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Step {
    /// The cluster of this context has to be looked at; without one, that of the current context.
    Look(Option<String>),
    /// This has to be asked.
    Ask(Box<Question>),
    /// Everything is answered.
    Finished,
}

/// The questions, the answers, and the way here.
#[derive(Debug)]
pub(super) struct Interview {
    facts: Facts,
    /// The inventory before the first question.
    start: Draft,
    example: Draft,
    /// The context that was looked at, and what was seen.
    seen: Option<(Option<String>, Option<Cluster>)>,
    /// Every answer that was ever given, so that it can be proposed again.
    answers: BTreeMap<Id, String>,
    /// Questions whose answers stand, in the order in which they were given.
    past: Vec<Id>,
    /// The question that is asked once more from the summary.
    changing: Option<Id>,
}

impl Interview {
    /// The beginning.
    pub(super) fn new(facts: Facts, start: Draft, example: Draft) -> Self {
        let (answers, past) = (BTreeMap::new(), Vec::new());
        Self { facts, start, example, seen: None, answers, past, changing: None }
    }

    fn questions(&self) -> Vec<Question> {
        questions(&View {
            draft: &self.start,
            example: &self.example,
            contexts: &self.facts.contexts,
            cluster: self.cluster(),
            namespace: self.facts.namespace.as_deref(),
            answers: &self.answers,
        })
    }

    /// What was seen of the cluster.
    pub(super) fn cluster(&self) -> Option<&Cluster> {
        self.seen.as_ref().and_then(|(_, cluster)| cluster.as_ref())
    }

    fn stands(&self, question: &Question) -> bool {
        let answer = self.answers.get(&question.id);
        self.past.contains(&question.id) && answer.is_some_and(|answer| question.takes(answer))
    }

    /// What is to be done next.
    pub(super) fn step(&self) -> Step {
        let next = self.questions().into_iter().find(|question| !self.stands(question));
        let context = self.answers.get(&Id::Context).filter(|_| self.past.contains(&Id::Context));
        let looked = self.seen.as_ref().is_some_and(|(seen, _)| seen.as_ref() == context);
        match next {
            Some(question) if question.id == Id::Context => Step::Ask(Box::new(question)),
            _ if !looked => Step::Look(context.cloned()),
            Some(question) => Step::Ask(Box::new(question)),
            None => Step::Finished,
        }
    }

    /// Takes what was seen of the cluster of a context.
    pub(super) fn saw(&mut self, context: Option<String>, cluster: Option<Cluster>) {
        self.seen = Some((context, cluster));
    }

    /// Takes an answer, and gives what is odd about it. Or says why it is none; then the question is next again.
    pub(super) fn reply(&mut self, question: &Question, reply: &Reply) -> Result<Vec<String>, String> {
        let text = match reply {
            Reply::Back => return self.back(question.id).map(|()| Vec::new()),
            Reply::Line(typed) => question.understood(typed)?,
            Reply::Chosen(number) => match &question.answers {
                Answers::Choice(choices) => {
                    choices.get(*number).map(|choice| choice.value.clone()).unwrap_or_default()
                }
                Answers::Text { .. } | Answers::YesNo => String::new(),
            },
        };
        let warnings = self.check(question, &text)?;
        self.answers.insert(question.id, text);
        self.past.retain(|id| *id != question.id);
        self.past.push(question.id);
        self.changing = None;
        Ok(warnings)
    }

    fn back(&mut self, from: Id) -> Result<(), String> {
        if self.changing == Some(from) {
            self.past.push(from);
            self.changing = None;
            return Ok(());
        }
        if self.reopen() {
            return Ok(());
        }
        Err("this is the first question; Ctrl-C leaves without writing anything".to_owned())
    }

    /// Goes back to the question that was answered last. Not so when none was.
    pub(super) fn reopen(&mut self) -> bool {
        let asked: Vec<Id> = self.questions().iter().map(|question| question.id).collect();
        while let Some(id) = self.past.pop() {
            if asked.contains(&id) {
                return true;
            }
        }
        false
    }

    /// Asks a question of the summary once more.
    pub(super) fn change(&mut self, id: Id) {
        self.past.retain(|past| *past != id);
        self.changing = Some(id);
    }

    /// Looks at an answer as the check of the whole inventory would.
    fn check(&self, question: &Question, text: &str) -> Result<Vec<String>, String> {
        let image = matches!(question.id, Id::Operator | Id::Postgres);
        let bare = || text.parse::<ImageName>().is_ok_and(|name| !name.has_version());
        if image && !text.is_empty() && !self.start.has("images.tag") && bare() {
            return Err(format!("\"{text}\" needs a tag or a digest"));
        }
        let variable = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                && !text.starts_with(|first: char| first.is_ascii_digit())
        };
        let environment =
            question.effects.iter().any(|effect| matches!(effect, Effect::Secret { key: "env", .. }));
        if environment && !variable(text) {
            // What was typed may be the secret itself.
            return Err("the name of a variable has letters, digits and \"_\"".to_owned());
        }
        let mut draft = self.draft();
        question.effects.iter().for_each(|effect| effect.apply(text, &mut draft));
        let paths: Vec<&str> = question.effects.iter().map(Effect::path).collect();
        let (errors, warnings): (Vec<_>, Vec<_>) = (draft.mistakes(&paths, &self.facts.file).into_iter())
            .partition(|mistake| mistake.code.level() == Level::Error);
        match errors.first() {
            Some(mistake) => Err(told(mistake)),
            None => Ok(warnings.iter().map(told).collect()),
        }
    }

    /// The inventory that the answers so far come to.
    pub(super) fn draft(&self) -> Draft {
        let mut draft = self.start.clone();
        for question in self.questions().iter().filter(|question| self.stands(question)) {
            let Some(text) = self.answers.get(&question.id) else { continue };
            question.effects.iter().for_each(|effect| effect.apply(text, &mut draft));
        }
        draft
    }

    /// All questions with their answers, as they are shown.
    pub(super) fn summary(&self) -> Vec<(Id, String, String)> {
        let given = |question: Question| {
            let answer = self.answers.get(&question.id)?;
            Some((question.id, question.title.clone(), question.summed_up(answer)))
        };
        self.questions().into_iter().filter(|question| self.stands(question)).filter_map(given).collect()
    }

    /// Whether the operator that the answers describe sees more namespaces than the file names.
    pub(super) fn follows_namespaces(&self) -> bool {
        self.draft().get("namespaces.mode").is_some_and(|mode| mode != NamespaceMode::Disabled.as_str())
    }

    /// The installation that the answers describe.
    pub(super) fn installed(&self) -> Installed {
        let draft = self.draft();
        let text = |path: &str| draft.get(path).unwrap_or_default();
        let namespace = text("installation.namespace");
        let watched = draft.get("namespaces.watched").unwrap_or_else(|| namespace.clone());
        let watched = watched.split(", ").map(str::to_owned).collect();
        Installed { name: text("installation.name"), namespace, watched }
    }
}

#[cfg(test)]
mod tests;
