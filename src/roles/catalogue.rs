//! The roles that there are: those embedded in the binary, each replaceable by a folder of the administrator.

use std::{collections::BTreeMap, path::Path};

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::Error;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/roles");

/// One role as its folder describes it.
#[derive(Clone, Debug)]
pub struct Role {
    /// The folder's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Roles of a lower wave are applied, and ready, before those of a higher one.
    pub wave: u8,
    /// Templates: the path to call them by, and their text, in the order of their names.
    pub templates: Vec<(String, String)>,
}

/// All roles, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Catalogue(Vec<Role>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    description: String,
    wave: u8,
}

impl Catalogue {
    /// The roles that come with pgherd; those that have a folder in `overrides` are taken from there as a whole.
    ///
    /// # Errors
    /// When a folder can't be read, isn't one of the roles, or has a template that doesn't quote what it interpolates.
    pub fn load(overrides: Option<&Path>) -> Result<Self, Error> {
        let mut folders = BTreeMap::new();
        for folder in EMBEDDED.dirs() {
            let name = folder.path().to_string_lossy().into_owned();
            let files = (folder.files())
                .map(|file| {
                    let path = format!("roles/{}", file.path().display());
                    (path, file.contents_utf8().unwrap_or_default().to_owned())
                })
                .collect();
            folders.insert(name, files);
        }
        if let Some(overrides) = overrides {
            for (name, files) in read_folders(overrides)? {
                match folders.get_mut(&name) {
                    Some(folder) => *folder = files,
                    None => return Err(Error::UnknownRole(name)),
                }
            }
        }
        let mut roles = (folders.into_iter())
            .map(|(name, files)| Role::new(name, files))
            .collect::<Result<Vec<_>, _>>()?;
        roles.sort_by(|one, other| (one.wave, &one.name).cmp(&(other.wave, &other.name)));
        Ok(Self(roles))
    }

    /// The roles, lowest wave first.
    pub fn iter(&self) -> impl Iterator<Item = &Role> {
        self.0.iter()
    }
}

fn read_folders(root: &Path) -> Result<BTreeMap<String, Vec<(String, String)>>, Error> {
    let mut folders = BTreeMap::new();
    for folder in fs_err::read_dir(root).map_err(Error::Read)? {
        let folder = folder.map_err(Error::Read)?;
        if !folder.path().is_dir() {
            continue;
        }
        let mut files = Vec::new();
        for file in fs_err::read_dir(folder.path()).map_err(Error::Read)? {
            let path = file.map_err(Error::Read)?.path();
            if path.is_file() {
                let text = fs_err::read_to_string(&path).map_err(Error::Read)?;
                files.push((path.display().to_string(), text));
            }
        }
        folders.insert(folder.file_name().to_string_lossy().into_owned(), files);
    }
    Ok(folders)
}

impl Role {
    fn new(name: String, files: Vec<(String, String)>) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Description { role: name.clone(), reason };
        let (descriptions, mut templates): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|(path, _)| path.ends_with("role.toml"));
        let (_, text) = descriptions.first().ok_or_else(|| wrong("it is missing".to_owned()))?;
        let Description { description, wave } =
            toml::from_str(text).map_err(|error| wrong(error.message().to_owned()))?;
        let is_yaml = |path: &str| Path::new(path).extension().is_some_and(|extension| extension == "yaml");
        templates.retain(|(path, _)| is_yaml(path));
        templates.sort();
        for (path, text) in &templates {
            refuse_unquoted(path, text)?;
        }
        Ok(Self { name, description, wave, templates })
    }
}

/// Every interpolation has to end in `| yaml`. A value that isn't quoted can turn into another type, or into YAML.
fn refuse_unquoted(file: &str, text: &str) -> Result<(), Error> {
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let after = &rest[start + 2..];
        let expression = after.find("}}").map_or(after, |end| &after[..end]);
        let expression = expression.trim_matches('-').trim();
        let last = expression.rsplit('|').next().unwrap_or_default().trim();
        if last != "yaml" || !expression.contains('|') {
            let consumed = text.len() - rest.len() + start;
            let line = text[..consumed].matches('\n').count() + 1;
            return Err(Error::Unquoted { file: file.to_owned(), line, expression: expression.to_owned() });
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_in_waves() {
        let catalogue = Catalogue::load(None).unwrap();
        let order: Vec<_> = catalogue.iter().map(|role| (role.wave, role.name.as_str())).collect();
        assert_eq!(
            order,
            [
                (1, "namespaces"),
                (2, "access"),
                (2, "certificates"),
                (2, "definitions"),
                (2, "network"),
                (2, "pull-secrets"),
                (3, "operator")
            ]
        );
    }

    #[test]
    fn an_unquoted_value_is_refused_with_its_place() {
        let error = refuse_unquoted("a.yaml", "x: {{ a | yaml }}\ny: {{ b }}\n").unwrap_err();
        assert_eq!(error.to_string(), "a.yaml:2: {{ b }} is not quoted: end it with `| yaml`");
        assert!(refuse_unquoted("a.yaml", "x: {{ yaml }}").is_err());
        assert!(refuse_unquoted("a.yaml", "x: {{ a | yaml | upper }}").is_err());
        assert!(refuse_unquoted("a.yaml", "x: {{- a | join(sep=\",\") | yaml -}}").is_ok());
    }

    #[test]
    fn a_folder_replaces_its_role_and_only_known_ones() {
        let folder = tempfile::tempdir().unwrap();
        let role = folder.path().join("operator");
        fs_err::create_dir(&role).unwrap();
        fs_err::write(role.join("role.toml"), "description = \"mine\"\nwave = 3\n").unwrap();
        let catalogue = Catalogue::load(Some(folder.path())).unwrap();
        let operator = catalogue.iter().find(|role| role.name == "operator").unwrap();
        assert_eq!((operator.description.as_str(), operator.templates.len()), ("mine", 0));
        fs_err::create_dir(folder.path().join("mistake")).unwrap();
        assert!(matches!(Catalogue::load(Some(folder.path())), Err(Error::UnknownRole(_))));
    }
}
