//! Splits a line into words as a shell does, for the variables beside a host.

/// The words of a line, without quotes and without the comment at its end.
pub(super) fn split(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '#' if word.is_none() => break,
            _ if letter.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a quote isn't closed")? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or("a quote isn't closed")? {
                        '"' => break,
                        '\\' => match letters.next().ok_or("a quote isn't closed")? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(letters.next()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quotes_blanks_and_comments_are_those_of_a_shell() {
        let line = r#"localhost  a=1 b="x y" c='p "q"' d=e\ f g="\"h\" \i" "" # comment"#;
        let words = ["localhost", "a=1", "b=x y", "c=p \"q\"", "d=e f", "g=\"h\" \\i", ""];
        assert_eq!(split(line).unwrap(), words);
        assert_eq!(split("a#b").unwrap(), ["a#b"]);
        assert!(split("a 'b").is_err());
        assert!(split("a \"b\\").is_err());
    }
}
