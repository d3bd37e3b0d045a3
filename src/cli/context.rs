//! What a run knows: settings merged from flags, environment and inventory, and the connection, made when first needed.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::{
    Code, Failure, Printer, Prompter, Query, Reply,
    output::{Color, Output, OutputParser, Verbosity},
};
use crate::{
    certificates::given,
    domain::names::NamespaceName,
    inventory::{Checked, Given, Inventory},
    k8s::{
        Notice,
        client::{Connection, Target},
    },
    pki::Authority,
    roles::{self, Files},
};

/// Flags that every verb takes, as typed. Each has an environment variable; the flag wins.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The inventory: a TOML file that describes the installation
    #[arg(short, long, global = true, env = "PGHERD_INVENTORY", hide_env_values = true, value_name = "FILE")]
    pub inventory: Option<PathBuf>,
    /// The context of the kube config to use [default: its current one]
    #[arg(long, global = true, env = "PGHERD_CONTEXT", hide_env_values = true, value_name = "NAME")]
    pub context: Option<String>,
    /// The kube config to use [default: $KUBECONFIG, then ~/.kube/config]
    #[arg(long, global = true, env = "PGHERD_KUBECONFIG", hide_env_values = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Set one setting of the inventory for this run, such as `defaults.replicas=2`; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// The namespace to work in
    #[arg(short, long, global = true, env = "PGHERD_NAMESPACE", hide_env_values = true, value_name = "NAME")]
    pub namespace: Option<NamespaceName>,
    /// The form of the result
    #[arg(
        short,
        long,
        global = true,
        env = "PGHERD_OUTPUT",
        hide_env_values = true,
        value_parser = OutputParser,
        default_value = "table",
        hide_possible_values = true,
        value_name = "table|json|yaml"
    )]
    pub output: Output,
    /// Answer every question with yes
    #[arg(short, long, global = true, env = "PGHERD_YES", hide_env_values = true)]
    pub yes: bool,
    /// Tell nothing but the result and failures
    #[arg(
        short,
        long,
        global = true,
        env = "PGHERD_QUIET",
        hide_env_values = true,
        conflicts_with = "verbose"
    )]
    pub quiet: bool,
    /// Tell more; twice for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// How long to wait for something to become ready, such as 90s or 5m [default: 5m]
    #[arg(long, global = true, env = "PGHERD_TIMEOUT", hide_env_values = true, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// When to use colour
    #[arg(
        long,
        global = true,
        env = "PGHERD_COLOR",
        hide_env_values = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "auto|always|never"
    )]
    pub color: Color,
}

impl Globals {
    /// How much to tell.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, more) => Verbosity::Verbose(more),
        }
    }
}

/// The environment's variables; one that is no text can't be a setting.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration =
        text.parse().map_err(|_| "write it like 90s, 5m or 1h30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a duration can't be negative".to_owned())
}

/// What is in force for this run. This is the one place where flag, environment, inventory and default meet, in that
/// order of precedence (clap has merged the first two).
#[derive(Debug)]
pub struct Settings {
    /// The inventory's file, when one was named.
    pub inventory: Option<PathBuf>,
    /// Settings of the inventory that flags and variables give.
    pub given: Vec<Given>,
    /// How to find the API server, as far as flags and variables say.
    pub target: Target,
    /// The namespace to work in, when one was named.
    pub namespace: Option<NamespaceName>,
    /// Whether every question is answered with yes.
    pub yes: bool,
    /// How long to wait for something to become ready.
    pub timeout: Duration,
    /// The file or folder that a verb writes, when one was named.
    pub out: Option<PathBuf>,
}

impl Settings {
    const TIMEOUT: Duration = Duration::from_mins(5);

    /// Settings from what was typed.
    #[must_use]
    pub fn from_globals(globals: Globals) -> Self {
        let Globals {
            inventory,
            context,
            kubeconfig,
            settings,
            namespace,
            yes,
            timeout,
            output,
            // These shape the printer, which exists before the settings do.
            quiet: _,
            verbose: _,
            color: _,
        } = globals;
        Self {
            inventory,
            given: settings
                .into_iter()
                .map(Given::Flag)
                .chain(Given::from_environment(environment()))
                .collect(),
            target: Target { kubeconfig, context, in_cluster: false },
            namespace,
            yes,
            timeout: timeout.unwrap_or(Self::TIMEOUT),
            out: output.path().map(Path::to_owned),
        }
    }
}

/// What verbs get: settings, the printer, somebody to ask, and the cluster.
#[derive(Debug)]
pub struct Context {
    /// What is in force for this run.
    pub settings: Settings,
    /// The only way to write.
    pub printer: Printer,
    prompter: Arc<dyn Prompter>,
    inventory: OnceLock<Checked>,
    connection: OnceCell<Connection>,
    /// Whether a program that was started takes the terminal's interrupts.
    child: AtomicBool,
    /// What an interrupted run still has to do.
    cleanup: Cleanup,
}

/// Work for the end of a run that is interrupted.
#[derive(Default)]
struct Cleanup(Mutex<Option<BoxFuture<'static, ()>>>);

impl std::fmt::Debug for Cleanup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cleanup")
    }
}

impl Context {
    /// A context that has not connected yet.
    #[must_use]
    pub fn new(settings: Settings, printer: Printer, prompter: Box<dyn Prompter>) -> Self {
        Self {
            settings,
            printer,
            prompter: prompter.into(),
            inventory: OnceLock::new(),
            connection: OnceCell::new(),
            child: AtomicBool::new(false),
            cleanup: Cleanup::default(),
        }
    }

    /// What is to be done if the run is interrupted from now on.
    pub fn when_interrupted(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.cleanup.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(work));
    }

    /// Does that. A second interrupt ends it.
    pub(super) async fn clean_up(&self) {
        let work = self.cleanup.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(work) = work else { return };
        tokio::select! {
            () = work => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }

    /// From now on an interrupt from the terminal is for a program that was started, which gets it too: psql, for one, only
    /// cancels a statement.
    pub fn leave_interrupts_to_child(&self) {
        self.child.store(true, Ordering::Relaxed);
    }

    /// Whether that is so.
    #[must_use]
    pub fn interrupts_are_for_child(&self) -> bool {
        self.child.load(Ordering::Relaxed)
    }

    /// The connection to the cluster, made and checked on the first call.
    ///
    /// # Errors
    /// When no API server can be found, reached or authenticated to.
    pub async fn connection(&self) -> Result<&Connection, Failure> {
        let target = self.target()?;
        let printer = self.printer.clone();
        let notice = Notice::new(move |text| printer.line(&format!("… {text}")));
        Ok(self.connection.get_or_try_init(|| Connection::open(&target, Some(notice))).await?)
    }

    /// A client for a service: it learns at once that the API server is away, and decides itself what that means.
    ///
    /// # Errors
    /// When no API server can be found, reached or authenticated to.
    pub async fn service_client(&self) -> Result<kube::Client, Failure> {
        Ok(Connection::open(&self.target()?, None).await?.client)
    }

    /// How to find the API server: as flags and variables say, or else as the inventory does.
    fn target(&self) -> Result<Target, Failure> {
        let mut target = self.settings.target.clone();
        if self.settings.inventory.is_none() {
            return Ok(target);
        }
        if target.context.is_none() && target.kubeconfig.is_none() {
            let kubernetes = &self.inventory()?.inventory.kubernetes;
            let folder = self.inventory_folder();
            target.in_cluster = kubernetes.in_cluster;
            target.context = kubernetes.context.as_ref().map(ToString::to_string);
            target.kubeconfig = kubernetes.kubeconfig.as_ref().map(|path| folder.join(path.as_str()));
        }
        Ok(target)
    }

    /// The client of [`Self::connection`].
    ///
    /// # Errors
    /// When no API server can be found, reached or authenticated to.
    pub async fn client(&self) -> Result<kube::Client, Failure> {
        Ok(self.connection().await?.client.clone())
    }

    /// The inventory that was named, with where its settings come from and what may not be as meant. It is read once, so that
    /// a run doesn't mix two states of the file.
    ///
    /// # Errors
    /// When none was named, it can't be read, or it has mistakes.
    pub fn inventory(&self) -> Result<&Checked, Failure> {
        if let Some(checked) = self.inventory.get() {
            return Ok(checked);
        }
        let checked = Checked::load(&self.inventory_file(None)?, &self.settings.given)?;
        Ok(self.inventory.get_or_init(|| checked))
    }

    /// What an installation needs of the files that the inventory names.
    ///
    /// # Errors
    /// When one can't be read, or isn't what it should be.
    pub fn files(&self, inventory: &Inventory) -> Result<Files, Failure> {
        Ok(Files::read(inventory, self.inventory_folder())?.with_authority(self.authority(inventory)?))
    }

    /// The folder that paths in the inventory are relative to.
    #[must_use]
    pub fn inventory_folder(&self) -> &Path {
        self.settings.inventory.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// The inventory in a file, or else the one that was named.
    ///
    /// # Errors
    /// When none was named, it can't be read, or it has mistakes.
    pub fn checked(&self, file: Option<PathBuf>) -> Result<(PathBuf, Checked), Failure> {
        let path = self.inventory_file(file)?;
        let checked = Checked::load(&path, &self.settings.given)?;
        Ok((path, checked))
    }

    /// The authority of the user's, from the files that an inventory names, relative to its folder.
    ///
    /// # Errors
    /// When a file can't be read, or what is in them can't be used.
    pub fn authority(&self, inventory: &Inventory) -> Result<Option<Arc<Authority>>, Failure> {
        // Of an inventory from a record, nobody knows where its files are.
        if self.settings.inventory.is_none() {
            return Ok(None);
        }
        let files = roles::certificates::files(&inventory.tls, self.inventory_folder());
        Ok(files.map(|files| given::read(&files, Timestamp::now())).transpose()?)
    }

    fn inventory_file(&self, file: Option<PathBuf>) -> Result<PathBuf, Failure> {
        file.or_else(|| self.settings.inventory.clone()).ok_or_else(|| {
            Failure::new(Code::InventoryMissing, "no inventory was named")
                .next("Name its file with `-i FILE` or in PGHERD_INVENTORY.")
        })
    }

    /// Asks a yes-or-no question; `--yes` answers it. Anything but yes is a failure, so that callers can't go on by
    /// mistake.
    ///
    /// # Errors
    /// When the answer is no, or nobody is there to ask.
    pub async fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.settings.yes {
            return Ok(());
        }
        let question = question.to_owned();
        let agreed = self.ask(move |prompter| prompter.confirm(&question)).await?;
        agreed.then_some(()).ok_or_else(|| Failure::new(Code::Declined, "not confirmed; nothing was changed"))
    }

    /// Asks for a name to be typed before something is destroyed; `--yes` answers it.
    ///
    /// # Errors
    /// When something else is typed, or nobody is there to ask.
    pub async fn confirm_by_name(&self, question: &str, name: &str) -> Result<(), Failure> {
        if self.settings.yes {
            return Ok(());
        }
        let question = question.to_owned();
        let typed = self.ask(move |prompter| prompter.text(&question)).await?;
        (typed.trim() == name).then_some(()).ok_or_else(|| {
            Failure::new(Code::Declined, format!("{name:?} was not typed; nothing was changed"))
        })
    }

    /// Whether somebody is there to answer questions.
    #[must_use]
    pub fn has_prompter(&self) -> bool {
        self.prompter.is_present()
    }

    /// Leaves the terminal as it was before a question that nobody waits for any longer, and asks nothing any more.
    pub fn close_terminal(&self) {
        self.prompter.close();
    }

    /// Asks one of several questions, from which there is a way back.
    ///
    /// # Errors
    /// When nobody is there to ask, or the answer is an interrupt.
    pub async fn query(&self, query: Query) -> Result<Reply, Failure> {
        self.ask(move |prompter| prompter.ask(&query)).await
    }

    /// The terminal blocks, so the question waits in a thread of its own and the run stays interruptible.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Prompter) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let prompter = Arc::clone(&self.prompter);
        tokio::task::spawn_blocking(move || question(prompter.as_ref())).await.map_err(Failure::internal)?
    }
}
