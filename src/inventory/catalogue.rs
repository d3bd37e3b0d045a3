//! Every setting there is, and how to find one.

use std::sync::LazyLock;

use super::{
    setting::{Kind, Named, Need, Setting, flatten},
    table::Table as _,
    tables::{Resources, Storage, Tables},
    value::nearest,
};

/// The tables of an inventory, in the order in which a file would have them.
#[must_use]
pub fn tables() -> Vec<Setting> {
    let numbered = |key, meaning, kind| Setting {
        key,
        meaning,
        kind,
        need: Need::Optional("there is none with that number"),
        old: &[],
        effective: true,
        since: "0.1.0",
    };
    let mut tables = Tables::SETTINGS.to_vec();
    let storage = numbered(
        "storage<ID>",
        " A kind of volume, once for each number from 1 on; numbers may be left out.",
        Kind::Table(Storage::SETTINGS),
    );
    let resource = numbered(
        "resource<ID>",
        " A set of requests and limits, once for each number from 1 on; numbers may be left out.",
        Kind::Table(Resources::SETTINGS),
    );
    let after = tables.iter().position(|table| table.key == "defaults").map_or(tables.len(), |at| at + 1);
    tables.splice(after..after, [storage, resource]);
    tables
}

/// Every setting and every table, with its path.
#[must_use]
pub fn all() -> &'static [Named] {
    static ALL: LazyLock<Vec<Named>> = LazyLock::new(|| flatten(&tables(), ""));
    &ALL
}

/// What was found for a key that somebody asked about.
#[derive(Clone, Debug)]
pub enum Search {
    /// Settings with this path, or that the 4.x installer called so.
    Found(Vec<&'static Named>),
    /// None; the path of the one whose spelling is nearest.
    Unknown(Option<&'static str>),
}

/// Finds settings by their path (with `storage3.size` for `storage<ID>.size`), by the last part of it, or by their old name.
#[must_use]
pub fn find(key: &str) -> Search {
    let asked = generic(key);
    let old = generic_old(key);
    let exact: Vec<_> = all().iter().filter(|named| named.path == asked).collect();
    let renamed = || -> Vec<_> { all().iter().filter(|named| named.setting.old.contains(&&*old)).collect() };
    let last = || -> Vec<_> {
        all().iter().filter(|named| !key.contains('.') && named.setting.key == asked).collect()
    };
    for found in [exact, renamed(), last()] {
        if !found.is_empty() {
            return Search::Found(found);
        }
    }
    let paths = all().iter().map(|named| named.path.as_str());
    let olds = all().iter().flat_map(|named| named.setting.old.iter().copied());
    Search::Unknown(nearest(&asked, paths.chain(olds)))
}

/// The path with `<ID>` for the number of a table, and without the keys of a map.
#[must_use]
pub fn generic(path: &str) -> String {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let numbered = ["storage", "resource"].into_iter().find(|stem| {
        first
            .strip_prefix(stem)
            .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let first = numbered.map_or_else(|| first.to_owned(), |stem| format!("{stem}<ID>"));
    rest.map_or(first.clone(), |rest| format!("{first}.{rest}"))
}

/// An old name with `<ID>` for its number: `storage3_size` is `storage<ID>_size`.
fn generic_old(key: &str) -> String {
    key.split_once('_').map_or_else(|| key.to_owned(), |(first, rest)| format!("{}_{rest}", generic(first)))
}

/// The setting at a path of a file, such as `storage3.size` or `images.postgres.17`.
#[must_use]
pub fn at(path: &str) -> Option<&'static Named> {
    let path = generic(path);
    all().iter().find(|named| {
        named.path == path
            || matches!(named.setting.kind, Kind::Map { .. })
                && path.strip_prefix(&*named.path).is_some_and(|rest| rest.starts_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(key: &str) -> Vec<&'static str> {
        match find(key) {
            Search::Found(found) => found.iter().map(|named| named.path.as_str()).collect(),
            Search::Unknown(_) => Vec::new(),
        }
    }

    #[test]
    fn settings_are_found_by_path_number_last_part_and_old_name() {
        assert_eq!(paths("storage3.size"), ["storage<ID>.size"]);
        assert_eq!(paths("storage<ID>.size"), ["storage<ID>.size"]);
        assert_eq!(paths("storage12_size"), ["storage<ID>.size"]);
        assert_eq!(paths("pgo_operator_namespace"), ["installation.namespace"]);
        assert_eq!(paths("archive_timeout"), ["defaults.archive_timeout"]);
        assert!(paths("port").len() > 1);
        assert!(matches!(find("installation.nmae"), Search::Unknown(Some("installation.name"))));
        assert!(matches!(find("qqqqqqqqqqqqqqqqqqqqqqqqqqq"), Search::Unknown(None)));
    }

    #[test]
    fn every_setting_says_what_it_is_for() {
        for Named { path, setting } in all() {
            assert!(setting.meaning.trim().ends_with('.') && setting.meaning.starts_with(' '), "{path}");
        }
    }

    #[test]
    fn keys_of_maps_belong_to_their_map() {
        assert_eq!(at("images.postgres.17").map(|named| named.path.as_str()), Some("images.postgres"));
        assert!(at("images.postgresql.17").is_none());
    }
}
