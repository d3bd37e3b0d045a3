//! Pages that are generated from the program, kept current: `PGHERD_UPDATE_DOCS=1 cargo test` writes them.

use std::fmt::Write as _;

use clap::CommandFactory as _;
use pgherd::{checks, cli, inventory, roles};

fn assert_current(path: &str, content: &str) {
    let file = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("PGHERD_UPDATE_DOCS").is_some() {
        fs_err::write(&file, content).unwrap();
    }
    let committed = fs_err::read_to_string(&file).unwrap_or_default();
    assert!(committed == content, "{path} is out of date: run the tests with PGHERD_UPDATE_DOCS=1");
}

#[test]
fn exit_codes() {
    assert_current("docs/reference/exit-codes.md", &cli::Exit::reference());
}

#[test]
fn permissions() {
    assert_current("docs/reference/permissions.md", &roles::permissions::reference());
}

#[test]
fn checks() {
    assert_current("docs/reference/checks.md", &checks::reference());
}

#[test]
fn commands() {
    let options = clap_markdown::MarkdownOptions::new().title("Commands".to_owned()).show_footer(false);
    let page = clap_markdown::help_markdown_command_custom(&cli::Cli::command(), &options);
    assert_current("docs/reference/commands.md", &page);
}

#[test]
fn inventory() {
    assert_current("docs/reference/inventory.md", &inventory::reference::reference());
}

#[test]
fn inventory_errors() {
    assert_current("docs/reference/inventory-errors.md", &inventory::examples::reference());
}

#[test]
fn inventory_schema() {
    let schema = serde_json::to_string_pretty(&inventory::schema::schema()).unwrap();
    assert_current("manifests/inventory.schema.json", &format!("{schema}\n"));
}

#[test]
fn error_codes() {
    let mut page = String::from(
        "# Codes of errors\n\nA code keeps its meaning in all later versions.\n\n## In an inventory\n\n\
         | code | meaning |\n| --- | --- |\n",
    );
    for code in inventory::Code::all() {
        writeln!(page, "| {} | {} |", code.id(), code.meaning()).unwrap();
    }
    page.push_str("\n## Elsewhere\n\n| code | exit | meaning |\n| --- | ---: | --- |\n");
    for code in cli::Code::all() {
        writeln!(page, "| {} | {} | {} |", code.id(), code.exit().code(), code.meaning()).unwrap();
    }
    assert_current("docs/reference/errors.md", &page);
}
