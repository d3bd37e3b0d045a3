//! Questions about certificates, and about what is outside of databases: the store of backups, and metrics.

use super::View;
use crate::cli::verbs::init::question::{Choice, Effect, Id, Question, values};

pub(super) fn tls(view: &View<'_>, all: &mut Vec<Question>) {
    let has = |path: &str| view.draft.has(path);
    let now = match (has("tls.authority_certificate"), has("tls.authority_secret")) {
        (true, _) => "files",
        (false, true) => "secret",
        (false, false) => "own",
    };
    let choices = vec![
        Choice::new("own", "pgherd's own authority"),
        Choice::new("files", "An authority of yours, in files"),
        Choice::new("secret", "An authority of yours, in a Secret"),
    ];
    let (certificate, key) = ("tls.authority_certificate", "tls.authority_key");
    let secret = "tls.authority_secret";
    let mut question = Question::choice(Id::Tls, "Who signs certificates?", choices)
        .help("Everything talks TLS: clients, replicas, Patroni, the operator.")
        .proposing(Some(now.to_owned()));
    for (answer, path) in [
        ("own", certificate),
        ("own", key),
        ("own", secret),
        ("files", secret),
        ("secret", certificate),
        ("secret", key),
    ] {
        question = question.with(Effect::Remove { answer, path });
    }
    all.push(question);
    let text =
        |id, title: &str, path: &str| Question::text(id, title).sets(path).proposing(view.draft.get(path));
    match view.answer(Id::Tls) {
        "files" => {
            all.push(text(Id::TlsCertificate, "File with the authority's certificate", certificate));
            all.push(text(Id::TlsKey, "File with its key", key));
        }
        "secret" => all.push(text(Id::TlsSecret, "Secret with the authority", secret)),
        _ => {}
    }
}

pub(super) fn s3(view: &View<'_>, all: &mut Vec<Question>) {
    let now = view.draft.has("s3.bucket");
    let mut question = Question::yes_no(Id::S3, "Backups in S3?", now)
        .help("In Amazon's store, or in one that speaks its protocol.");
    // Settings without a bucket are somebody's preparation; taking the proposal doesn't remove them.
    if now {
        question = question.with(Effect::Remove { answer: "no", path: "s3" });
    }
    all.push(question);
    if view.answer(Id::S3) != "yes" {
        return;
    }
    let text =
        |id, title: &str, path: &str| Question::text(id, title).sets(path).proposing(view.draft.get(path));
    all.push(text(Id::Bucket, "Bucket", "s3.bucket"));
    all.push(text(Id::Endpoint, "Host of the store", "s3.endpoint"));
    all.push(text(Id::Region, "Region", "s3.region"));
    let amazon = view.answer(Id::Endpoint).split('.').any(|label| label == "amazonaws");
    let usual = if amazon || view.draft.has("s3.bucket") { "host" } else { "path" };
    let style = view.draft.get("s3.uri_style").unwrap_or_else(|| usual.to_owned());
    all.push(
        Question::choice(Id::UriStyle, "Bucket in an address", values("s3.uri_style"))
            .sets("s3.uri_style")
            .proposing(Some(style)),
    );
    all.push(
        Question::text(Id::Key, "Id of the access key")
            .optional(true)
            .sets("s3.key")
            .proposing(view.propose("s3.key", None))
            .with(Effect::Remove { answer: "", path: "s3.secret" }),
    );
    if !view.answer(Id::Key).is_empty() {
        secret(view, all);
    }
}

/// Where the key's secret is. The secret itself is never asked for.
fn secret(view: &View<'_>, all: &mut Vec<Question>) {
    let place = |key: &str| view.draft.get(&format!("s3.secret.{key}"));
    let mut choices =
        vec![Choice::new("file", "In a file"), Choice::new("env", "In a variable of the environment")];
    let plain = view.draft.get("s3.secret").is_some() && place("file").is_none() && place("env").is_none();
    if plain {
        choices.push(Choice::new(
            "here",
            "In the inventory itself, as it is now; everybody who reads it sees it",
        ));
    }
    let now = if plain {
        "here"
    } else if place("env").is_some() {
        "env"
    } else {
        "file"
    };
    all.push(
        Question::choice(Id::SecretPlace, "Where is the secret that belongs to the key?", choices)
            .help("It isn't written into the inventory.")
            .proposing(Some(now.to_owned())),
    );
    let (title, key) = match view.answer(Id::SecretPlace) {
        "env" => ("Variable with the secret", "env"),
        "here" => return,
        _ => ("File with the secret", "file"),
    };
    let question = Question::text(Id::Secret, title).proposing(place(key));
    all.push(question.with(Effect::Secret { path: "s3.secret", key }));
}

pub(super) fn metrics(view: &View<'_>, all: &mut Vec<Question>) {
    let paths = ["metrics.prometheus.enabled", "metrics.grafana.enabled", "metrics.alertmanager.enabled"];
    let on = |path: &str| view.draft.get(path).as_deref() == Some("true");
    let now = paths.into_iter().any(on);
    let mut question = Question::yes_no(Id::Metrics, "Metrics?", now)
        .help("Prometheus, Grafana and Alertmanager, and an exporter in every database.");
    for path in paths.into_iter().chain(["defaults.exporter"]) {
        let when =
            |answer, value: &str| Effect::When { answer, path: path.to_owned(), value: value.to_owned() };
        // Somebody who has some of them stays with those.
        if !now {
            question = question.with(when("yes", "true"));
        } else if on(path) {
            question = question.with(when("no", "false"));
        }
    }
    all.push(question);
}
