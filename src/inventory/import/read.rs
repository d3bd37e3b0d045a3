//! Reads the files, finds out by their content what they are, and follows them to the values that they name.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    ImportError, ini,
    setting::{Fault, Given, Listing},
    yaml,
};

/// No inventory is nearly as large.
const LARGEST: u64 = 4 * 1024 * 1024;
/// How many files may lead to each other.
const MOST: usize = 64;

/// A file that was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) format: &'static str,
    pub(super) listing: Listing,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ini,
    Yaml,
    Vault,
    /// An inventory of pgherd's own.
    Toml,
}

/// Reads all files, each followed by the values that it names.
pub(super) fn all(files: &[PathBuf]) -> Result<Vec<Source>, ImportError> {
    let mut sources = Vec::new();
    let mut seen: Vec<PathBuf> = files.iter().map(|file| identity(file)).collect();
    for file in files {
        let mut next = Some(file.clone());
        while let Some(file) = next.take().filter(|_| sources.len() < MOST) {
            let mut source = one(&file)?;
            next = values(&file, &mut source.listing, files.len() > 1)
                .filter(|values| !seen.contains(&identity(values)))
                .inspect(|values| seen.push(identity(values)));
            sources.push(source);
        }
    }
    Ok(sources)
}

/// What tells whether two paths are the same file.
fn identity(path: &Path) -> PathBuf {
    fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn one(path: &Path) -> Result<Source, ImportError> {
    let not = |why: &'static str| ImportError::NotAnInventory { file: path.display().to_string(), why };
    // Opened first, since its error says best that a file isn't there.
    let mut file = fs_err::File::open(path).map_err(ImportError::Read)?;
    let size = file.metadata().map_err(ImportError::Read)?;
    if size.is_dir() {
        return Err(not("is a folder; name the files in it"));
    }
    if size.len() > LARGEST {
        return Err(not("is larger than any inventory"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(ImportError::Read)?;
    let text = String::from_utf8(bytes).map_err(|_| not("is no text in UTF-8"))?;
    text_of(&path.display().to_string(), &text).map_err(not)
}

/// Reads a file's text. The error says what it is when it is no old inventory.
pub(super) fn text_of(path: &str, text: &str) -> Result<Source, &'static str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (format, listing) = match detect(path, text) {
        Format::Ini => ("ini", ini::read(text, path)),
        Format::Yaml => ("yaml", yaml::read(text, path)),
        Format::Toml => return Err("is an inventory of pgherd already"),
        Format::Vault => {
            let fault = Fault {
                line: 1,
                why: "the whole file is encrypted by ansible-vault".to_owned(),
                advice: "Decrypt it with `ansible-vault decrypt`, and import it again.",
            };
            ("vault", Listing { settings: Vec::new(), faults: vec![fault] })
        }
    };
    Ok(Source { path: path.to_owned(), format, listing })
}

/// The first line that tells decides; the name does when none tells.
fn detect(path: &str, text: &str) -> Format {
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("$ANSIBLE_VAULT") {
            return Format::Vault;
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with("---") || line.starts_with(['%', '{']) || line.starts_with("- ") {
            return Format::Yaml;
        }
        if let Some(section) =
            line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name)
        {
            let ours = ["installation", "namespaces", "images", "defaults", "storage1"].contains(&section);
            let quoted = text.lines().any(|line| line.trim().starts_with("name = \""));
            return if ours && quoted { Format::Toml } else { Format::Ini };
        }
        let equals = line.find('=').unwrap_or(usize::MAX);
        let colon =
            line.find(": ").or_else(|| line.ends_with(':').then(|| line.len() - 1)).unwrap_or(usize::MAX);
        if equals != usize::MAX || colon != usize::MAX {
            return if colon < equals { Format::Yaml } else { Format::Ini };
        }
    }
    let is_yaml =
        Path::new(path).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml { Format::Yaml } else { Format::Ini }
}

/// The file that `config_path` names. What can't be followed is a fault, unless the user named the values as well.
fn values(file: &Path, listing: &mut Listing, several: bool) -> Option<PathBuf> {
    let setting = listing
        .settings
        .iter()
        .rfind(|setting| setting.key == "config_path" && setting.elsewhere.is_none())?;
    let line = setting.place.line;
    let Given::Text(text) = &setting.value else { return None };
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut text = text.trim().to_owned();
    // The playbook is beside its inventory.
    for variable in ["playbook_dir", "inventory_dir"] {
        for form in [format!("{{{{ {variable} }}}}"), format!("{{{{{variable}}}}}")] {
            text = text.replace(&format!("{form}/"), "").replace(&form, "");
        }
    }
    if text.is_empty() {
        return None;
    }
    let path = folder.join(&text);
    let why = if super::template::is_template(&text) {
        "config_path names the file with the values in a way that needs Ansible".to_owned()
    } else if path.is_file() {
        return Some(path);
    } else {
        format!("config_path names {}, which isn't there", path.display())
    };
    if !several {
        let advice = "Name the file with the values beside this one: pgherd inventory import inventory.yaml values.yaml";
        listing.faults.push(Fault { line, why, advice });
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_content_tells_what_a_file_is() {
        let cases = [
            ("localhost ansible_connection=local\n[all:vars]\n", Format::Ini),
            ("# c\n\n[all:vars]\nx: y=1\n", Format::Ini),
            ("localhost\nx=1", Format::Ini),
            ("---\nall:\n", Format::Yaml),
            ("db_port: \"5432\"\n", Format::Yaml),
            ("url: \"a=b\"\n", Format::Yaml),
            ("{\"db_port\": 1}", Format::Yaml),
            ("\n$ANSIBLE_VAULT;1.1;AES256\n", Format::Vault),
            ("[installation]\nname = \"x\"\n", Format::Toml),
            ("", Format::Ini),
        ];
        for (text, format) in cases {
            assert_eq!(detect("inventory", text), format, "{text:?}");
        }
        assert_eq!(detect("values.yaml", "# nothing\n"), Format::Yaml);
        assert!(text_of("x", "\u{feff}[all:vars]\nx=1").unwrap().listing.settings[0].key == "x");
    }

    #[test]
    fn the_values_that_an_inventory_names_are_read_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let inventory = folder.path().join("inventory.yaml");
        fs_err::write(
            &inventory,
            "all:\n  vars:\n    config_path: \"{{ playbook_dir }}/v.yaml\"\n    db_port: 1\n",
        )
        .unwrap();
        let missing = all(std::slice::from_ref(&inventory)).unwrap();
        assert_eq!((missing.len(), missing[0].listing.faults.len()), (1, 1));
        let values = folder.path().join("v.yaml");
        fs_err::write(&values, "db_port: 2\nconfig_path: v.yaml\n").unwrap();
        assert_eq!(all(std::slice::from_ref(&inventory)).unwrap().len(), 2);
        assert_eq!(all(&[inventory, values]).unwrap().len(), 2);
        assert!(matches!(all(&[folder.path().to_owned()]), Err(ImportError::NotAnInventory { .. })));
        assert!(matches!(all(&[folder.path().join("none")]), Err(ImportError::Read(_))));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", ascii in "[ -~\n\r\t]*") {
            let _ = text_of("inventory", &text);
            let _ = text_of("values.yaml", &ascii);
        }
    }
}
