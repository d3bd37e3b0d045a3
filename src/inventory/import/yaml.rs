//! Reads the YAML of 4.4 to 4.7: the inventory with its hosts, the values beside it, those of the metrics, and Helm's.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    keys,
    node::{self, Kind, Node},
    setting::{Fault, Given, Listing, Place, Scope, Setting},
};

/// No file has nearly as many; aliases can make them.
const MOST_SETTINGS: usize = 20_000;
/// How far tables within tables are followed.
const DEEPEST: usize = 16;

struct Reader<'f> {
    file: &'f str,
    /// Lines of the file above this text, when it is a text within another.
    offset: usize,
    listing: Listing,
    /// Tables of hosts, groups and merges that were looked at, which aliases could make endless.
    visits: usize,
}

/// Reads a file's text.
pub(super) fn read(text: &str, file: &str) -> Listing {
    let mut reader = Reader { file, offset: 0, listing: Listing::default(), visits: 0 };
    reader.text(text);
    reader.listing
}

impl Reader<'_> {
    fn text(&mut self, text: &str) {
        match node::read(text) {
            Err(fault) => self.listing.faults.push(Fault { line: fault.line + self.offset, ..fault }),
            Ok(documents) => documents.iter().for_each(|document| self.document(document)),
        }
    }

    fn document(&mut self, document: &Rc<Node>) {
        if is_inventory(document) {
            self.inventory(document);
        } else if document.get("kind").and_then(|kind| kind.text()) == Some("ConfigMap") {
            // What installs without Ansible keeps the same values in a ConfigMap.
            let values = document.get("data").and_then(|data| data.get("values.yaml"));
            if let Some((values, text)) = values.and_then(|values| Some((values, values.text()?.to_owned())))
                && self.offset == 0
            {
                self.offset = values.line.saturating_sub(1);
                self.text(&text);
                self.offset = 0;
            }
        } else if document.get("apiVersion").is_some() && document.get("kind").is_some() {
            // Another object beside the ConfigMap has no settings.
        } else {
            self.variables(document, "", &Scope::All, None, 0);
        }
    }

    /// An Ansible inventory: groups with hosts, variables and groups.
    fn inventory(&mut self, document: &Node) {
        let Kind::Mapping(groups) = &document.kind else { return };
        let mut hosts = Vec::new();
        for (name, _, group) in groups {
            self.hosts(name, group, &mut hosts, 0);
        }
        let target = hosts.iter().find(|host| *host == "localhost").or_else(|| hosts.first()).cloned();
        for (name, _, group) in groups {
            self.group(name, group, target.as_deref(), 0);
        }
    }

    /// Whether a table may still be looked at.
    fn visit(&mut self, depth: usize) -> bool {
        self.visits += 1;
        depth < DEEPEST && self.visits <= MOST_SETTINGS && self.listing.settings.len() < MOST_SETTINGS
    }

    fn hosts(&mut self, name: &str, group: &Node, hosts: &mut Vec<String>, depth: usize) {
        if !self.visit(depth) {
            return;
        }
        if let Some(Kind::Mapping(entries)) = group.get("hosts").map(|node| &node.kind) {
            hosts.extend(entries.iter().map(|(host, ..)| host.clone()));
        }
        if let Some(Kind::Mapping(children)) = group.get("children").map(|node| &node.kind)
            && name != "ungrouped"
        {
            for (name, _, child) in children {
                self.hosts(name, child, hosts, depth + 1);
            }
        }
    }

    /// Reads a group's variables, those of its hosts and of the groups in it; returns whether it holds the host.
    fn group(&mut self, name: &str, group: &Node, target: Option<&str>, depth: usize) -> bool {
        if !self.visit(depth) {
            return false;
        }
        let mut holds = name == "all";
        if let Some(Kind::Mapping(hosts)) = group.get("hosts").map(|node| &node.kind) {
            for (host, _, variables) in hosts {
                let this = target == Some(host.as_str());
                holds |= this;
                let elsewhere =
                    (!this).then(|| format!("it belongs to the host {host}; PGO's playbook ran on another"));
                self.variables(variables, "", &Scope::Host(host.clone()), elsewhere.as_deref(), 0);
            }
        }
        if let Some(Kind::Mapping(children)) = group.get("children").map(|node| &node.kind) {
            for (child, _, contents) in children {
                holds |= self.group(child, contents, target, depth + 1);
            }
        }
        if let Some(variables) = group.get("vars") {
            let scope = match name {
                "all" => Scope::All,
                _ => Scope::Group { depth: depth + 1, name: name.to_owned() },
            };
            let elsewhere = (!holds)
                .then(|| format!("the group {name} doesn't hold the host that PGO's playbook ran on"));
            self.variables(variables, "", &scope, elsewhere.as_deref(), 0);
        }
        holds
    }

    /// A table of settings. Tables within it are those of Helm, whose keys are joined by dots.
    fn variables(&mut self, node: &Node, prefix: &str, scope: &Scope, elsewhere: Option<&str>, depth: usize) {
        let entries = match &node.kind {
            Kind::Mapping(entries) => entries,
            Kind::Scalar(Given::Nothing) => return,
            _ => {
                let why = "this is no table of settings".to_owned();
                let advice = "Settings are written as `key: value`, one on each line.";
                return self.listing.faults.push(Fault { line: node.line + self.offset, why, advice });
            }
        };
        if !self.visit(depth) {
            if self.visits == MOST_SETTINGS + 1 {
                let why = format!("more than {MOST_SETTINGS} settings, or tables nested too deeply");
                let advice = "No inventory of PGO has as many. Look at the aliases in the file.";
                self.listing.faults.push(Fault { line: node.line + self.offset, why, advice });
            }
            return;
        }
        // What is merged in loses to what stands here.
        for (_, _, merged) in entries.iter().filter(|(key, ..)| key == "<<") {
            match &merged.kind {
                Kind::Sequence(items) => {
                    for item in items.iter().rev() {
                        self.variables(item, prefix, scope, elsewhere, depth + 1);
                    }
                }
                _ => self.variables(merged, prefix, scope, elsewhere, depth + 1),
            }
        }
        for (key, line, value) in entries.iter().filter(|(key, ..)| key != "<<") {
            let key = format!("{prefix}{key}");
            let value = match &value.kind {
                Kind::Scalar(given) => given.clone(),
                Kind::Sequence(items) => sequence(items),
                Kind::Mapping(_) if keys::find(&key).is_some() => {
                    Given::Unreadable("a table where PGO had a text")
                }
                Kind::Mapping(_) => {
                    self.variables(value, &format!("{key}."), scope, elsewhere, depth + 1);
                    continue;
                }
            };
            if self.listing.settings.len() >= MOST_SETTINGS {
                return;
            }
            self.listing.settings.push(Setting {
                key,
                value,
                place: Place { file: self.file.to_owned(), line: line + self.offset },
                scope: scope.clone(),
                elsewhere: elsewhere.map(ToOwned::to_owned),
                uncut: None,
            });
        }
    }
}

fn sequence(items: &[Rc<Node>]) -> Given {
    if items.len() > MOST_SETTINGS {
        return Given::Unreadable("a list that is too long");
    }
    let texts: Option<Vec<String>> = items.iter().map(|item| item.text().map(ToOwned::to_owned)).collect();
    texts.map_or(Given::Unreadable("a list of something else than texts"), Given::List)
}

/// Whether a document is an inventory of Ansible: a table of groups.
fn is_inventory(document: &Node) -> bool {
    let Kind::Mapping(groups) = &document.kind else { return false };
    let parts: BTreeSet<&str> = BTreeSet::from(["hosts", "vars", "children"]);
    let is_group = |node: &Node| match &node.kind {
        Kind::Mapping(entries) => {
            !entries.is_empty() && entries.iter().all(|(key, ..)| parts.contains(key.as_str()))
        }
        Kind::Scalar(Given::Nothing) => true,
        _ => false,
    };
    groups.iter().all(|(_, _, group)| is_group(group))
        && groups.iter().any(|(_, _, group)| matches!(group.kind, Kind::Mapping(_)))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let listing = read(text, "values.yaml");
        assert_eq!(listing.faults, [], "{text}");
        let value = |setting: &Setting| match &setting.value {
            Given::Text(text) => text.clone(),
            Given::List(items) => items.join(","),
            other => format!("{other:?}"),
        };
        listing.settings.iter().map(|it| (it.key.clone(), value(it), it.place.line)).collect()
    }

    fn rows(expected: &[(&str, &str, usize)]) -> Vec<(String, String, usize)> {
        expected.iter().map(|(key, value, line)| ((*key).to_owned(), (*value).to_owned(), *line)).collect()
    }

    #[test]
    fn values_are_read_with_their_lines() {
        let text =
            "---\n# comment\narchive_mode: \"true\"\nnamespace:\n  - a\n  - b\nempty:\ndb_port: 5432\n";
        let expected = rows(&[
            ("archive_mode", "true", 3),
            ("namespace", "a,b", 4),
            ("empty", "Nothing", 7),
            ("db_port", "5432", 8),
        ]);
        assert_eq!(values(text), expected);
    }

    #[test]
    fn an_inventory_has_variables_of_all_of_groups_and_of_hosts() {
        let text = "all:\n  hosts:\n    localhost:\n      a: 3\n    other:\n      a: 4\n  vars:\n    a: 1\n  children:\n    \
                    pgo:\n      hosts:\n        localhost:\n      vars:\n        a: 2\n    web:\n      vars: {a: 5}\n";
        let mut settings = read(text, "inventory.yaml").settings;
        settings.sort_by(|one, other| one.scope.cmp(&other.scope));
        let used: Vec<_> = settings.iter().filter(|setting| setting.elsewhere.is_none()).collect();
        assert_eq!(used.iter().map(|setting| setting.place.line).collect::<Vec<_>>(), [8, 14, 4]);
    }

    #[test]
    fn helm_tables_and_merged_tables_are_followed() {
        let text = "base: &base\n  db_port: 1\nrbac:\n  create: true\n<<: *base\ndb_port: 2\n";
        let expected = rows(&[
            ("db_port", "1", 2),
            ("base.db_port", "1", 2),
            ("rbac.create", "true", 4),
            ("db_port", "2", 6),
        ]);
        assert_eq!(values(text), expected);
    }

    #[test]
    fn the_values_in_a_config_map_have_the_lines_of_the_file() {
        let text = "apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: ConfigMap\ndata:\n  values.yaml: |-\n    db_port: \"1\"\n    \
                    db_user: \"x\"\n";
        assert_eq!(values(text), rows(&[("db_port", "1", 8), ("db_user", "x", 9)]));
    }

    #[test]
    fn what_is_no_table_is_told() {
        assert_eq!(read("just a text\n", "f").faults[0].line, 1);
        assert_eq!(read("a: 1\n b: 2\n", "f").faults.len(), 1);
        assert_eq!(read("", "f").settings.len(), 0);
    }

    #[test]
    fn aliases_do_not_make_it_endless() {
        let mut text = "a0: &a0 {x: 1}\n".to_owned();
        for level in 1..20 {
            let below: Vec<_> = (0..10).map(|index| format!("k{index}: *a{}", level - 1)).collect();
            writeln!(text, "a{level}: &a{level} {{{}}}", below.join(", ")).unwrap();
        }
        let listing = read(&text, "f");
        assert!(listing.settings.len() <= MOST_SETTINGS);
        assert_eq!(listing.faults.len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", lines in prop::collection::vec("[ ]{0,4}[a-c&*!<:{}\\[\\]\"'|>%@,#? -]{0,16}", 0..12)) {
            read(&text, "f");
            read(&lines.join("\n"), "f");
        }
    }
}
