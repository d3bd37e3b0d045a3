//! Digests as text.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Bytes of a short digest: enough to tell two apart, too few to find out what went into it.
const SHORT: usize = 8;

/// The beginning of the SHA-256 of `parts`, one after the other, in hexadecimal.
#[must_use]
pub fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hex(&hash.finalize()[..SHORT])
}

/// Bytes in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_digest_is_the_beginning_of_that_of_all_parts() {
        // As `printf ab | sha256sum` begins.
        assert_eq!(short(&["a", "b"]), "fb8e20fc2e4c3f24");
    }
}
