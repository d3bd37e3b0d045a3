//! Texts with several certificates, as lists of trusted authorities are.

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of a PEM text, each from its first to its last line. What stands between them, such as a key, is left
/// out.
pub fn certificates(pem: &str) -> impl Iterator<Item = &str> {
    let mut rest = pem;
    std::iter::from_fn(move || {
        let start = rest.find(BEGIN)?;
        let end = rest[start..].find(END)? + start + END.len();
        let certificate = &rest[start..end];
        rest = &rest[end..];
        Some(certificate)
    })
}

/// One text with the certificates of several, each once, in the order in which they come first.
pub fn merged<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for certificate in texts.into_iter().flat_map(certificates) {
        if !seen.contains(&certificate) {
            seen.push(certificate);
        }
    }
    seen.into_iter().flat_map(|certificate| [certificate, "\n"]).collect()
}
