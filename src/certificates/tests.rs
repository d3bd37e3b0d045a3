use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

use super::{
    AUTHORITY_CERTIFICATE, AUTHORITY_KEY, Decision, Error, Home, LEAF_CERTIFICATE, NEXT_CERTIFICATE,
    PREVIOUS_CERTIFICATE, Policy, Source, Stored, decide, entry,
};
use crate::pki::{Algorithm, Authority, Facts, Terms, Usage, certificates};

const DAY: Duration = Duration::from_hours(24);

fn home() -> Home {
    Home {
        installation: "pgo".into(),
        namespace: "home".into(),
        labels: BTreeMap::from([("set".into(), "mine".into()), ("name".into(), "pgherd".into())]),
        membership: "set",
    }
}

fn policy(source: Source) -> Policy {
    Policy {
        source,
        algorithm: Algorithm::EcdsaP256,
        authority_validity: 3650 * DAY,
        certificate_validity: 365 * DAY,
        renew_before: None,
    }
}

fn at(days: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + days * 86_400).unwrap()
}

fn after(decision: &Decision) -> Stored {
    let named = |name: &str| {
        decision.secrets.iter().find(|secret| secret.metadata.name.as_deref() == Some(name)).cloned()
    };
    Stored { authority: named("pgo-ca"), leaf: named("pgo-tls") }
}

fn made(stored: &Stored, now: Timestamp) -> Decision {
    decide(&home(), &policy(Source::Made), stored, None, now).unwrap()
}

fn text(secret: Option<&Secret>, key: &str) -> String {
    entry(secret.unwrap(), key).unwrap_or_default()
}

/// Whether a TLS client that trusts `bundle` accepts what a server shows from `shown`.
fn accepted(bundle: &str, shown: &str, now: Timestamp) -> bool {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(shown.as_bytes()).map(Result::unwrap).collect();
    let name = ServerName::try_from("pgo-metrics.home.svc").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_second().try_into().unwrap()));
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).is_ok()
}

/// What clients trust and what they are shown.
fn pair(stored: &Stored) -> (String, String) {
    (text(stored.leaf.as_ref(), AUTHORITY_CERTIFICATE), text(stored.leaf.as_ref(), LEAF_CERTIFICATE))
}

#[test]
fn good_certificates_are_kept_to_the_letter() {
    let first = made(&Stored::default(), at(0));
    assert_eq!(first.writes(&home(), &Stored::default()).len(), 2);
    let stored = after(&first);
    let again = made(&stored, at(200));
    assert!(again.writes(&home(), &stored).is_empty());
    assert_eq!(again.due, first.due);
    let facts = Facts::read(&first.leaf.certificate_pem).unwrap();
    assert_eq!((facts.usage, facts.authority), (Some(Usage::Server), false));
    let names = home().request().dns_names;
    assert_eq!(names[1], "pgo-metrics.home.svc");
}

#[test]
fn a_label_that_was_lost_comes_back_and_others_stay_out_of_it() {
    let mut stored = after(&made(&Stored::default(), at(0)));
    let labels = stored.leaf.as_mut().unwrap().metadata.labels.as_mut().unwrap();
    labels.insert("team".into(), "a".into());
    assert!(made(&stored, at(1)).writes(&home(), &stored).is_empty());
    stored.leaf.as_mut().unwrap().metadata.labels.as_mut().unwrap().remove("name");
    assert_eq!(made(&stored, at(1)).writes(&home(), &stored).len(), 1);
    // A Secret of somebody else is used, and not written.
    stored.leaf.as_mut().unwrap().metadata.labels = None;
    assert!(made(&stored, at(300)).writes(&home(), &stored).is_empty());
}

#[test]
fn a_leaf_is_renewed_by_the_same_authority() {
    let first = made(&Stored::default(), at(0));
    let stored = after(&first);
    let later = made(&stored, at(300));
    assert_eq!(later.secrets[0], first.secrets[0]);
    assert_ne!(later.leaf.certificate_pem, first.leaf.certificate_pem);
    assert!(first.renewal.unwrap() < at(244) && first.renewal.unwrap() > at(242));

    let early = Policy { renew_before: Some(300 * DAY), ..policy(Source::Made) };
    let kept = decide(&home(), &early, &stored, None, at(64)).unwrap();
    assert!(kept.writes(&home(), &stored).is_empty());
    assert_eq!(kept.renewal, Some(at(65)));
    assert_eq!(decide(&home(), &early, &stored, None, at(65)).unwrap().writes(&home(), &stored).len(), 1);

    let hasty = Policy { renew_before: Some(Duration::from_hours(365 * 24 - 1)), ..policy(Source::Made) };
    let renewed = decide(&home(), &hasty, &Stored::default(), None, at(0)).unwrap();
    assert!(renewed.renewal.unwrap() > at(30), "a new certificate isn't due at once");
}

#[test]
fn damaged_or_foreign_certificates_are_made_anew() {
    let (first, other) = (made(&Stored::default(), at(0)), made(&Stored::default(), at(0)));
    let mixed = Stored { authority: after(&first).authority, leaf: after(&other).leaf };
    let decision = made(&mixed, at(1));
    let writes = decision.writes(&home(), &mixed);
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].0.metadata.name.as_deref(), Some("pgo-tls"));

    let mut damaged = after(&first);
    damaged.authority.as_mut().unwrap().data.as_mut().unwrap().remove(AUTHORITY_KEY);
    assert_eq!(made(&damaged, at(1)).writes(&home(), &damaged).len(), 2);
}

#[test]
fn another_algorithm_re_issues_the_leaf_and_keeps_the_authority() {
    let stored = after(&made(&Stored::default(), at(0)));
    for algorithm in [Algorithm::EcdsaP384, Algorithm::Ed25519] {
        let policy = Policy { algorithm, ..policy(Source::Made) };
        let decision = decide(&home(), &policy, &stored, None, at(1)).unwrap();
        assert_eq!(decision.writes(&home(), &stored).len(), 1);
        assert!(decision.leaf.is_of(algorithm));
        // An authority of that algorithm issues, too.
        let fresh = decide(&home(), &policy, &Stored::default(), None, at(1)).unwrap();
        let settled = after(&fresh);
        let again = decide(&home(), &policy, &settled, None, at(2)).unwrap();
        assert!(again.writes(&home(), &settled).is_empty());
        let (bundle, shown) = pair(&settled);
        assert!(accepted(&bundle, &shown, at(2)));
        let (stranger, _) = pair(&stored);
        assert!(!accepted(&stranger, &shown, at(2)));
    }
}

#[test]
fn an_authority_is_replaced_so_that_no_client_is_cut_off() {
    let mut stored = after(&made(&Stored::default(), at(0)));
    let first = text(stored.authority.as_ref(), AUTHORITY_CERTIFICATE);
    let (mut now, mut prepared, mut switched, mut dropped) = (at(0), None, None, None);
    while dropped.is_none() && now < at(5000) {
        let decision = made(&stored, now);
        let (before, _) = pair(&stored);
        let (_, shown) = pair(&after(&decision));
        assert!(accepted(&before, &shown, now), "a client with the bundle of before is cut off at {now}");
        stored = after(&decision);
        let has = |key| entry(stored.authority.as_ref().unwrap(), key).is_some();
        if has(NEXT_CERTIFICATE) {
            prepared.get_or_insert(now);
        }
        if has(PREVIOUS_CERTIFICATE) {
            switched.get_or_insert(now);
        } else if switched.is_some() {
            dropped = Some(now);
        }
        let due = decision.due.expect("there is always something to come");
        assert!(due > now, "the same moment would decide the same again");
        now = due;
    }
    let near = |seen: Option<Timestamp>, days: i64| {
        let distance = seen.unwrap().duration_until(at(days)).abs();
        assert!(distance < SignedDuration::from_hours(48), "{seen:?} {days}");
    };
    near(prepared, 3650 - 3650 / 3);
    near(switched, 3650 - 365);
    near(dropped, 3650);
    let second = text(stored.authority.as_ref(), AUTHORITY_CERTIFICATE);
    assert_ne!(Facts::read(&first).unwrap().subject, Facts::read(&second).unwrap().subject);
}

#[test]
fn no_leaf_outlives_its_authority() {
    let short = Policy { authority_validity: 100 * DAY, ..policy(Source::Made) };
    let decision = decide(&home(), &short, &Stored::default(), None, at(0)).unwrap();
    let end = Facts::read(&decision.leaf.certificate_pem).unwrap().not_after;
    assert_eq!(end, at(100));
    assert_eq!(decision.renewal, None, "a new one would end at the same time");
    let stored = after(&decision);
    let late = decide(&home(), &short, &stored, None, at(60)).unwrap();
    assert!(late.writes(&home(), &stored).is_empty());
    // An authority that nobody renewed in time is replaced at once.
    let gone = decide(&home(), &short, &stored, None, at(101)).unwrap();
    assert_eq!(gone.writes(&home(), &stored).len(), 2);
    assert!(gone.authorities.previous.is_none() && gone.authorities.next.is_none());
}

fn authority(name: &str, days: u16) -> Arc<Authority> {
    Arc::new(Authority::generate(name, at(0), Terms::days(days)).unwrap())
}

fn given(stored: &Stored, authority: Option<&Arc<Authority>>, now: Timestamp) -> Result<Decision, Error> {
    decide(&home(), &policy(Source::Given), stored, authority, now)
}

#[test]
fn an_authority_of_the_users_issues_and_is_never_replaced() {
    let theirs = authority("company", 400);
    let first = given(&Stored::default(), Some(&theirs), at(0)).unwrap();
    assert!(first.authorities.current.same(&theirs));
    let stored = after(&first);
    assert!(given(&stored, Some(&theirs), at(1)).unwrap().writes(&home(), &stored).is_empty());
    // The operator has only the Secret.
    let later = given(&stored, None, at(390)).unwrap();
    assert!(later.authorities.current.same(&theirs) && later.authorities.next.is_none());
    assert_eq!(later.due, Some(at(400)));
    let error = given(&stored, None, at(400)).unwrap_err().to_string();
    assert!(error.contains("\"company\" in secret home/pgo-ca expired at"), "{error}");
    assert!(matches!(given(&Stored::default(), None, at(0)), Err(Error::Missing { .. })));
    assert!(matches!(given(&stored, Some(&theirs), at(401)), Err(Error::Expired { .. })));
}

#[test]
fn an_authority_that_another_one_signed_is_shown_with_the_leaf() {
    let named = |name: &str, below: u8| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(below));
        params
    };
    let root = rcgen::CertifiedIssuer::self_signed(named("root", 1), rcgen::KeyPair::generate().unwrap());
    let root = root.unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let between = named("between", 0).signed_by(&key, &root).unwrap();
    let bundle = format!("{}{}", between.pem(), root.pem());
    let theirs = Authority::from_pem(&bundle, key.serialize_pem().into()).unwrap();
    let decision = given(&Stored::default(), Some(&Arc::new(theirs)), at(0)).unwrap();
    let (_, shown) = pair(&after(&decision));
    assert_eq!(certificates(&shown).count(), 2);
    assert!(accepted(&root.pem(), &shown, at(0)), "who trusts only the root can follow");
    let stored = after(&decision);
    assert!(given(&stored, None, at(1)).unwrap().writes(&home(), &stored).is_empty());
}

#[test]
fn an_authority_of_the_users_that_comes_after_another_is_trusted_first() {
    let before = after(&made(&Stored::default(), at(0)));
    let theirs = authority("company", 1000);
    let taken = given(&before, Some(&theirs), at(1)).unwrap();
    assert!(taken.authorities.next.as_ref().unwrap().same(&theirs));
    assert!(!taken.authorities.current.same(&theirs));
    assert_eq!(certificates(&text(taken.secrets.last(), AUTHORITY_CERTIFICATE)).count(), 2);
    let stored = after(&taken);
    let again = given(&stored, Some(&theirs), at(2)).unwrap();
    assert!(again.writes(&home(), &stored).is_empty(), "a second run has nothing to do");
    // Nobody waits for an authority that has expired.
    let late = given(&before, Some(&authority("company", 5000)), at(4000)).unwrap();
    assert_eq!(Facts::read(late.authorities.current.certificate_pem()).unwrap().subject, "company");
}

#[test]
fn an_authority_in_a_secret_of_the_users_is_only_read() {
    let theirs = after(&made(&Stored::default(), at(0))).authority.unwrap();
    let policy = policy(Source::Secret("company".into()));
    let mut secret = theirs.clone();
    secret.metadata.name = Some("company".into());
    secret.metadata.labels = None;
    let stored = Stored { authority: Some(secret), leaf: None };
    let decision = decide(&home(), &policy, &stored, None, at(1)).unwrap();
    let written: Vec<_> = decision.writes(&home(), &stored).into_iter().map(|(secret, _)| secret).collect();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].metadata.name.as_deref(), Some("pgo-tls"));
    let error = decide(&home(), &policy, &Stored::default(), None, at(1)).unwrap_err().to_string();
    assert!(error.contains("secret home/company"), "{error}");
    let late = decide(&home(), &policy, &stored, None, at(3651));
    assert!(matches!(late, Err(Error::Expired { .. })));
}
