//! Values as Ansible reads them in an INI file: Python's literals where they are some, plain text where they aren't.

use super::setting::{Given, Uncut};

/// What a value's text means.
#[derive(Debug)]
pub(super) struct Literal {
    pub(super) value: Given,
    /// The whole text, when a comment was cut off that Ansible would have kept.
    pub(super) uncut: Option<Uncut>,
}

/// Reads a value. `comments` says whether ` #` may begin a comment in it.
pub(super) fn read(text: &str, comments: bool) -> Literal {
    let text = text.trim();
    if text.contains("$ANSIBLE_VAULT") {
        return plain(Given::Encrypted);
    }
    if opening(text).is_some() {
        return plain(quoted(text));
    }
    if text.starts_with(['[', '(']) {
        if let Some((items, rest)) = list(text)
            && ended(rest)
        {
            return plain(Given::List(items));
        }
    } else if text.starts_with('{') && !text.starts_with("{{") && !text.starts_with("{%") {
        return plain(Given::Unreadable("a dictionary of Python"));
    }
    let (kept, cut) = if comments { before_comment(text) } else { (text, false) };
    let uncut = cut.then(|| Uncut(text.to_owned()));
    Literal { value: bare(kept), uncut }
}

fn plain(value: Given) -> Literal {
    Literal { value, uncut: None }
}

/// The text before ` #`, and whether there was one.
fn before_comment(text: &str) -> (&str, bool) {
    let cut = text
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| text[..at].chars().next_back().is_some_and(char::is_whitespace));
    cut.map_or((text, false), |at| (text[..at].trim_end(), true))
}

/// Whether nothing but a comment follows.
fn ended(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

/// The quote that a literal begins with, after its prefix.
fn opening(text: &str) -> Option<char> {
    let unprefixed = text.trim_start_matches(['r', 'R', 'u', 'U', 'b', 'B']);
    let quote = unprefixed.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
    (text.len() - unprefixed.len() <= 2).then_some(quote)
}

/// A value that begins with a quote.
fn quoted(text: &str) -> Given {
    let Some((first, mut rest)) = string(text) else {
        return Given::Unreadable("a text whose quote isn't closed");
    };
    let mut items = vec![first];
    let mut several = false;
    loop {
        rest = rest.trim_start();
        if ended(rest) {
            break;
        }
        if let Some(after) = rest.strip_prefix(',') {
            several = true;
            rest = after.trim_start();
            if ended(rest) {
                break;
            }
            items.push(String::new());
        }
        let Some((next, after)) = string(rest) else {
            return Given::Unreadable("a text that goes on after its closing quote");
        };
        // Python joins texts that stand next to each other.
        if let Some(last) = items.last_mut() {
            last.push_str(&next);
        }
        rest = after;
    }
    if several { Given::List(items) } else { Given::Text(items.concat()) }
}

/// One literal of Python with its quotes, and what follows.
fn string(text: &str) -> Option<(String, &str)> {
    let quote = opening(text)?;
    let start = text.find(quote)?;
    let raw = text[..start].contains(['r', 'R']);
    let body = &text[start..];
    let triple = quote.to_string().repeat(3);
    let end = if body.starts_with(&triple) { triple } else { quote.to_string() };
    let body = &body[end.len()..];
    let mut value = String::new();
    let mut rest = body;
    loop {
        if let Some(after) = rest.strip_prefix(end.as_str()) {
            return Some((value, after));
        }
        let letter = rest.chars().next()?;
        let after = &rest[letter.len_utf8()..];
        if letter != '\\' {
            value.push(letter);
            rest = after;
        } else if raw {
            let escaped = after.chars().next()?;
            value.extend(['\\', escaped]);
            rest = &after[escaped.len_utf8()..];
        } else {
            rest = escape(after, &mut value)?;
        }
    }
}

/// Adds what an escape means and returns what follows it.
fn escape<'t>(text: &'t str, value: &mut String) -> Option<&'t str> {
    let letter = text.chars().next()?;
    let after = &text[letter.len_utf8()..];
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            match letter {
                '\\' | '\'' | '"' => value.push(letter),
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'a' => value.push('\u{7}'),
                'b' => value.push('\u{8}'),
                'f' => value.push('\u{c}'),
                'v' => value.push('\u{b}'),
                '0' => value.push('\0'),
                _ => value.extend(['\\', letter]),
            }
            return Some(after);
        }
    };
    let code = after.get(..digits)?;
    value.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
    Some(&after[digits..])
}

/// A list or tuple of texts and numbers, and what follows. Lists within lists are no list of texts.
fn list(text: &str) -> Option<(Vec<String>, &str)> {
    let close = if text.starts_with('[') { ']' } else { ')' };
    let mut rest = text[1..].trim_start();
    let mut items = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            return Some((items, after));
        }
        if opening(rest).is_some() {
            let (item, after) = string(rest)?;
            items.push(item);
            rest = after.trim_start();
        } else {
            let end = rest.find([',', close])?;
            let Given::Text(item) = number(rest[..end].trim())? else { return None };
            items.push(item);
            rest = &rest[end..];
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.starts_with(close) => {}
            None => return None,
        }
    }
}

fn bare(text: &str) -> Given {
    match text {
        "None" => Given::Nothing,
        "True" => Given::Text("true".to_owned()),
        "False" => Given::Text("false".to_owned()),
        _ => number(text).unwrap_or_else(|| Given::Text(text.to_owned())),
    }
}

/// A number in the way it is usually written.
fn number(text: &str) -> Option<Given> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { "-" } else { "" };
    let digits = unsigned.replace('_', "");
    let lower = digits.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(code) = lower.strip_prefix(prefix) {
            let value = u64::from_str_radix(code, radix).ok()?;
            return Some(Given::Text(format!("{sign}{value}")));
        }
    }
    let integer = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    // Python refuses a leading zero, so that such a number stays the text that it is.
    let leading_zero =
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0');
    if integer && !leading_zero && !unsigned.starts_with('_') {
        return Some(Given::Text(format!("{sign}{digits}")));
    }
    let float = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && unsigned.parse::<f64>().is_ok_and(f64::is_finite);
    float.then(|| Given::Text(format!("{sign}{unsigned}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        match read(source, true).value {
            Given::Text(text) => text,
            other => panic!("{source:?}: {other:?}"),
        }
    }

    #[test]
    fn texts_and_numbers_are_what_python_makes_of_them() {
        let cases = [
            ("'true'", "true"),
            ("\"a b\"", "a b"),
            ("60", "60"),
            ("+60", "60"),
            ("-1", "-1"),
            ("0x10", "16"),
            ("1_000", "1000"),
            ("010", "010"),
            ("0.1", "0.1"),
            ("2.0", "2.0"),
            ("True", "true"),
            ("False", "false"),
            ("true", "true"),
            ("yes", "yes"),
            ("", ""),
            ("''", ""),
            ("'it\\'s'", "it's"),
            ("'a\\tb\\x41\\u00e9\\q'", "a\tbAé\\q"),
            ("r'a\\n'", "a\\n"),
            ("u'ä'", "ä"),
            ("'a' 'b'", "ab"),
            ("'''a'b'''", "a'b"),
            ("fast", "fast"),
            ("pgouser1,pgouser2", "pgouser1,pgouser2"),
            ("{{ other }}", "{{ other }}"),
            ("[::1]:8443", "[::1]:8443"),
            ("1.2.3", "1.2.3"),
            ("rook", "rook"),
        ];
        for (source, expected) in cases {
            assert_eq!(text(source), expected, "{source:?}");
        }
        assert_eq!(read("None", true).value, Given::Nothing);
    }

    #[test]
    fn a_comment_after_a_value_is_none_of_its_text() {
        for source in ["'fast' # quick", "'fast'# quick", "fast # quick", "fast\t#quick"] {
            assert_eq!(text(source), "fast", "{source:?}");
        }
        assert_eq!(text("'a # b'"), "a # b");
        assert_eq!(text("a#b"), "a#b");
        assert_eq!(text("a ;b"), "a ;b");
        assert!(read("fast # quick", true).uncut.is_some());
        assert!(read("'fast' # quick", true).uncut.is_none());
        assert_eq!(read("a # b", false).value, Given::Text("a # b".to_owned()));
    }

    #[test]
    fn lists_are_lists_and_the_rest_says_what_it_is() {
        let list = |items: &[&str]| Given::List(items.iter().map(ToString::to_string).collect());
        assert_eq!(read("['a', \"b\", 3]", true).value, list(&["a", "b", "3"]));
        assert_eq!(read("('a',)  # one", true).value, list(&["a"]));
        assert_eq!(read("'a', 'b'", true).value, list(&["a", "b"]));
        assert_eq!(read("[]", true).value, list(&[]));
        assert_eq!(read("$ANSIBLE_VAULT;1.1;AES256", true).value, Given::Encrypted);
        for source in ["'open", "'a' b", "{'a': 1}", "'a\\"] {
            assert!(matches!(read(source, true).value, Given::Unreadable(_)), "{source:?}");
        }
    }
}
