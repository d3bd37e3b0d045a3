//! The pages for users, followed from top to bottom: every command in their consoles runs and succeeds.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::cluster::Installation;

/// Pages in the order in which a user would need them.
const PAGES: [&str; 9] = [
    "check.md",
    "install.md",
    "update.md",
    "create-a-cluster.md",
    "connect.md",
    "certificates.md",
    "delete-a-cluster.md",
    "apply-a-manifest.md",
    "uninstall.md",
];

/// What is run after a page, so that the next one finds what it begins with.
fn afterwards(page: &str) -> &'static [&'static str] {
    if page == "apply-a-manifest.md" { &["pgherd delete cluster hippo -n postgres-operator"] } else { &[] }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_pages_works() {
    let Some(installation) = Installation::new("pages").await else { return };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut ran = 0;
    for page in PAGES {
        let text = fs_err::read_to_string(docs.join(page)).unwrap();
        if let Some(manifest) =
            blocks(&text, "yaml").into_iter().find(|block| block.contains("kind: PostgresCluster"))
        {
            installation.sandbox.file("hippo.yaml", &manifest);
        }
        let consoles = blocks(&text, "console");
        let commands =
            consoles.iter().flat_map(|block| block.lines()).filter_map(|line| line.strip_prefix("$ "));
        for command in commands.chain(afterwards(page).iter().copied()) {
            run(&installation, page, command);
            ran += 1;
        }
    }
    assert!(ran >= 15, "only {ran} commands were found");
}

/// The fenced blocks of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| Some(rest.split("```").next()?.to_owned())).collect()
}

/// Runs a command as its reader would in a shell, with this installation's names in place of the page's.
fn run(installation: &Installation, page: &str, command: &str) {
    let line = command
        .replace("inventory/minimal.toml", "pgherd.toml")
        .replace("postgres-operator", &installation.databases);
    let program = Path::new(env!("CARGO_BIN_EXE_pgherd")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-ceu", &line])
        .current_dir(installation.sandbox.home())
        .env("PATH", path)
        .env("KUBECONFIG", &installation.cluster.kubeconfig)
        // The answer to every question, and to which of several installations is meant.
        .env("PGHERD_YES", "true")
        .env("PGHERD_NAMESPACE", &installation.home)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{page}: {line}\n{}{}", said(&output.stdout), said(&output.stderr));
}
