//! `pgherd inventory explain`.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    cli::{Code, Context, Exit, Failure, output::wrap},
    inventory::{
        catalogue::{self, Search},
        setting::{Kind, Named, Need},
    },
};

/// Explains a setting.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Such as `storage1.size`, `defaults.port`, or `pgo_operator_namespace` of a 4.x inventory
    key: String,
}

#[derive(Serialize)]
struct Explained<'a> {
    key: &'a str,
    meaning: &'a str,
    values: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<&'static str>,
    required: bool,
    since: &'static str,
    effective: bool,
    names_in_4x: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<String>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let found = match catalogue::find(&self.key) {
            Search::Found(found) => found,
            Search::Unknown(near) => {
                let failure =
                    Failure::new(Code::SettingMissing, format!("there is no setting {:?}", self.key));
                return Err(match near {
                    Some(near) => failure.next(format!("Did you mean `{near}`?")),
                    None => failure.next("`pgherd inventory show --resolved` lists all settings."),
                });
            }
        };
        let explained: Vec<Explained<'_>> = found.iter().map(|named| explain(named)).collect();
        context.printer.result(&explained, || {
            explained
                .iter()
                .zip(&found)
                .map(|(explained, named)| text(explained, named))
                .collect::<Vec<_>>()
                .join("\n")
        })?;
        Ok(Exit::Success)
    }
}

fn explain(named: &Named) -> Explained<'_> {
    let Named { path, setting } = named;
    let inside = match setting.kind {
        Kind::Table(inner) => inner.iter().map(|inner| format!("{path}.{}", inner.key)).collect(),
        _ => Vec::new(),
    };
    Explained {
        key: path,
        meaning: setting.meaning.trim(),
        values: setting.kind.describe(),
        default: setting.default(),
        without: match setting.need {
            Need::Optional(without) => Some(without),
            Need::Required | Need::Default(_) => None,
        },
        required: setting.need == Need::Required,
        since: setting.since,
        effective: setting.effective,
        names_in_4x: setting.old,
        settings: inside,
    }
}

fn text(explained: &Explained<'_>, named: &Named) -> String {
    let mut text = format!("{}\n", explained.key);
    for line in wrap(explained.meaning, 78) {
        let _ = writeln!(text, "  {line}");
    }
    let mut field = |name: &str, value: &str| {
        for (index, line) in wrap(value, 68).into_iter().enumerate() {
            let _ = writeln!(text, "  {:9} {line}", if index == 0 { name } else { "" });
        }
    };
    match named.setting.kind {
        Kind::Choice(choices) => {
            for (index, (choice, meaning)) in choices.iter().enumerate() {
                field(if index == 0 { "values" } else { "" }, &format!("\"{choice}\": {}", meaning.trim()));
            }
        }
        Kind::Table(_) => field("settings", &explained.settings.join(", ")),
        _ => field("values", &explained.values.replace('`', "")),
    }
    match named.setting.need {
        Need::Required => field("default", "none: it has to be there"),
        Need::Default(value) => field("default", value),
        Need::Optional(without) => field("without", without),
    }
    if !explained.names_in_4x.is_empty() {
        field("in 4.x", &explained.names_in_4x.join(", "));
    }
    field("since", explained.since);
    if !explained.effective {
        field("note", "this version does nothing with it yet");
    }
    text
}
