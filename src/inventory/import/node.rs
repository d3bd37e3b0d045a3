//! A YAML document as a tree that keeps lines, quotes and tags, which a typed reader would throw away.

use std::{collections::BTreeMap, rc::Rc};

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle};

use super::setting::{Fault, Given};

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Given),
    Sequence(Vec<Rc<Node>>),
    /// Keys with their lines. A key can be there twice; the last one wins.
    Mapping(Vec<(String, usize, Rc<Node>)>),
}

impl Node {
    /// The last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        let Kind::Mapping(entries) = &self.kind else { return None };
        entries.iter().rev().find(|(name, ..)| name == key).map(|(_, _, value)| value)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Given::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// A collection that isn't closed yet.
struct Open {
    line: usize,
    anchor: usize,
    tagged: bool,
    mapping: bool,
    items: Vec<Rc<Node>>,
}

/// The documents of a text. Where one is malformed, what came before it is still told.
pub(super) fn read(text: &str) -> Result<Vec<Rc<Node>>, Fault> {
    let options =
        granit_parser::options! { emit_comments: false, flow_nesting_limit: 64, block_nesting_limit: 64 };
    let mut anchors: BTreeMap<usize, Rc<Node>> = BTreeMap::new();
    let mut documents = Vec::new();
    let mut stack: Vec<Open> = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Fault {
            line: error.marker().line(),
            why: format!("this is not YAML: {}", error.info()),
            advice: "Ansible wouldn't read it either. Correct the file and import it again.",
        })?;
        let line = span.start.line();
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.to_string());
                (Rc::new(Node { line, kind: scalar(&text, style, tag.as_deref()) }), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                stack.push(Open {
                    line,
                    anchor,
                    tagged: tag.is_some_and(is_local),
                    mapping: false,
                    items: Vec::new(),
                });
                continue;
            }
            Event::MappingStart(_, anchor, tag) => {
                stack.push(Open {
                    line,
                    anchor,
                    tagged: tag.is_some_and(is_local),
                    mapping: true,
                    items: Vec::new(),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = stack.pop() else { continue };
                let anchor = open.anchor;
                (Rc::new(close(open)), anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => (Rc::clone(node), 0),
                // An anchor's own contents refer to it.
                None => (Rc::new(Node { line, kind: unreadable("an alias of what it is in") }), 0),
            },
            _ => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, Rc::clone(&node));
        }
        match stack.last_mut() {
            Some(open) => open.items.push(node),
            None => documents.push(node),
        }
    }
    Ok(documents)
}

fn unreadable(what: &'static str) -> Kind {
    Kind::Scalar(Given::Unreadable(what))
}

/// Whether a tag gives a collection a meaning of its own.
fn is_local(tag: impl std::ops::Deref<Target = granit_parser::Tag>) -> bool {
    !tag.is_yaml_core_schema()
}

fn close(open: Open) -> Node {
    let line = open.line;
    if open.tagged {
        return Node { line, kind: unreadable("a value with a tag of Ansible") };
    }
    if !open.mapping {
        return Node { line, kind: Kind::Sequence(open.items) };
    }
    let mut entries = Vec::new();
    let mut items = open.items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let name = match &key.kind {
            Kind::Scalar(Given::Text(text)) => text.clone(),
            Kind::Scalar(Given::Nothing) => "~".to_owned(),
            // `{{ x }}` without quotes is a mapping whose key is a mapping.
            _ => {
                return Node {
                    line,
                    kind: unreadable("an expression in {{ }} without quotes, or a key that is no text"),
                };
            }
        };
        entries.push((name, key.line, value));
    }
    Node { line, kind: Kind::Mapping(entries) }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Kind {
    let value = match tag {
        Some(tag) if tag.ends_with("vault") || tag.ends_with("vault-encrypted") => Given::Encrypted,
        _ if text.contains("$ANSIBLE_VAULT") => Given::Encrypted,
        Some(tag) if tag.starts_with('!') && tag != "!" && !tag.starts_with("!!") => {
            Given::Unreadable("a value with a tag of Ansible")
        }
        None if style == ScalarStyle::Plain => plain(text),
        _ => Given::Text(text.to_owned()),
    };
    Kind::Scalar(value)
}

/// A scalar without quotes as YAML 1.1 reads it, which is what Ansible uses.
fn plain(text: &str) -> Given {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "" | "~" | "null" => return Given::Nothing,
        "true" | "yes" | "on" => return Given::Text("true".to_owned()),
        "false" | "no" | "off" => return Given::Text("false".to_owned()),
        _ => {}
    }
    let digits = lower.replace('_', "");
    let octal = digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| (b'0'..b'8').contains(&byte));
    let number = if octal {
        u64::from_str_radix(&digits, 8).ok()
    } else if let Some(code) = digits.strip_prefix("0x") {
        u64::from_str_radix(code, 16).ok()
    } else if digits.bytes().all(|byte| byte.is_ascii_digit()) && !lower.starts_with('_') {
        return Given::Text(digits);
    } else {
        None
    };
    Given::Text(number.map_or_else(|| text.to_owned(), |number| number.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn value(text: &str) -> Given {
        let documents = read(&format!("key: {text}\n")).unwrap();
        match &documents[0].get("key").unwrap().kind {
            Kind::Scalar(value) => value.clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        let cases = [
            ("\"true\"", "true"),
            ("yes", "true"),
            ("Off", "false"),
            ("'no'", "no"),
            ("60", "60"),
            ("010", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("0.1", "0.1"),
            ("a # comment", "a"),
            ("\"a # b\"", "a # b"),
            ("!!str 60", "60"),
            ("|\n  a", "a\n"),
        ];
        for (source, expected) in cases {
            assert!(value(source) == Given::Text(expected.to_owned()), "{source}");
        }
        for nothing in ["", "~", "null"] {
            assert_eq!(value(nothing), Given::Nothing, "{nothing}");
        }
        assert_eq!(value("!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3061"), Given::Encrypted);
        assert!(matches!(value("!unsafe 'x'"), Given::Unreadable(_)));
        assert!(matches!(value("{{ x }}"), Given::Unreadable(_)));
    }

    #[test]
    fn anchors_are_shared_and_not_copied() {
        // Ten levels of ten aliases each would be ten thousand million values.
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            writeln!(text, "a{level}: &a{level} [{below}]").unwrap();
        }
        assert_eq!(read(&text).unwrap().len(), 1);
        assert!(read("a: &a [*a]\n").is_ok());
        assert!(read("a: *b\n").is_err());
        assert!(read(&"[".repeat(1000)).is_err());
        assert!(read(&"- ".repeat(1000)).is_err());
    }
}
