use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::{Authority, Leaf, LeafRequest, Terms, Usage, not_after, renewal_due};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn request() -> LeafRequest {
    LeafRequest {
        common_name: "rhino-primary.zoo.svc".into(),
        dns_names: vec![
            "rhino-primary.zoo.svc.cluster.local.".trim_end_matches('.').into(),
            "rhino-primary".into(),
        ],
        usage: Usage::Server,
    }
}

#[test]
fn an_authority_survives_being_stored() {
    let made = Authority::generate("zoo", now(), Terms::days(3650)).unwrap();
    let read = Authority::from_pem(made.certificate_pem(), made.key_pem().clone()).unwrap();
    let leaf = read.issue(&request(), now(), Terms::days(365)).unwrap();
    assert!(leaf.satisfies(&request(), &made, now()));
    assert_eq!(not_after(made.certificate_pem()).unwrap(), now() + days(3650));
}

#[test]
fn an_authority_with_another_key_is_refused() {
    let one = Authority::generate("one", now(), Terms::days(10)).unwrap();
    let two = Authority::generate("two", now(), Terms::days(10)).unwrap();
    let error = Authority::from_pem(one.certificate_pem(), two.key_pem().clone()).unwrap_err();
    assert_eq!(error.to_string(), "the private key does not belong to the authority's certificate");
}

#[test]
fn a_leaf_is_no_authority() {
    let authority = Authority::generate("zoo", now(), Terms::days(10)).unwrap();
    let leaf = authority.issue(&request(), now(), Terms::days(10)).unwrap();
    let error = Authority::from_pem(&leaf.certificate_pem, leaf.key_pem).unwrap_err();
    assert_eq!(error.to_string(), "the certificate is not one of a certificate authority");
}

#[test]
fn a_stored_leaf_is_replaced_when_anything_about_it_is_wrong() {
    let authority = Authority::generate("zoo", now(), Terms::days(3650)).unwrap();
    let leaf = authority.issue(&request(), now(), Terms::days(365)).unwrap();
    assert!(leaf.satisfies(&request(), &authority, now()));

    let another_name = LeafRequest { common_name: "other".into(), ..request() };
    assert!(!leaf.satisfies(&another_name, &authority, now()));
    let fewer_names = LeafRequest { dns_names: vec!["rhino-primary".into()], ..request() };
    assert!(!leaf.satisfies(&fewer_names, &authority, now()));
    // Same subject, another key: only the signature tells them apart.
    let impostor = Authority::generate("zoo", now(), Terms::days(3650)).unwrap();
    assert!(!leaf.satisfies(&request(), &impostor, now()));
    let swapped = Leaf {
        key_pem: authority.issue(&request(), now(), Terms::days(365)).unwrap().key_pem,
        certificate_pem: leaf.certificate_pem.clone(),
    };
    assert!(!swapped.satisfies(&request(), &authority, now()));
    let damaged = Leaf { certificate_pem: "x".into(), key_pem: SecretString::from("y") };
    assert!(!damaged.satisfies(&request(), &authority, now()));
}

#[test]
fn renewal_is_due_in_the_last_third() {
    let authority = Authority::generate("zoo", now(), Terms::days(3650)).unwrap();
    let leaf = authority.issue(&request(), now(), Terms::days(300)).unwrap();
    assert!(!renewal_due(&leaf.certificate_pem, now() + days(199)).unwrap());
    assert!(renewal_due(&leaf.certificate_pem, now() + days(201)).unwrap());
    assert!(!leaf.satisfies(&request(), &authority, now() + days(201)));
}

#[test]
fn debug_output_holds_no_key() {
    let authority = Authority::generate("zoo", now(), Terms::days(10)).unwrap();
    let leaf = authority.issue(&request(), now(), Terms::days(10)).unwrap();
    let secret = authority.key_pem().expose_secret().lines().nth(1).unwrap().to_owned();
    let printed = format!("{authority:?} {leaf:?}");
    assert!(!printed.contains(&secret) && !printed.contains("PRIVATE KEY"), "{printed}");
}
