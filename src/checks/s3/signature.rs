//! Signature Version 4 in the query of an address. It needs nothing but what is in the program anyway, while the libraries
//! for it bring a client, or a parser of addresses, of their own.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::domain::digest::hex;

/// Everything else is written as `%XX`, in the query also `/`.
const KEPT_NOWHERE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const KEPT_IN_PATH: &AsciiSet = &KEPT_NOWHERE.remove(b'/');

/// Who signs, and for which region.
pub(super) struct Signer<'a> {
    pub(super) key: &'a str,
    pub(super) secret: &'a SecretString,
    pub(super) region: &'a str,
}

impl Signer<'_> {
    /// Path and query of a request that whoever answers to `host` accepts for `seconds` from `now` on.
    pub(super) fn target(
        &self,
        method: &str,
        host: &str,
        path: &str,
        now: Timestamp,
        seconds: u32,
    ) -> String {
        let Self { key, secret, region } = self;
        let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &time[..8];
        let scope = format!("{date}/{region}/s3/aws4_request");
        let credential = utf8_percent_encode(&format!("{key}/{scope}"), KEPT_NOWHERE).to_string();
        // Sorted by name, as the rules want it.
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}\
             &X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
        );
        let path = utf8_percent_encode(path, KEPT_IN_PATH).to_string();
        let request = format!("{method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
        let mut signing = hmac(format!("AWS4{}", secret.expose_secret()).as_bytes(), date);
        for part in [region, "s3", "aws4_request", &text] {
            signing = hmac(&signing, part);
        }
        format!("{path}?{query}&X-Amz-Signature={}", hex(&signing))
    }
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length will do, so there is nothing that could fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in Amazon's description of the algorithm but for the host, signed by another program (Python's `hmac`) that
    /// gets the published result for the published host.
    #[test]
    fn another_program_signs_the_same() {
        let secret = SecretString::from("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let signer = Signer { key: "AKIAIOSFODNN7EXAMPLE", secret: &secret, region: "us-east-1" };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        assert_eq!(
            signer.target("GET", "backups.store.example.com", "/test.txt", now, 86_400),
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=1f6f127f6ed40eae3be527a6423a81988a104cb0c197c701a12b512184939dc7"
        );
    }
}
