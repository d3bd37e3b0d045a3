//! Every setting of the old installer and what becomes of it.

use super::catalogue::{RESOURCE, SCALARS, STORAGE};

/// What becomes of an old setting.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It is there under the same name.
    Carried(Target),
    /// It is there under another name.
    Renamed(Target),
    /// It is there, and means something else; this is what.
    Changed(Target, &'static str),
    /// It has no place; this is why.
    Dropped(&'static str),
}

/// Where a setting goes, and how its value is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The path in the TOML file. `<ID>` stands for a number.
    pub(super) path: &'static str,
    pub(super) form: Form,
}

/// How an old value is read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// True or false.
    Bool,
    /// True or false, the other way round.
    Inverted,
    /// A number within bounds.
    Number(i64, i64),
    /// Seconds, as a duration.
    Seconds,
    /// Milliseconds, as a duration; -1 is "off".
    Milliseconds,
    /// Days, as a duration; 0 is nothing.
    Days,
    /// Any text.
    Text,
    /// A host, with or without a port and a scheme.
    Address,
    /// The name of a namespace.
    Namespace,
    /// Names of namespaces with commas between.
    Namespaces,
    /// The name of an installation.
    Installation,
    /// The name of an object of Kubernetes.
    Object,
    /// The name of an object of Kubernetes, one more in a list.
    Objects,
    /// A path, one more in a list.
    Paths,
    /// A database user.
    User,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Texts with commas between.
    List,
    /// Paths of addresses with commas between.
    Routes,
    /// The name of a bucket.
    Bucket,
    /// The name of a database.
    Database,
    /// A path.
    Path,
    /// A secret, which is called this.
    Secret(&'static str),
    /// The name of a storage.
    StorageName,
    /// The name of a set of resources.
    ResourceName,
    /// A part of a storage, of resources, of an image or of a volume, which is put together from several settings.
    Part,
}

/// A setting of the old installer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) fate: Fate,
}

/// A key that is known, with the number in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) key: &'static Key,
    /// The number of `storage5_size`, and the table it is about.
    pub(super) block: Option<(Block, u32)>,
}

/// What there can be many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Block {
    /// `storageN_…`
    Storage,
    /// `resourceN_…`
    Resource,
}

impl Block {
    /// What its tables are called.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Resource => "resource",
        }
    }

    /// The settings of one of them; their names are what follows the number.
    pub(super) fn keys(self) -> &'static [Key] {
        match self {
            Self::Storage => STORAGE,
            Self::Resource => RESOURCE,
        }
    }
}

impl Fate {
    /// Where it goes.
    pub(super) fn target(&self) -> Option<Target> {
        match self {
            Self::Carried(target) | Self::Renamed(target) | Self::Changed(target, _) => Some(*target),
            Self::Dropped(_) => None,
        }
    }
}

/// The entry of a key, if the old installer knew it.
pub(super) fn find(key: &str) -> Option<Known> {
    if let Some(key) = SCALARS.iter().find(|known| known.name == key) {
        return Some(Known { key, block: None });
    }
    [Block::Storage, Block::Resource].into_iter().find_map(|block| {
        let (number, part) = key.strip_prefix(block.word())?.split_once('_')?;
        // `storage01_size` was never looked up.
        let plain =
            number.bytes().all(|digit| digit.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
        let number = number.parse().ok().filter(|_| plain)?;
        let key = block.keys().iter().find(|key| key.name == part)?;
        Some(Known { key, block: Some((block, number)) })
    })
}

/// The known key that an unknown one is nearest to, when it is near enough to be meant.
pub(super) fn nearest(key: &str) -> Option<String> {
    let scalars = SCALARS.iter().map(|known| known.name.to_owned());
    let number: String = key.chars().filter(char::is_ascii_digit).collect();
    let number = if number.is_empty() { "1".to_owned() } else { number };
    let numbered = [Block::Storage, Block::Resource].into_iter().flat_map(|block| {
        let number = number.clone();
        block.keys().iter().map(move |key| format!("{}{number}_{}", block.word(), key.name))
    });
    scalars
        .chain(numbered)
        .map(|candidate| (strsim::damerau_levenshtein(key, &candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().min(key.len()) / 4).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
