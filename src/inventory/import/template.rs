//! Jinja in values. A reference to another setting of the same files is followed; anything else needs Ansible.

/// The longest text that references may add up to.
const LONGEST: usize = 64 * 1024;
/// How many references may lead to each other.
const DEEPEST: usize = 32;
/// How many references may be followed for one text.
const MOST: usize = 1_000;

/// A text whose references were followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// The settings that it refers to, directly and through others.
    pub(super) used: Vec<String>,
}

/// Whether a text has anything of Jinja's in it.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Follows the references in a text. `lookup` has the text of a setting.
///
/// The error says what can't be followed.
pub(super) fn render<'v>(text: &str, lookup: &dyn Fn(&str) -> Option<&'v str>) -> Result<Rendered, String> {
    let mut rendered = Rendered { text: String::new(), used: Vec::new() };
    fill(text, lookup, &mut Vec::new(), &mut rendered)?;
    Ok(rendered)
}

fn fill<'v>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    above: &mut Vec<String>,
    rendered: &mut Rendered,
) -> Result<(), String> {
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        rendered.text.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix("{#") {
            rest = after.split_once("#}").ok_or("a comment {# isn't closed")?.1;
        } else if rest.starts_with("{%") {
            return Err("a statement in {% %} needs Ansible".to_owned());
        } else if let Some(after) = rest.strip_prefix("{{") {
            let (inner, after) = after.split_once("}}").ok_or("an expression {{ isn't closed")?;
            expression(inner.trim_matches('-').trim(), lookup, above, rendered)?;
            rest = after;
        } else {
            rendered.text.push('{');
            rest = &rest[1..];
        }
        if rendered.text.len() > LONGEST {
            return Err("its references add up to too long a text".to_owned());
        }
    }
    rendered.text.push_str(rest);
    Ok(())
}

/// A name or a text, and filters behind it.
fn expression<'v>(
    inner: &str,
    lookup: &dyn Fn(&str) -> Option<&'v str>,
    above: &mut Vec<String>,
    rendered: &mut Rendered,
) -> Result<(), String> {
    let unknown = || format!("{{{{ {inner} }}}} is more than a reference to a setting in these files");
    let mut parts = pipes(inner).into_iter();
    let term = parts.next().unwrap_or_default().trim();
    let filters: Vec<Filter<'_>> =
        parts.map(|part| filter(part.trim())).collect::<Option<_>>().ok_or_else(unknown)?;
    let start = rendered.text.len();
    let defined = if let Some(text) = quoted(term) {
        rendered.text.push_str(text);
        true
    } else if is_name(term) {
        match lookup(term) {
            Some(_) if above.iter().any(|name| name == term) => {
                return Err(format!("{term} refers to itself"));
            }
            // References that add up to nothing are work all the same.
            Some(_) if rendered.used.len() >= MOST => {
                return Err(format!("too many references lead to {term}"));
            }
            Some(_) if above.len() >= DEEPEST => return Err(format!("too many references lead to {term}")),
            Some(text) => {
                rendered.used.push(term.to_owned());
                above.push(term.to_owned());
                fill(text, lookup, above, rendered)?;
                above.pop();
                true
            }
            None => false,
        }
    } else {
        return Err(unknown());
    };
    let mut defined = defined;
    for filter in filters {
        let value = rendered.text.split_off(start);
        let value = match filter {
            Filter::Default { text, also_empty } if !defined || also_empty && value.is_empty() => {
                defined = true;
                text.to_owned()
            }
            Filter::Default { .. } | Filter::Same => value,
            Filter::Trim => value.trim().to_owned(),
            Filter::Lower => value.to_lowercase(),
            Filter::Upper => value.to_uppercase(),
        };
        rendered.text.push_str(&value);
    }
    if defined { Ok(()) } else { Err(format!("{term} is not set in these files")) }
}

enum Filter<'t> {
    Default {
        text: &'t str,
        also_empty: bool,
    },
    Trim,
    Lower,
    Upper,
    /// A change of type, which a text doesn't show.
    Same,
}

fn filter(text: &str) -> Option<Filter<'_>> {
    match text {
        "trim" => return Some(Filter::Trim),
        "lower" => return Some(Filter::Lower),
        "upper" => return Some(Filter::Upper),
        "string" | "int" | "bool" => return Some(Filter::Same),
        _ => {}
    }
    let (name, arguments) = text.strip_suffix(')')?.split_once('(')?;
    if !matches!(name.trim(), "default" | "d") {
        return None;
    }
    let arguments = arguments.trim();
    let (first, also_empty) = match arguments.rsplit_once(',') {
        Some((first, second))
            if matches!(second.trim(), "true" | "True" | "boolean=True" | "boolean=true") =>
        {
            (first.trim(), true)
        }
        _ => (arguments, false),
    };
    let text = quoted(first).or_else(|| {
        first.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.').then_some(first)
    })?;
    Some(Filter::Default { text, also_empty })
}

/// Splits at `|` outside of quotes.
fn pipes(text: &str) -> Vec<&str> {
    let mut quote = None;
    text.split(|letter| match (quote, letter) {
        (None, '|') => true,
        (None, '\'' | '"') => {
            quote = Some(letter);
            false
        }
        (Some(open), _) if open == letter => {
            quote = None;
            false
        }
        _ => false,
    })
    .collect()
}

/// The inside of a text in quotes that needs no escapes.
fn quoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
    let inner = text.get(1..)?.strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(name: &str) -> Option<&'static str> {
        Some(match name {
            "a" => "x",
            "b" => "{{ a }}y",
            "empty" => "",
            "one" => "{{ two }}",
            "two" => "{{ one }}",
            "bomb" => "{{ c1 }}{{ c1 }}{{ c1 }}{{ c1 }}{{ c1 }}{{ c1 }}{{ c1 }}{{ c1 }}",
            "c1" => "{{ c2 }}{{ c2 }}{{ c2 }}{{ c2 }}{{ c2 }}{{ c2 }}{{ c2 }}{{ c2 }}",
            "c2" => "{{ c3 }}{{ c3 }}{{ c3 }}{{ c3 }}{{ c3 }}{{ c3 }}{{ c3 }}{{ c3 }}",
            "c3" => "{{ c4 }}{{ c4 }}{{ c4 }}{{ c4 }}{{ c4 }}{{ c4 }}{{ c4 }}{{ c4 }}",
            "c4" => "{{ c5 }}{{ c5 }}{{ c5 }}{{ c5 }}{{ c5 }}{{ c5 }}{{ c5 }}{{ c5 }}",
            "c5" => "0123456789012345678901234567890123456789",
            "e1" => "{{ e2 }}{{ e2 }}{{ e2 }}{{ e2 }}{{ e2 }}{{ e2 }}{{ e2 }}{{ e2 }}",
            "e2" => "{{ e3 }}{{ e3 }}{{ e3 }}{{ e3 }}{{ e3 }}{{ e3 }}{{ e3 }}{{ e3 }}",
            "e3" => "{{ e4 }}{{ e4 }}{{ e4 }}{{ e4 }}{{ e4 }}{{ e4 }}{{ e4 }}{{ e4 }}",
            "e4" => "{{ empty }}{{ empty }}{{ empty }}{{ empty }}{{ empty }}{{ empty }}",
            _ => return None,
        })
    }

    #[test]
    fn references_and_defaults_are_followed() {
        let cases = [
            ("plain {text}", "plain {text}"),
            ("p-{{ a }}-{{b}}", "p-x-xy"),
            ("{{ missing | default('z') }}", "z"),
            ("{{ missing|d(5) }}", "5"),
            ("{{ a | default('z') }}", "x"),
            ("{{ empty | default('z') }}", ""),
            ("{{ empty | default('z|w', true) }}", "z|w"),
            ("{{ 'lit' | upper }}", "LIT"),
            ("{{- a -}}", "x"),
            ("{# note #}{{ a | string }}", "x"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                render(text, &lookup).map(|rendered| rendered.text),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        assert_eq!(render("{{ b }}", &lookup).unwrap().used, ["b", "a"]);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "{{ missing }}",
            "{{ lookup('env', 'HOME') }}",
            "{{ a ~ b }}",
            "{{ ansible_env.HOME }}",
            "{% if a %}x{% endif %}",
            "{{ a | b64decode }}",
            "{{ open",
            "{{ one }}",
            "{{ bomb }}",
            "{{ e1 }}",
            "{{ }}",
        ] {
            assert!(render(text, &lookup).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[{}%#|ab'\"(), .ädefault-]*") {
            let _ = render(&text, &lookup);
        }
    }
}
