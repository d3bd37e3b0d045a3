//! The reference page of inventories, from the same descriptions as everything else.

use std::fmt::Write as _;

use super::{
    catalogue,
    setting::{Kind, Need, Setting},
};

/// The whole page, as Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# The inventory\n\n\
         A TOML file that describes one installation. `pgherd inventory check FILE` shows all its mistakes at once, each with its\n\
         place and a [code](inventory-errors.md); keys that are not listed here are mistakes. `pgherd inventory explain KEY` says\n\
         the same as this page, also for names of the 4.x installer. `pgherd inventory schema` prints a JSON Schema for editors,\n\
         which is also in [`manifests/inventory.schema.json`](../../manifests/inventory.schema.json).\n\n\
         Each setting can also be given as a flag (`--set storage1.size=5Gi`) or as a variable of the environment\n\
         (`PGHERD_STORAGE1__SIZE=5Gi`, with two underscores for each dot). A flag wins over a variable, a variable over the file.\n\n\
         A secret is best kept out of the file: `{ file = \"PATH\" }` names a file, `{ env = \"VARIABLE\" }` a variable of the\n\
         environment. Paths are relative to the inventory's folder.\n\n\
         Settings marked with ° are read and checked, but this version does nothing with them yet.\n",
    );
    for table in catalogue::tables() {
        section(&mut page, &table, table.key);
    }
    page
}

fn section(page: &mut String, table: &Setting, path: &str) {
    let Kind::Table(settings) = table.kind else { return };
    let _ = write!(page, "\n## {path}\n\n{}\n\n", table.meaning.trim().replace('<', "\\<"));
    page.push_str("| key | meaning | values | default | in 4.x |\n| --- | --- | --- | --- | --- |\n");
    for setting in settings.iter().filter(|setting| !matches!(setting.kind, Kind::Table(_))) {
        let mark = if setting.effective { "" } else { "°" };
        let default = match setting.need {
            Need::Required => "**required**".to_owned(),
            Need::Default(value) => format!("`{value}`"),
            Need::Optional(without) => without.to_owned(),
        };
        let old: Vec<String> = setting.old.iter().map(|old| format!("`{old}`")).collect();
        let _ = writeln!(
            page,
            "| `{}`{mark} | {} | {} | {default} | {} |",
            setting.key,
            setting.meaning.trim(),
            values(&setting.kind),
            old.join(", "),
        );
    }
    for inner in settings {
        section(page, inner, &format!("{path}.{}", inner.key));
    }
}

fn values(kind: &Kind) -> String {
    match kind {
        Kind::Choice(choices) => {
            let each: Vec<String> =
                choices.iter().map(|(name, meaning)| format!("`\"{name}\"`: {}", meaning.trim())).collect();
            each.join("<br>")
        }
        Kind::Secret => "a secret".to_owned(),
        kind => kind.describe(),
    }
}
