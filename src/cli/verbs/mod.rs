//! The verbs, one file each.

pub mod certs;
pub mod check;
pub mod completion;
pub mod create;
mod defaults;
pub mod delete;
pub mod explain;
pub mod images;
pub mod init;
pub mod install;
mod introduction;
pub mod inventory;
pub mod operator;
pub mod plan;
pub mod psql;
pub mod render;
pub mod show;
pub mod status;
pub mod takeover;
mod target;
pub mod uninstall;
pub mod update;
pub mod version;

use std::path::Path;

use clap::Subcommand;

use super::{Context, Exit, Failure, output::OutputParser};

/// What pgherd can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look after database clusters; this is what runs in the cluster
    Operator(operator::Args),
    /// Write an inventory, or change one: a wizard that looks at the cluster and asks
    Init(init::Args),
    /// Look whether an inventory can be installed, and whether what it needs is there
    Check(check::Args),
    /// Install, or bring an installation to what its inventory says
    Install(install::Args),
    /// Bring an installation to this version and to what its inventory says
    Update(update::Args),
    /// Tell what install or update would do, and write nothing
    Plan(plan::Args),
    /// Tell how an installation is: versions, health, clusters, certificates
    Status(status::Args),
    /// Write what would be installed as files, without a cluster
    Render(render::Args),
    /// List every image that an inventory uses
    Images(images::Args),
    /// Take an installation back; clusters, data and namespaces go only when told
    Uninstall(uninstall::Args),
    /// Show, renew, replace and export certificates
    Certs(certs::Args),
    /// Create a database cluster
    Create(create::Args),
    /// Show database clusters and their users
    Show(show::Args),
    /// Delete a database cluster
    Delete(delete::Args),
    /// Let another instance of a database cluster become the primary, in order
    Switchover(takeover::Args),
    /// Make an instance the primary without asking the one that is
    Failover(takeover::Args),
    /// Open a session with a database cluster
    Psql(psql::Args),
    /// Work on an inventory, without a cluster
    Inventory(inventory::Args),
    /// Explain the code of an error or a warning
    Explain(explain::Args),
    /// Tell the versions of this program and of the cluster
    Version(version::Args),
    /// Print a completion script for a shell
    Completion(completion::Args),
}

/// What a verb leaves besides its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Nothing.
    Nothing,
    /// A file.
    File,
    /// A folder.
    Folder,
}

impl Writes {
    /// Whether it can be written there. A folder may have any name; that of a file needs a dot or slash, so that a slip in
    /// the name of a form doesn't become a file.
    #[must_use]
    pub fn takes(self, path: &Path) -> bool {
        match self {
            Self::Nothing => false,
            Self::File => OutputParser::is_written_as_path(path),
            Self::Folder => true,
        }
    }
}

impl Verb {
    /// Whether the verb is a service: it handles signals itself and logs for machines.
    #[must_use]
    pub fn serves(&self) -> bool {
        matches!(self, Self::Operator(_))
    }

    /// What `-o` can name besides the form of the result.
    #[must_use]
    pub fn writes(&self) -> Writes {
        match self {
            Self::Init(_) => Writes::File,
            Self::Inventory(args) if args.writes_file() => Writes::File,
            Self::Certs(args) if args.writes_file() => Writes::File,
            Self::Render(_) => Writes::Folder,
            _ => Writes::Nothing,
        }
    }

    /// What an interrupt leaves behind.
    #[must_use]
    pub fn after_interrupt(&self) -> &'static str {
        match self {
            Self::Init(_) => "Nothing was written.",
            Self::Check(_) => {
                "Nothing stays of a check; what a probe left, the next `check --probe` removes."
            }
            _ => "What was done by now stays; the same command goes on from there.",
        }
    }

    /// Carries the verb out.
    ///
    /// # Errors
    /// Whatever the verb fails with.
    pub async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Operator(args) => args.run(context).await,
            Self::Init(args) => args.run(context).await,
            Self::Check(args) => args.run(context).await,
            Self::Install(args) => args.run(context).await,
            Self::Update(args) => args.run(context).await,
            Self::Plan(args) => args.run(context).await,
            Self::Status(args) => args.run(context).await,
            Self::Render(args) => args.run(context),
            Self::Images(args) => args.run(context),
            Self::Uninstall(args) => args.run(context).await,
            Self::Certs(args) => args.run(context).await,
            Self::Create(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Delete(args) => args.run(context).await,
            Self::Switchover(args) => args.switch_over(context).await,
            Self::Failover(args) => args.fail_over(context).await,
            Self::Psql(args) => args.run(context).await,
            Self::Inventory(args) => args.run(context),
            Self::Explain(args) => args.run(context),
            Self::Version(args) => args.run(context).await,
            Self::Completion(args) => args.run(context),
        }
    }
}
