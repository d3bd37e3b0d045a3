//! One run of the wizard: puts the questions to somebody or answers them itself, and looks at the cluster.

use kube::Client;

use super::{
    changes::changes,
    draft::{Draft, told},
    file::File,
    interview::{Interview, Step},
    look,
    question::{Effect, Id, Question},
};
use crate::{
    cli::{Code, Context, Failure, Form, Query, Reply, output::wrap},
    k8s::client::{Connection, Target},
};

/// What the summary is left with.
enum Decision {
    Write,
    Ask,
}

/// One run of the wizard.
pub(super) struct Run<'a> {
    context: &'a Context,
    target: Target,
    interview: Interview,
    /// The cluster that was looked at last.
    client: Option<Client>,
}

impl<'a> Run<'a> {
    /// The beginning.
    pub(super) fn new(context: &'a Context, target: Target, interview: Interview) -> Self {
        Self { context, target, interview, client: None }
    }

    /// The inventory that the answers come to.
    pub(super) fn draft(&self) -> Draft {
        self.interview.draft()
    }

    /// Answers every question with what is proposed.
    pub(super) async fn guess(&mut self) -> Result<(), Failure> {
        loop {
            match self.interview.step() {
                Step::Look(name) => self.look(name).await,
                Step::Ask(question) => {
                    if question.proposal.is_none() {
                        return Err(cannot_guess(&question));
                    }
                    let warnings = self.interview.reply(&question, &taken(&question)).map_err(|why| {
                        Failure::new(Code::Inventory, format!("{}: {why}", question.title))
                            .next("Say something else with `--set KEY=VALUE`.")
                    })?;
                    for warning in warnings {
                        self.context.printer.warning(&warning);
                    }
                }
                Step::Finished => {
                    for concern in self.concerns().await {
                        self.context.printer.warning(&concern);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Asks.
    pub(super) async fn converse(&mut self, file: &File) -> Result<(), Failure> {
        let does = if file.text.is_some() { "changes" } else { "writes" };
        self.say(&format!(
            "This {does} {}. Enter takes what is in brackets, `-` stands for none, `<` or Esc goes back, and Ctrl-C leaves \
             without writing anything.",
            file.path.display()
        ));
        loop {
            match self.interview.step() {
                Step::Look(name) => self.look(name).await,
                Step::Ask(question) => {
                    let reply = self.context.query(question.query()).await?;
                    match self.interview.reply(&question, &reply) {
                        Ok(warnings) => warnings.iter().for_each(|warning| self.remark(warning)),
                        Err(why) => self.remark(&format!("✗ {why}")),
                    }
                }
                Step::Finished if self.context.settings.yes => {
                    for line in self.changed(file)? {
                        self.context.printer.line(&line);
                    }
                    return Ok(());
                }
                Step::Finished => match self.decide(file).await? {
                    Decision::Write => return Ok(()),
                    Decision::Ask => {}
                },
            }
        }
    }

    /// Shows everything, and asks what to do with it.
    async fn decide(&mut self, file: &File) -> Result<Decision, Failure> {
        let mut help = self.changed(file)?;
        help.extend(self.concerns().await);
        match self.interview.draft().check(&file.path, &[]) {
            Ok(checked) => help.extend(checked.warnings.mistakes().iter().map(told)),
            Err(report) => {
                // What is missing may be in a table that no question is about.
                self.say(&report.render(self.context.printer.colored()));
                help.push("With these mistakes it can't be written.".to_owned());
            }
        }
        let summary = self.interview.summary();
        let mut options = vec![format!("Write {}", file.path.display())];
        options.extend(summary.iter().map(|(_, title, answer)| format!("  {title}: {answer}")));
        options.push("Leave without writing".to_owned());
        let last = options.len() - 1;
        let title = "Is this right? Choose an answer to change it.".to_owned();
        let form = Form::Menu { options, chosen: 0 };
        match self.context.query(Query { title, help, form }).await? {
            Reply::Chosen(0) => {
                let right = self.interview.draft().check(&file.path, &[]).is_ok();
                Ok(if right { Decision::Write } else { Decision::Ask })
            }
            Reply::Chosen(number) if number == last => {
                Err(Failure::new(Code::Declined, "left without writing anything"))
            }
            Reply::Chosen(number) => {
                if let Some((id, ..)) = summary.get(number - 1) {
                    self.interview.change(*id);
                }
                Ok(Decision::Ask)
            }
            Reply::Back | Reply::Line(_) => {
                self.interview.reopen();
                Ok(Decision::Ask)
            }
        }
    }

    /// What changes in a file that was there before.
    fn changed(&self, file: &File) -> Result<Vec<String>, Failure> {
        if file.text.is_none() {
            return Ok(Vec::new());
        }
        let changes = changes(&file.draft()?, &self.interview.draft());
        let title = if changes.is_empty() { "Nothing changes in it." } else { "What changes in it:" };
        let lines = changes.iter().map(ToString::to_string);
        Ok(std::iter::once(title.to_owned()).chain(lines).collect())
    }

    /// Looks at the cluster of a context. What can't be seen is told, and the wizard goes on without it.
    async fn look(&mut self, name: Option<String>) {
        let target =
            Target { context: name.clone().or_else(|| self.target.context.clone()), ..self.target.clone() };
        let (client, cluster) = match Connection::open(&target, None).await {
            Ok(connection) => {
                let cluster = look::cluster(&connection).await;
                self.context.printer.line("");
                for line in cluster.told() {
                    self.context.printer.line(&line);
                }
                (Some(connection.client), Some(cluster))
            }
            Err(error) => {
                let warning = format!("{error}; proposals come without having looked at a cluster");
                self.context.printer.warning(&warning);
                (None, None)
            }
        };
        self.client = client;
        self.interview.saw(name, cluster);
    }

    /// What is worth a second thought.
    async fn concerns(&self) -> Vec<String> {
        let ours = self.interview.installed();
        let mut concerns = Vec::new();
        if let Some(client) = &self.client {
            match look::missing_rights(client, &ours, self.interview.follows_namespaces()).await {
                Ok(missing) if missing.is_empty() => {}
                Ok(missing) => concerns
                    .push(format!("you may not install here; you lack the rights to {}", missing.join("; "))),
                Err(why) => concerns.push(format!("whether you may install here can't be seen: {why}")),
            }
        }
        concerns.extend(self.interview.cluster().into_iter().flat_map(|cluster| cluster.concerns(&ours)));
        concerns
    }

    fn say(&self, text: &str) {
        for line in wrap(text, 78) {
            self.context.printer.line(&line);
        }
    }

    /// Says something about an answer, below it.
    fn remark(&self, text: &str) {
        for line in wrap(text, 76) {
            self.context.printer.line(&format!("  {line}"));
        }
    }
}

/// The proposal as an answer.
fn taken(question: &Question) -> Reply {
    match question.query().form {
        Form::Line { .. } => Reply::Line(String::new()),
        Form::Menu { chosen, .. } => Reply::Chosen(chosen),
    }
}

fn cannot_guess(question: &Question) -> Failure {
    let failure = Failure::new(Code::Usage, format!("{:?} can't be guessed", question.title));
    let setting = |effect: &&Effect| matches!(effect, Effect::Value(_) | Effect::ValueUnless { .. });
    let path = question.effects.iter().find(setting).map(Effect::path);
    match (question.id, path) {
        (Id::Context, _) => failure
            .because("The kube config has several contexts, and none of them is its current one.")
            .next("Name one with `--context`."),
        (Id::Class(_), Some(path)) => failure
            .because("The cluster has no default storage class, and not exactly one class either.")
            .next(format!("Say it with `--set {path}=NAME`, or run without `--defaults`.")),
        (_, Some(path)) => {
            failure.next(format!("Say it with `--set {path}=VALUE`, or run without `--defaults`."))
        }
        (_, None) => failure.next("Run without `--defaults`."),
    }
}
