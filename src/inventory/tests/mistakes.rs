//! Any number of mistakes anywhere: each is reported at its line and column, and nothing else is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use proptest::{prelude::*, sample::Index};

use super::{
    super::setting::{Kind, Named, Need},
    *,
};

/// A setting of a right inventory.
#[derive(Clone, Debug)]
struct Line {
    key: String,
    value: String,
    path: &'static str,
    kind: Kind,
}

/// What to do to it.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    /// A value of a type that no setting has.
    Type,
    /// A value of the right type that is none of those possible.
    Value,
    /// A setting above it that doesn't exist.
    Key,
}

/// Settings that are left out: of two that exclude each other, one is here.
fn excluded(path: &str) -> bool {
    path.starts_with("kubernetes.openshift.") || path == "tls.authority_secret"
}

/// Names that others refer to, and the version that needs an image: a mistake in them is reported once or twice, depending on
/// what else is there.
fn referred(path: &str) -> bool {
    ["storage<ID>.name", "resource<ID>.name"].contains(&path)
}

/// A value that is right, as TOML.
fn right(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true".to_owned(),
        Kind::Integer { least, .. } => least.to_string(),
        Kind::Text { example, .. } => format!("{example:?}"),
        Kind::Choice(choices) => format!("{:?}", choices[0].0),
        Kind::List(inner) => format!("[{}]", right(inner)),
        Kind::Map { .. } => "{}".to_owned(),
        Kind::Secret => "{ env = \"VARIABLE\" }".to_owned(),
        Kind::Table(_) => unreachable!("tables have no value"),
    }
}

fn line(Named { path, setting }: &'static Named) -> Line {
    let value = match path.as_str() {
        "images.postgres" => "{ 17 = \"registry.example.com/postgres:17\" }".to_owned(),
        "defaults.postgres_version" => "17".to_owned(),
        // Not longer than what it belongs to.
        "tls.renew_before" => "\"30d\"".to_owned(),
        "tls.trusted_authorities" => "\"ca.crt\"".to_owned(),
        _ => match setting.need {
            Need::Default(value) => value.to_owned(),
            Need::Required | Need::Optional(_) => right(&setting.kind),
        },
    };
    Line { key: setting.key.to_owned(), value, path, kind: setting.kind }
}

/// The tables of an inventory that has every setting, and these numbers of storages and resources.
fn tables(storages: &BTreeSet<u32>, resources: &BTreeSet<u32>) -> Vec<(String, Vec<Line>)> {
    let mut tables: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for named in catalogue::all() {
        let Some((table, _)) = named.path.rsplit_once('.') else { continue };
        if matches!(named.setting.kind, Kind::Table(_)) || excluded(&named.path) {
            continue;
        }
        let numbers = match table {
            "storage<ID>" => storages.clone(),
            "resource<ID>" => resources.clone(),
            _ => BTreeSet::from([0]),
        };
        for number in numbers {
            let mut line = line(named);
            if referred(&named.path) {
                let numbers = if table == "storage<ID>" { storages } else { resources };
                // The defaults refer to the first one.
                let first = numbers.first() == Some(&number);
                line.value = if first { "\"standard\"".to_owned() } else { format!("\"other-{number}\"") };
            }
            tables.entry(table.replace("<ID>", &number.to_string())).or_default().push(line);
        }
    }
    tables.into_iter().collect()
}

/// Codes that a text of the wrong form has, by what it is to be.
const TEXTS: [&str; 7] =
    ["PG-INV-05", "PG-INV-06", "PG-INV-07", "PG-INV-11", "PG-INV-15", "PG-INV-16", "PG-INV-17"];

/// The line with a mistake in it, where in the line that is, and what it is to be called. None where this can't be done.
fn wrong(line: &Line, mistake: Mistake) -> Option<(String, usize, Vec<&'static str>)> {
    let value = line.key.len() + 4;
    let with = |text: &str| format!("{} = {text}", line.key);
    Some(match mistake {
        Mistake::Key => (format!("no_setting = 1\n{}", with(&line.value)), 1, vec!["PG-INV-02"]),
        _ if referred(line.path) => return None,
        Mistake::Type => (with("1979-05-27"), value, vec!["PG-INV-04"]),
        Mistake::Value => match line.kind {
            Kind::Integer { .. } => (with("-1"), value, vec!["PG-INV-09"]),
            Kind::Choice(_) => (with("\"none of these\""), value, vec!["PG-INV-08"]),
            _ if line.path.starts_with("defaults.resources.") => {
                (with("\"qqqqqqqq\""), value, vec!["PG-INV-13"])
            }
            _ if line.path.starts_with("defaults.storage.") || line.path.ends_with(".storage") => {
                (with("\"qqqqqqqq\""), value, vec!["PG-INV-12"])
            }
            Kind::Text { .. } => (with("\"\""), value, TEXTS.to_vec()),
            _ => return None,
        },
    })
}

/// The text, and what is wrong at which line and column.
type Written = (String, BTreeMap<(usize, usize), Vec<&'static str>>);

fn write(tables: &[(String, Vec<Line>)], chosen: &[(Index, Mistake)], looks: &[(usize, bool)]) -> Written {
    let lines: usize = tables.iter().map(|(_, lines)| lines.len()).sum();
    let chosen: BTreeMap<usize, Mistake> =
        chosen.iter().map(|(index, mistake)| (index.index(lines), *mistake)).collect();
    let (mut text, mut mistakes) = (String::new(), BTreeMap::new());
    let mut looks = looks.iter().cycle();
    let mut count = 0;
    for (table, lines) in tables {
        writeln!(text, "\n[{table}]").unwrap();
        // A table can have no two settings of one name, also none that doesn't exist.
        let mut unknown = false;
        for line in lines {
            let (indent, comment) = looks.next().unwrap();
            if *comment {
                text.push_str("# größer = \"als nötig\"\n\n");
            }
            let wrong = chosen.get(&count).filter(|mistake| !(unknown && matches!(mistake, Mistake::Key)));
            let wrong = wrong.and_then(|mistake| {
                unknown |= matches!(mistake, Mistake::Key);
                self::wrong(line, *mistake)
            });
            count += 1;
            let blanks = " ".repeat(*indent);
            let Some((line, column, codes)) = wrong else {
                writeln!(text, "{blanks}{} = {}", line.key, line.value).unwrap();
                continue;
            };
            mistakes.insert((text.matches('\n').count() + 1, column + indent), codes);
            writeln!(text, "{blanks}{line}").unwrap();
        }
    }
    (text, mistakes)
}

proptest! {
    #[test]
    fn every_mistake_anywhere_is_reported_at_its_place_and_nothing_else(
        storages in prop::collection::btree_set(1_u32..30, 1..6),
        resources in prop::collection::btree_set(1_u32..30, 1..6),
        order in any::<Index>(),
        chosen in prop::collection::vec(
            (any::<Index>(), prop::sample::select(vec![Mistake::Type, Mistake::Value, Mistake::Key])),
            0..40,
        ),
        looks in prop::collection::vec((0..4_usize, prop::bool::weighted(0.1)), 1..20),
    ) {
        let mut tables = tables(&storages, &resources);
        let turn = order.index(tables.len());
        tables.rotate_left(turn);
        let (text, expected) = write(&tables, &chosen, &looks);
        let report = match Checked::parse("test.toml", &text, &[], None) {
            Ok(checked) => checked.warnings,
            Err(report) => report,
        };
        let mut found = BTreeMap::new();
        for mistake in report.mistakes().iter().filter(|mistake| mistake.code.level() == Level::Error) {
            prop_assert_eq!(mistake.place.source, 0);
            let twice = found.insert(report.position(mistake), mistake.code.id());
            prop_assert_eq!(twice, None, "{}\n{}", report.render(false), text);
        }
        let (there, wanted): (Vec<_>, Vec<_>) = (found.keys().collect(), expected.keys().collect());
        prop_assert_eq!(there, wanted, "{}\n{}", report.render(false), text);
        for (place, code) in found {
            prop_assert!(expected[&place].contains(&code), "{:?}: {}\n{}", place, code, text);
        }
    }
}
