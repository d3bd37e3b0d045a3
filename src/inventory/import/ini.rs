//! Reads Ansible's INI inventories, as 4.0 to 4.3 came with: hosts with variables beside them, groups, and variables of
//! groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    literal,
    setting::{Fault, Listing, Place, Scope, Setting},
    words,
};

/// What the lines of a section are.
#[derive(Clone, PartialEq, Eq)]
enum Section {
    Hosts(String),
    Vars(String),
    Children(String),
    /// A section that Ansible doesn't know; its lines belong to nothing.
    Unknown,
}

/// Groups, what is in them, and which host the playbook ran on.
#[derive(Default)]
struct Groups {
    hosts: BTreeMap<String, BTreeSet<String>>,
    children: BTreeMap<String, BTreeSet<String>>,
    /// All hosts in the order of the file.
    named: Vec<String>,
}

impl Groups {
    /// The host that the installer worked on: PGO's playbooks run on localhost.
    fn target(&self) -> Option<&str> {
        let local = self.named.iter().find(|host| *host == "localhost");
        local.or_else(|| self.named.first()).map(String::as_str)
    }

    fn exists(&self, group: &str) -> bool {
        self.hosts.contains_key(group)
            || self.children.contains_key(group)
            || self.children.values().any(|children| children.contains(group))
    }

    /// Whether a group or one within it holds the host.
    fn holds(&self, group: &str, host: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            if !seen.insert(group) {
                continue;
            }
            if self.hosts.get(group).is_some_and(|hosts| hosts.contains(host)) {
                return true;
            }
            open.extend(self.children.get(group).into_iter().flatten().map(String::as_str));
        }
        false
    }

    /// In how many groups a group is.
    fn depth(&self, group: &str) -> usize {
        let mut above = BTreeSet::from([group]);
        loop {
            let before = above.len();
            let parents: Vec<&str> = (self.children.iter())
                .filter(|(_, children)| children.iter().any(|child| above.contains(child.as_str())))
                .map(|(parent, _)| parent.as_str())
                .collect();
            above.extend(parents);
            if above.len() == before {
                return above.len();
            }
        }
    }
}

/// Reads a file's text.
pub(super) fn read(text: &str, file: &str) -> Listing {
    let mut listing = Listing::default();
    let mut groups = Groups::default();
    let mut section = Section::Hosts("ungrouped".to_owned());
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = header(line) {
            section = header.unwrap_or_else(|why| {
                let advice = "Sections are [group], [group:vars] and [group:children].";
                listing.faults.push(Fault { line: number, why, advice });
                Section::Unknown
            });
            if let Section::Hosts(group) = &section {
                groups.hosts.entry(group.clone()).or_default();
            }
            continue;
        }
        let place = Place { file: file.to_owned(), line: number };
        match &section {
            Section::Hosts(group) => host(line, group, &place, &mut groups, &mut listing),
            Section::Vars(group) => variable(line, group, place, &mut listing),
            Section::Children(group) => {
                let child = line.split_whitespace().next().unwrap_or_default().to_owned();
                groups.children.entry(group.clone()).or_default().insert(child);
            }
            Section::Unknown => {}
        }
    }
    for setting in &mut listing.settings {
        place_in_groups(setting, &groups);
    }
    listing
}

/// The section that a line begins, if it begins one.
fn header(line: &str) -> Option<Result<Section, String>> {
    let inner = line.strip_prefix('[')?;
    let (inner, after) = inner.split_once(']')?;
    let after = after.trim_start();
    // A host can begin with a range, `[01:03].example.com`.
    if !(after.is_empty() || after.starts_with('#')) {
        return None;
    }
    let (group, kind) = inner.split_once(':').unwrap_or((inner, "hosts"));
    let group = group.to_owned();
    Some(match kind {
        _ if group.is_empty() || group.contains(char::is_whitespace) => {
            Err(format!("the section [{inner}] has no proper name"))
        }
        "hosts" => Ok(Section::Hosts(group)),
        "vars" => Ok(Section::Vars(group)),
        "children" => Ok(Section::Children(group)),
        _ => Err(format!("Ansible knows no section of the kind \":{kind}\"")),
    })
}

/// A host with its variables.
fn host(line: &str, group: &str, place: &Place, groups: &mut Groups, listing: &mut Listing) {
    let fault = |why: String, line: usize| Fault {
        line,
        why,
        advice: "Variables of a host are written as key=value, in quotes where they have blanks.",
    };
    let words = match words::split(line) {
        Ok(words) => words,
        Err(why) => return listing.faults.push(fault(why.to_owned(), place.line)),
    };
    let mut words = words.into_iter();
    let Some(name) = words.next() else { return };
    let name = without_port(&name).to_owned();
    if name.contains('=') {
        let why = "a setting stands where Ansible expects a host".to_owned();
        let advice = "Put a line [all:vars] above the settings.";
        return listing.faults.push(Fault { line: place.line, why, advice });
    }
    groups.hosts.entry(group.to_owned()).or_default().insert(name.clone());
    if !groups.named.contains(&name) {
        groups.named.push(name.clone());
    }
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            let why = "a word after the host's name is no key=value".to_owned();
            listing.faults.push(fault(why, place.line));
            continue;
        };
        let literal = literal::read(value, false);
        listing.settings.push(Setting {
            key: key.trim().to_owned(),
            value: literal.value,
            place: place.clone(),
            scope: Scope::Host(name.clone()),
            elsewhere: None,
            uncut: None,
        });
    }
}

/// A host's name without its port.
fn without_port(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port))
            if !host.contains(':') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            host
        }
        _ => name,
    }
}

/// A variable of a group.
fn variable(line: &str, group: &str, place: Place, listing: &mut Listing) {
    let Some((key, value)) = line.split_once('=') else {
        let why = "this line is no key=value".to_owned();
        let advice =
            "A value ends with its line in an INI file. Write it on one line, or comment the line out.";
        return listing.faults.push(Fault { line: place.line, why, advice });
    };
    let literal = literal::read(value, true);
    let scope = match group {
        "all" => Scope::All,
        name => Scope::Group { depth: 0, name: name.to_owned() },
    };
    listing.settings.push(Setting {
        key: key.trim().to_owned(),
        value: literal.value,
        place,
        scope,
        elsewhere: None,
        uncut: literal.uncut,
    });
}

/// Finds out whether a setting was meant for the host that the installer worked on.
fn place_in_groups(setting: &mut Setting, groups: &Groups) {
    let target = groups.target();
    setting.elsewhere = match &mut setting.scope {
        Scope::All => None,
        Scope::Group { depth, name } => {
            *depth = groups.depth(name);
            match target {
                _ if name != "ungrouped" && !groups.exists(name) => {
                    Some(format!("there is no group {name} in the file"))
                }
                Some(host) if groups.holds(name, host) => None,
                _ => Some(format!("the group {name} doesn't hold the host that PGO's playbook ran on")),
            }
        }
        Scope::Host(name) => match target {
            Some(host) if host != name => {
                Some(format!("it belongs to the host {name}; PGO's playbook ran on {host}"))
            }
            _ => None,
        },
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inventory::import::setting::Given;

    fn values(text: &str) -> Vec<(String, String, usize)> {
        let listing = read(text, "inventory");
        assert_eq!(listing.faults, [], "{text}");
        let value = |setting: &Setting| match &setting.value {
            Given::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        listing.settings.iter().map(|it| (it.key.clone(), value(it), it.place.line)).collect()
    }

    #[test]
    fn hosts_and_variables_are_read_with_their_lines() {
        let text = "\u{20}# a comment\r\nlocalhost ansible_connection=local x=\"a b\" # why\r\n\r\n[all:vars] # all\r\n; c\r\n  \
                    y = 'z'  \r\n#commented='out'\r\nempty=\r\n";
        let expected = [("ansible_connection", "local", 2), ("x", "a b", 2), ("y", "z", 6), ("empty", "", 8)];
        let expected = expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line));
        assert_eq!(values(text), expected);
    }

    #[test]
    fn groups_win_over_all_and_hosts_over_groups() {
        let text = "[all:vars]\na=1\n[pgo]\nlocalhost:22 a=4\nother a=5\n[outer:children]\npgo\n[pgo:vars]\na=3\n\
                    [outer:vars]\na=2\n[empty]\n[empty:vars]\na=6\n[none:vars]\na=7\n";
        let mut settings = read(text, "inventory").settings;
        settings.sort_by(|one, other| one.scope.cmp(&other.scope));
        let used: Vec<_> = settings.iter().filter(|setting| setting.elsewhere.is_none()).collect();
        let lines: Vec<_> = used.iter().map(|setting| setting.place.line).collect();
        assert_eq!(lines, [2, 11, 9, 4]);
        assert_eq!(settings.iter().filter(|setting| setting.elsewhere.is_some()).count(), 3);
    }

    #[test]
    fn what_is_no_setting_is_told_with_its_line() {
        let text = "x=1\nlocalhost y\n[all:wars]\nignored\n[all:vars]\nvalue\nlocalhost 'open\n[a b]\n";
        let lines: Vec<_> = read(text, "inventory").faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 2, 3, 6, 7, 8]);
    }

    #[test]
    fn groups_that_hold_each_other_end() {
        let text = "[a:children]\nb\n[b:children]\na\n[b:vars]\nx=1\n";
        assert!(read(text, "inventory").settings[0].elsewhere.is_some());
    }

    #[test]
    fn a_range_of_hosts_is_a_host() {
        let text = "[web]\n[01:03].example.com x=1\ndb[a:c] y=2\n";
        assert_eq!(values(text).len(), 2);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", lines in prop::collection::vec("[\\[\\]:#;='\"\\\\a-c {}$,()rub0-9._+-]{0,24}", 0..12)) {
            read(&text, "inventory");
            read(&lines.join("\n"), "inventory");
            read(&format!("[all:vars]\n{}", lines.join("\n")), "inventory");
        }
    }
}
