//! Settings in layers: defaults < `marketplace.toml` < `MARKETPLACE_*` < flags.
//!
//! A key that nobody reads stops the start, with its name, where it came from and what is near it. The variable of
//! a setting is its path in upper case: `comments.edit_window` is `MARKETPLACE_COMMENTS_EDIT_WINDOW`.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value as Json;

/// The file that is read from the working directory when no other is named.
pub const FILE: &str = "marketplace.toml";
/// What the names of our environment variables start with.
pub const PREFIX: &str = "MARKETPLACE_";

/// A text that must not be shown: `Debug` and serialisation give `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself: for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "***" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "***" })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// Where settings come from, besides their defaults.
#[derive(Debug, Clone)]
pub struct Sources {
    /// A file that must exist; without one, [`FILE`] is read if it does.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not start with [`PREFIX`] are ignored.
    pub env: Vec<(String, String)>,
    flags: Vec<(String, String)>,
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

    /// Adds a flag: `path` as in `router.listen`, the value as a person types it.
    #[must_use]
    pub fn flag(mut self, path: impl Into<String>, value: impl Into<String>) -> Self {
        self.flags.push((path.into(), value.into()));
        self
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The named file does not exist.
    #[error("the settings file {0} does not exist; name another with --config")]
    NoFile(PathBuf),
    /// A name that no setting has.
    #[error("{origin} names no setting; {hint}")]
    Unknown {
        /// The variable or flag.
        origin: String,
        /// The nearest name, or where all are listed.
        hint: String,
    },
    /// A value of the wrong form, or an unknown key in the file.
    #[error("{0}")]
    Value(String),
}

/// Loads the settings of type `T`, whose structs all have serde defaults and refuse unknown fields.
///
/// # Errors
/// [`Error`] names the setting, where the value came from, and what is expected.
pub fn load<T>(sources: Sources) -> Result<T, Error>
where
    T: Default + Serialize + DeserializeOwned,
{
    let known = Known::of(&T::default());
    let mut figment = Figment::new();
    if let Some(file) = settings_file(sources.file.as_deref())? {
        figment = figment.merge(Toml::file_exact(file));
    }
    for (name, value) in sources
        .env
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
    {
        let path = known.by_variable(name)?;
        figment = figment.merge(Layer::new(
            format!("variable {name}"),
            path,
            known.value(path, value),
        ));
    }
    for (path, value) in &sources.flags {
        let path = known.by_path(path)?;
        figment = figment.merge(Layer::new(
            format!("flag {path}"),
            path,
            known.value(path, value),
        ));
    }
    figment
        .extract()
        .map_err(|error| Error::Value(sentence(error)))
}

fn settings_file(named: Option<&Path>) -> Result<Option<PathBuf>, Error> {
    match named {
        Some(path) if path.is_file() => Ok(Some(path.to_owned())),
        Some(path) => Err(Error::NoFile(path.to_owned())),
        None => Ok(Some(PathBuf::from(FILE)).filter(|path| path.is_file())),
    }
}

/// Every leaf of the settings with its default, by path and by variable.
struct Known {
    leaves: BTreeMap<String, Json>,
    variables: BTreeMap<String, String>,
}

impl Known {
    fn of(defaults: &impl Serialize) -> Self {
        let mut leaves = BTreeMap::new();
        let tree = serde_json::to_value(defaults).expect("settings are plain data");
        collect(String::new(), tree, &mut leaves);
        let variables = leaves
            .keys()
            .map(|path| (variable(path), path.clone()))
            .collect();
        Self { leaves, variables }
    }

    fn by_variable(&self, name: &str) -> Result<&str, Error> {
        self.variables
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| Error::Unknown {
                origin: format!("the variable {name}"),
                hint: hint(name, self.variables.keys()),
            })
    }

    fn by_path(&self, path: &str) -> Result<&str, Error> {
        self.leaves
            .get_key_value(path)
            .map(|(key, _)| key.as_str())
            .ok_or_else(|| Error::Unknown {
                origin: format!("the flag {path}"),
                hint: hint(path, self.leaves.keys()),
            })
    }

    /// A text stays a text where the default is one, so that a password of digits is no number.
    fn value(&self, path: &str, text: &str) -> Value {
        match self.leaves.get(path) {
            Some(Json::String(_)) => Value::from(text),
            Some(_) | None => text.parse().unwrap_or_else(|_| Value::from(text)),
        }
    }
}

fn collect(path: String, value: Json, leaves: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                collect(path, value, leaves);
            }
        }
        leaf => {
            leaves.insert(path, leaf);
        }
    }
}

/// The environment variable of a setting's path.
#[must_use]
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

fn hint<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let shared = |other: &str| {
        name.chars()
            .zip(other.chars())
            .take_while(|(a, b)| a == b)
            .count()
    };
    match known.max_by_key(|other| (shared(other), usize::MAX - other.len())) {
        Some(near) => format!("is {near} meant? `marketplace config print` lists all"),
        None => "there are no settings".into(),
    }
}

fn sentence(error: figment::Error) -> String {
    let lines: Vec<String> = error.into_iter().map(|error| error.to_string()).collect();
    format!(
        "{}; `marketplace config print` shows every setting",
        lines.join("; ")
    )
}

/// One value with the name of where it came from, for figment's messages.
struct Layer {
    origin: String,
    path: String,
    value: Value,
}

impl Layer {
    fn new(origin: String, path: &str, value: Value) -> Self {
        Self {
            origin,
            path: path.to_owned(),
            value,
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.path, self.value.clone());
        let dict = nested
            .into_dict()
            .ok_or("a setting needs a name".to_owned())?;
        Ok(Profile::Default.collect(dict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        comments: Comments,
        password: Secret,
        file: Option<PathBuf>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Comments {
        #[serde(with = "humantime_serde")]
        edit_window: std::time::Duration,
        lines: u32,
    }

    impl Default for Comments {
        fn default() -> Self {
            Self {
                edit_window: std::time::Duration::from_secs(900),
                lines: 3,
            }
        }
    }

    fn env(name: &str, value: &str) -> Sources {
        Sources {
            env: vec![(name.into(), value.into())],
            ..Sources::none()
        }
    }

    #[test]
    fn a_variable_is_the_path_and_a_flag_wins_over_it() {
        let sources = env("MARKETPLACE_COMMENTS_EDIT_WINDOW", "1s");
        let settings: Settings = load(sources.clone()).unwrap();
        assert_eq!(settings.comments.edit_window.as_secs(), 1);
        assert_eq!(settings.comments.lines, 3);
        let settings: Settings = load(sources.flag("comments.edit_window", "2s")).unwrap();
        assert_eq!(settings.comments.edit_window.as_secs(), 2);
    }

    #[test]
    fn a_password_of_digits_stays_a_text_and_is_never_shown() {
        let settings: Settings = load(env("MARKETPLACE_PASSWORD", "1234")).unwrap();
        assert_eq!(settings.password.expose(), "1234");
        assert!(
            !format!("{settings:?}{}", serde_json::to_string(&settings).unwrap()).contains("1234")
        );
    }

    #[test]
    fn an_unknown_variable_names_its_neighbour() {
        let error = load::<Settings>(env("MARKETPLACE_COMMENTS_EDIT_WINDOWS", "1s")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("MARKETPLACE_COMMENTS_EDIT_WINDOW meant"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_names_the_setting_and_its_origin() {
        let error = load::<Settings>(env("MARKETPLACE_COMMENTS_LINES", "many")).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("lines") && text.contains("MARKETPLACE_COMMENTS_LINES"),
            "{text}"
        );
    }
}
