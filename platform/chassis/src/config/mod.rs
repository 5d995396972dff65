//! Settings in layers: defaults < `marketplace.toml` < `MARKETPLACE_*` < flags.
//!
//! Names, types, bounds and meanings come from the settings' own types, so that a wrong value is refused with the
//! words of the reference. Invariant: whatever stops the start says which setting it is, where the value came from and
//! what to write instead; a key that nobody reads stops the start too, but for what Kubernetes says of its Services. The variable of a setting is its path in upper
//! case: `comments.edit_window` is `MARKETPLACE_COMMENTS_EDIT_WINDOW`; with `_FILE` behind it, it names a file that
//! holds the value. Start reading at [`load`].

mod check;
pub mod duration;
mod error;
mod file;
mod origin;
mod secret;
mod service_link;
mod setting;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

pub use self::{
    error::Error,
    file::FILE,
    origin::Origin,
    secret::{Secret, mask_urls},
    setting::{ANY, Described, Kind, PREFIX, Setting, at, describe, variable},
};

/// Behind the name of a variable: the value is in the file that this one names.
const FILE_SUFFIX: &str = "_FILE";

/// Where settings come from, besides their defaults.
#[derive(Debug, Clone)]
pub struct Sources {
    /// A file that must exist; without one, [`FILE`] is read if it does.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not start with [`PREFIX`], and those of Kubernetes, are ignored.
    pub env: Vec<(String, String)>,
    flags: Vec<Flag>,
}

#[derive(Debug, Clone)]
struct Flag {
    path: String,
    value: String,
    typed: String,
}

impl Default for Sources {
    /// The process's environment and no flags.
    fn default() -> Self {
        let env = std::env::vars_os();
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            file: None,
            env: env.filter_map(text).collect(),
            flags: Vec::new(),
        }
    }
}

impl Sources {
    /// Only what is added: for tests.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            file: None,
            env: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Adds a flag: `path` as in `router.listen`, the value as a person types it, and the flag that was typed.
    #[must_use]
    pub fn flag(
        mut self,
        path: impl Into<String>,
        value: impl Into<String>,
        typed: impl Into<String>,
    ) -> Self {
        self.flags.push(Flag {
            path: path.into(),
            value: value.into(),
            typed: typed.into(),
        });
        self
    }
}

/// Settings with the origin of each.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    origins: BTreeMap<String, Origin>,
    renamed: Vec<Renamed>,
}

/// A setting that was given by the name of an earlier release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The old name, which is read for one more release.
    pub old: String,
    /// The name to write now.
    pub new: String,
    /// Where the old name stands.
    pub origin: Origin,
}

impl<T> Loaded<T> {
    /// What was given by an old name: each is worth a warning.
    #[must_use]
    pub fn renamed(&self) -> &[Renamed] {
        &self.renamed
    }

    /// Where the value at `path` came from.
    #[must_use]
    pub fn origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }

    /// Notes that somebody changed the value at `path` after it was loaded.
    pub fn set_origin(&mut self, path: &str, origin: Origin) {
        self.origins.insert(path.to_owned(), origin);
    }
}

/// Loads the settings of type `T`, whose structs all have serde defaults and refuse unknown fields.
///
/// # Errors
/// [`Error`] names the setting, where the value came from, and what is expected.
pub fn load<T>(sources: Sources) -> Result<Loaded<T>, Error>
where
    T: Default + Serialize + DeserializeOwned + JsonSchema,
{
    let mut layers = Layers::new(describe::<T>().settings);
    if let Some(file) = file::find(sources.file.as_deref())? {
        for entry in file::read(&file)? {
            let origin = Origin::File(file.clone(), entry.line);
            let path = layers.current(&entry.path, &origin);
            layers.give(&path, entry.value, origin)?;
        }
    }
    layers.variables(&sources.env)?;
    for flag in sources.flags {
        let origin = Origin::Flag(flag.typed);
        let path = layers.current(&flag.path, &origin);
        let setting = layers.find(&path, &origin)?;
        let value = check::parse(&setting, &flag.value);
        layers.give(&path, value, origin)?;
    }
    layers.finish()
}

/// The values that were given, later ones over earlier ones.
struct Layers {
    known: BTreeMap<String, Setting>,
    tree: Json,
    origins: BTreeMap<String, Origin>,
    renamed: Vec<Renamed>,
}

impl Layers {
    fn new(known: BTreeMap<String, Setting>) -> Self {
        Self {
            known,
            tree: Json::Object(serde_json::Map::new()),
            origins: BTreeMap::new(),
            renamed: Vec::new(),
        }
    }

    /// The path of today for one that may be of an earlier release, which is noted.
    fn current(&mut self, path: &str, origin: &Origin) -> String {
        let mut settings = self.known.values();
        let Some(setting) = settings.find(|it| it.formerly.as_deref() == Some(path)) else {
            return path.to_owned();
        };
        self.renamed.push(Renamed {
            old: path.to_owned(),
            new: setting.path.clone(),
            origin: origin.clone(),
        });
        setting.path.clone()
    }

    fn variables(&mut self, env: &[(String, String)]) -> Result<(), Error> {
        let paths: BTreeMap<String, String> = self
            .known
            .values()
            .flat_map(|setting| {
                let old = setting
                    .formerly
                    .iter()
                    .map(|old| (variable(old), old.clone()));
                old.chain([(setting.variable.clone(), setting.path.clone())])
            })
            .collect();
        let ours = || {
            env.iter().filter(|(name, value)| {
                name.starts_with(PREFIX) && !service_link::is_service_link(name, value)
            })
        };
        let names: BTreeSet<&str> = ours().map(|(name, _)| name.as_str()).collect();
        let path_of = |name: &str| {
            let of_entries = || self.known.values().filter_map(|it| it.path_of(name));
            // The longest setting is the one that is meant: of it, the entry's name takes the least.
            let of_entry = || of_entries().min_by_key(String::len);
            paths.get(name).cloned().or_else(of_entry)
        };
        let mut given = Vec::new();
        for (name, text) in ours() {
            let direct = path_of(name);
            let by_file = name
                .strip_suffix(FILE_SUFFIX)
                .and_then(|plain| Some((plain, path_of(plain)?)));
            let (path, text, origin) = match (direct, by_file) {
                (Some(path), _) => (path, text.clone(), Origin::Variable(name.clone())),
                (None, Some((plain, _))) if names.contains(plain) => {
                    let variable = plain.to_owned();
                    return Err(Error::Both { variable });
                }
                (None, Some((_, path))) => {
                    let origin = Origin::VariableFile(name.clone(), text.into());
                    let text = read_value(name, text, &path)?;
                    (path, text, origin)
                }
                (None, None) => {
                    return Err(Error::Unknown {
                        origin: Origin::Variable(name.clone()),
                        name: name.clone(),
                        hint: nearest(name, paths.keys()),
                    });
                }
            };
            given.push((path, text, origin));
        }
        for (path, text, origin) in given {
            let path = self.current(&path, &origin);
            let setting = self.find(&path, &origin)?;
            let value = check::parse(&setting, &text);
            self.give(&path, value, origin)?;
        }
        Ok(())
    }

    /// The setting at a path; an entry of a table is one like its neighbours.
    fn find(&self, path: &str, origin: &Origin) -> Result<Setting, Error> {
        if let Some(setting) = self.known.get(path) {
            return Ok(setting.clone());
        }
        if let Some(setting) = self.known.values().find_map(|it| it.of_entry(path)) {
            return Ok(setting);
        }
        let table = path
            .rsplit_once('.')
            .and_then(|(table, _)| self.known.get(table))
            .filter(|setting| setting.kind == Kind::Table);
        if let Some(table) = table {
            let under = format!("{}.", table.path);
            let of_entries = format!("{under}{ANY}.");
            if self.known.keys().any(|it| it.starts_with(&of_entries)) {
                return Ok(Setting {
                    path: path.to_owned(),
                    ..table.clone()
                });
            }
            let neighbour = self
                .known
                .values()
                .find(|other| other.path.starts_with(&under));
            let kind = neighbour.map_or(Kind::Text { filled: false }, |other| other.kind.clone());
            return Ok(Setting {
                path: path.to_owned(),
                kind,
                ..table.clone()
            });
        }
        Err(Error::Unknown {
            origin: origin.clone(),
            name: path.to_owned(),
            hint: self.hint(path),
        })
    }

    fn hint(&self, path: &str) -> String {
        let under = format!("{path}.");
        let below = self.known.keys().find(|known| known.starts_with(&under));
        let above = self
            .known
            .keys()
            .find(|known| path.starts_with(&format!("{known}.")));
        match (below, above) {
            (Some(below), _) => format!("it is a group of settings, such as {below}"),
            (None, Some(above)) => format!("{above} takes {}", self.known[above].kind),
            (None, None) => nearest(path, self.known.keys()),
        }
    }

    fn give(&mut self, path: &str, value: Json, origin: Origin) -> Result<(), Error> {
        let setting = self.find(path, &origin)?;
        if let Err(reason) = check::check(&setting, &value) {
            return Err(refused(&setting, &value, origin, reason));
        }
        setting::put(&mut self.tree, path, value);
        self.origins.insert(path.to_owned(), origin);
        Ok(())
    }

    /// Entries that were given join those of a table's default; a table is never emptied by one entry.
    fn finish<T: DeserializeOwned>(mut self) -> Result<Loaded<T>, Error> {
        for table in self.known.values().filter(|it| it.kind == Kind::Table) {
            let given = at(&self.tree, &table.path).clone();
            if given.is_object() && !self.origins.contains_key(&table.path) {
                let mut whole = table.default.clone();
                for (name, value) in given.as_object().into_iter().flatten() {
                    whole[name.as_str()] = value.clone();
                }
                setting::put(&mut self.tree, &table.path, whole);
            }
        }
        let Self {
            known,
            tree,
            origins,
            renamed,
        } = self;
        match serde_path_to_error::deserialize(&tree) {
            Ok(settings) => Ok(Loaded {
                settings,
                origins,
                renamed,
            }),
            Err(error) => {
                let path = error.path().to_string();
                let value = at(&tree, &path);
                let origin = origins.get(&path).cloned().unwrap_or(Origin::Default);
                let reason = error.inner().to_string();
                Err(match known.get(&path) {
                    Some(setting) => refused(setting, value, origin, reason),
                    None => Error::Value {
                        setting: path,
                        value: mask_urls(&value.to_string()).into_owned(),
                        origin: Box::new(origin),
                        reason: mask_urls(&reason).into_owned(),
                        expected: "what `marketplace config reference` says".into(),
                    },
                })
            }
        }
    }
}

fn refused(setting: &Setting, value: &Json, origin: Origin, reason: String) -> Error {
    let shown = match setting.kind {
        Kind::Secret => secret::MASK.to_owned(),
        _ => mask_urls(&value.to_string()).into_owned(),
    };
    Error::Value {
        setting: setting.path.clone(),
        value: shown,
        origin: Box::new(origin),
        reason: mask_urls(&reason).into_owned(),
        expected: error::expected(setting),
    }
}

/// The content of a file, without the line break that editors and `echo` put at its end.
fn read_value(variable: &str, file: &str, setting: &str) -> Result<String, Error> {
    let text = std::fs::read_to_string(file).map_err(|reason| Error::SecretFile {
        variable: variable.to_owned(),
        file: file.into(),
        setting: setting.to_owned(),
        reason,
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Names a longer one than this is not compared with: it is no slip of the finger.
const LONGEST_NAME: usize = 200;

/// The known name that this one is nearly, or that ends as it does; of a name that is near to none, where all are listed.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    // A third of its letters may be wrong.
    let most = name.len() / 3;
    let distance = |other: &'a String| {
        // A group that was left out, or another one.
        let tail = |of: &str| of.rsplit('.').next().map(str::to_owned);
        let is_same_tail = name.len() > 3 && tail(name) == tail(other);
        let distance = strsim::osa_distance(name, other);
        (is_same_tail || distance <= most).then_some((distance, other))
    };
    let is_name = name.len() <= LONGEST_NAME;
    let near = known.filter(|_| is_name).filter_map(distance).min();
    match near {
        Some((_, near)) => format!("is {near} meant? `marketplace config reference` lists all"),
        None => "`marketplace config reference` lists all settings".into(),
    }
}
