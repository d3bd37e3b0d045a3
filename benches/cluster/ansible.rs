//! Installing with Ansible's collection `kubernetes.core`: a template for each object, created one after the other.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::{install, site::Site};

/// The exit code of `prepare.sh` where Ansible can't be had.
const UNAVAILABLE: i32 = 3;

/// Ansible, ready to run.
pub(crate) struct Ansible {
    home: PathBuf,
    /// Its versions, for the report.
    pub(crate) versions: String,
}

impl Ansible {
    /// Looks for Ansible below the directory of built programs, and fetches it the first time. The reason where it can't be
    /// had is no error: everything else can be measured without.
    pub(crate) fn prepare() -> anyhow::Result<Result<Self, String>> {
        let mut command = Command::new(scripts().join("prepare.sh"));
        command.arg(env!("CARGO_TARGET_TMPDIR"));
        let output = command.output().with_context(|| format!("{command:?}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(UNAVAILABLE) {
            return Ok(Err(said.lines().last().unwrap_or("it didn't say why").to_owned()));
        }
        anyhow::ensure!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
        let home = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let requirements = fs_err::read_to_string(scripts().join("requirements.txt"))?;
        let pins = requirements.lines().filter(|line| !line.starts_with('#'));
        let versions = pins.map(|pin| pin.replace("==", " ")).collect::<Vec<_>>().join(", ");
        Ok(Ok(Self { home, versions }))
    }

    /// Seconds that the playbook takes, from the start of `ansible-playbook` to its end. The templates are written before
    /// the clock starts.
    pub(crate) async fn install(&self, site: &Site) -> anyhow::Result<f64> {
        let objects = install::objects(site)?;
        let count = objects.len();
        let folder = tempfile::tempdir()?;
        for (number, object) in objects.iter().enumerate() {
            let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
            let file = folder.path().join(format!("{number:03}-{kind}.yaml.j2"));
            fs_err::write(file, template(object, site)?)?;
        }
        let mut command = Command::new(self.home.join("bin/ansible-playbook"));
        let values = json!({
            "templates": folder.path(),
            "installation": site.home(),
            "databases": site.databases(),
        });
        command.args(["-i", "localhost,", "-e", &values.to_string()]).arg(scripts().join("install.yml"));
        // Settings and callbacks of whoever runs this stay out of it, and so does what a run leaves behind.
        let settings = folder.path().join("ansible.cfg");
        fs_err::write(&settings, "")?;
        command.env("ANSIBLE_CONFIG", settings).env("ANSIBLE_HOME", folder.path().join("home"));
        command.env("ANSIBLE_LOCALHOST_WARNING", "False");
        let begun = Instant::now();
        let said = tokio::task::spawn_blocking(move || install::finish(command, None)).await??;
        let seconds = begun.elapsed().as_secs_f64();
        // An empty list of templates would be a fast success. A definition that was there already is ok, others are changed.
        let made = said.lines().filter(|line| line.contains("=> (item=") && !line.contains("failed"));
        let made = made.count();
        anyhow::ensure!(made == count, "Ansible made {made} of {count} objects:\n{said}");
        Ok(seconds)
    }
}

fn scripts() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/cluster/ansible"))
}

/// An object as a template: names of the installation are variables, and what looks like a template's mark is escaped.
fn template(object: &Value, site: &Site) -> anyhow::Result<String> {
    let mut text = serde_saphyr::to_string(object)?;
    for mark in ["{{", "{%", "{#"] {
        anyhow::ensure!(!text.contains(mark), "an object holds {mark}, which a template has to escape");
    }
    // The longer name first, since it begins with the other.
    for (name, variable) in
        [(site.databases().as_str(), "{{ databases }}"), (site.home(), "{{ installation }}")]
    {
        text = text.replace(name, variable);
    }
    Ok(text)
}
