//! Lists whose elements change, and the comments beside those that stay.

use toml_edit::{Array, RawString, Value};

use super::draft::typed;

/// An element, and what is written around it.
struct Element {
    value: Value,
    /// From the line break before it.
    before: String,
    /// From its comma to the end of its line, where its comment is.
    behind: String,
}

/// Gives a list other elements. Those that stay keep their places and comments.
pub(super) fn refill(list: &mut Array, new: &Array) {
    let wanted: Vec<_> = new.iter().map(typed).collect();
    let (mut elements, end) = taken_apart(list);
    let lines = end.contains('\n') || elements.iter().any(|element| element.before.contains('\n'));
    elements.retain(|element| wanted.contains(&typed(&element.value)));
    let indent = elements.last().map_or("\n    ", |last| {
        // What stands above an element is about that one.
        last.before.rfind('\n').map_or(" ", |at| &last.before[at..])
    });
    let indent = indent.to_owned();
    let there: Vec<_> = elements.iter().map(|element| typed(&element.value)).collect();
    let missing = new.iter().filter(|value| !there.contains(&typed(value)));
    elements.extend(missing.map(|value| Element {
        value: value.clone(),
        before: indent.clone(),
        behind: String::new(),
    }));
    list.clear();
    let mut behind = String::new();
    for (number, element) in elements.into_iter().enumerate() {
        let mut value = element.value;
        let before = match (lines, number) {
            (true, _) => behind + &element.before,
            (false, 0) => String::new(),
            (false, _) => " ".to_owned(),
        };
        value.decor_mut().set_prefix(before);
        value.decor_mut().set_suffix("");
        list.push_formatted(value);
        behind = element.behind;
    }
    list.set_trailing(if lines { behind + &end } else { String::new() });
    list.set_trailing_comma(lines);
}

/// The elements, and what is behind the line of the last one.
fn taken_apart(list: &Array) -> (Vec<Element>, String) {
    let text = |raw: Option<&RawString>| raw.and_then(RawString::as_str).unwrap_or_default().to_owned();
    // A comma can come after the end of the line.
    let ends = std::iter::once(String::new()).chain(list.iter().map(|value| text(value.decor().suffix())));
    let starts = list.iter().map(|value| text(value.decor().prefix())).chain([text(Some(list.trailing()))]);
    let gaps: Vec<String> = ends.zip(starts).map(|(end, start)| end + &start).collect();
    let mut elements: Vec<Element> = Vec::new();
    let mut gaps = gaps.into_iter();
    let mut before = gaps.next().unwrap_or_default();
    for (value, gap) in list.iter().zip(gaps) {
        let at = gap.find('\n').unwrap_or(0);
        let (behind, rest) = gap.split_at(at);
        let above = std::mem::replace(&mut before, rest.to_owned());
        elements.push(Element { value: value.clone(), before: above, behind: behind.to_owned() });
    }
    (elements, before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refilled(list: &str, new: &[&str]) -> String {
        let mut document: toml_edit::DocumentMut = format!("a = {list}\n").parse().unwrap();
        let array = document["a"].as_array_mut().unwrap();
        refill(array, &new.iter().copied().collect());
        document.to_string().trim_start_matches("a = ").trim_end().to_owned()
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(refilled(r#"["red", "blue"]"#, &["blue", "green"]), r#"["blue", "green"]"#);
        assert_eq!(refilled(r#"[ "red" ]"#, &["red", "blue"]), r#"["red", "blue"]"#);
        assert_eq!(refilled("[]", &["red"]), r#"["red"]"#);
    }

    #[test]
    fn a_comment_goes_with_its_element() {
        let list = "[\n  # warm\n  \"red\",  # first\n  \"blue\",  # second\n  # the end\n]";
        let changed = "[\n  \"blue\",  # second\n  \"green\",\n  # the end\n]";
        assert_eq!(refilled(list, &["green", "blue"]), changed);
        let changed = "[\n  # warm\n  \"red\",  # first\n  # the end\n]";
        assert_eq!(refilled(list, &["red"]), changed);
    }

    #[test]
    fn a_last_element_without_a_comma_gets_one() {
        assert_eq!(refilled("[\n  \"red\"\n]", &["red", "blue"]), "[\n  \"red\",\n  \"blue\",\n]");
    }
}
