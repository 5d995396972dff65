//! What settings there are: read off the types' schema, so that names, bounds and meanings are written once, in Rust.

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::duration;

/// What the names of our environment variables start with.
pub const PREFIX: &str = "MARKETPLACE_";

/// Stands in a path for the name of a table's entry, where entries are groups of settings themselves.
pub const ANY: &str = "*";

/// One setting: a leaf of the tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its path, as in `router.listen`.
    pub path: String,
    /// Its environment variable.
    pub variable: String,
    /// What its values are.
    pub kind: Kind,
    /// Its default; `null` when there is none, and `***` for a secret.
    pub default: Json,
    /// What it means: the doc comment of its field, in Markdown.
    pub meaning: String,
    /// The path that it had in an earlier release, which is still read. A field says `x-formerly`, with its old name.
    pub formerly: Option<String>,
}

/// What the values of a setting are.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any string, or only one that is not empty.
    Text {
        /// Whether the empty string is refused.
        filled: bool,
    },
    /// A string that is never shown.
    Secret,
    /// An `http` or `https` URL.
    Url,
    /// An IP address with a port.
    Address,
    /// `true` or `false`.
    Switch,
    /// An integer in these bounds, both included.
    Whole {
        /// The smallest.
        min: Option<i64>,
        /// The largest.
        max: Option<u64>,
    },
    /// A number in these bounds, both included.
    Number {
        /// The smallest.
        min: Option<f64>,
        /// The largest.
        max: Option<f64>,
    },
    /// A duration.
    Duration {
        /// Whether 0 is refused.
        above_zero: bool,
    },
    /// One of these strings, each with its meaning.
    OneOf(Vec<(String, String)>),
    /// A list of strings.
    List {
        /// The least number of entries.
        min: u64,
    },
    /// Strings, or groups of settings, by name.
    Table,
}

/// What a type's settings are.
#[derive(Debug, Clone, Default)]
pub struct Described {
    /// Every setting by path. A table also has one entry for each name in its default, and one under [`ANY`] for each setting
    /// that an entry has.
    pub settings: BTreeMap<String, Setting>,
    /// The meaning of each group of settings, by the group's path.
    pub groups: BTreeMap<String, String>,
}

/// Reads the settings off a type.
#[must_use]
pub fn describe<T: JsonSchema + Default + Serialize>() -> Described {
    let generator = SchemaSettings::default()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let schema = generator.into_root_schema_for::<T>().to_value();
    let defaults = serde_json::to_value(T::default()).expect("settings are plain data");
    let mut found = Described::default();
    collect("", &schema, &defaults, &mut found);
    found
}

/// The environment variable of a setting's path.
#[must_use]
pub fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

fn collect(path: &str, schema: &Json, default: &Json, found: &mut Described) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            collect(&below(name), field, &default[name], found);
        }
        found.groups.insert(path.to_owned(), meaning(schema));
        return;
    }
    let kind = kind(schema, default);
    if kind == Kind::Table {
        let entry = &schema["additionalProperties"];
        if let Some(fields) = entry["properties"].as_object() {
            let defaults = fields.iter();
            let defaults: Map<_, _> = defaults
                .map(|(name, field)| (name.clone(), field["default"].clone()))
                .collect();
            collect(&below(ANY), entry, &defaults.into(), found);
        }
        let entries = default.as_object().into_iter().flatten();
        for (name, value) in entries {
            let mut entry = schema["additionalProperties"].clone();
            entry["description"] = schema["description"].clone();
            collect(&below(name), &entry, value, found);
        }
    }
    let setting = Setting {
        path: path.to_owned(),
        variable: variable(path),
        kind,
        default: default.clone(),
        meaning: meaning(schema),
        formerly: formerly(path, schema),
    };
    found.settings.insert(setting.path.clone(), setting);
}

fn meaning(schema: &Json) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn formerly(path: &str, schema: &Json) -> Option<String> {
    let old = schema["x-formerly"].as_str()?;
    Some(match path.rsplit_once('.') {
        Some((group, _)) => format!("{group}.{old}"),
        None => old.to_owned(),
    })
}

fn kind(schema: &Json, default: &Json) -> Kind {
    let format = schema["format"].as_str().unwrap_or_default();
    if let Some(variants) = schema["oneOf"].as_array() {
        return Kind::OneOf(variants.iter().flat_map(variant).collect());
    }
    if let Some(names) = schema["enum"].as_array() {
        let named = |name: &Json| Some((name.as_str()?.to_owned(), String::new()));
        return Kind::OneOf(names.iter().filter_map(named).collect());
    }
    match (type_of(schema), format) {
        ("boolean", _) => Kind::Switch,
        ("integer", _) => whole(schema),
        ("number", _) => Kind::Number {
            min: schema["minimum"].as_f64(),
            max: schema["maximum"].as_f64(),
        },
        ("array", _) => Kind::List {
            min: schema["minItems"].as_u64().unwrap_or(0),
        },
        ("object", _) => Kind::Table,
        (_, "password") => Kind::Secret,
        (_, "uri") => Kind::Url,
        (_, duration::FORMAT) => Kind::Duration {
            above_zero: schema[duration::ABOVE_ZERO] == true,
        },
        _ if is_address(default) => Kind::Address,
        _ => Kind::Text {
            filled: schema["minLength"].as_u64() > Some(0),
        },
    }
}

/// The type of a value that may also be left out.
fn type_of(schema: &Json) -> &str {
    match &schema["type"] {
        Json::Array(types) => types
            .iter()
            .filter_map(Json::as_str)
            .find(|name| *name != "null")
            .unwrap_or_default(),
        name => name.as_str().unwrap_or_default(),
    }
}

fn variant(schema: &Json) -> Vec<(String, String)> {
    let meaning = meaning(schema);
    let names = schema["enum"].as_array().cloned().unwrap_or_default();
    std::iter::once(&schema["const"])
        .chain(&names)
        .filter_map(|name| Some((name.as_str()?.to_owned(), meaning.clone())))
        .collect()
}

/// The schema gives a size in bits where the type has no bound of its own in it.
fn whole(schema: &Json) -> Kind {
    let of_type = match schema["format"].as_str() {
        Some("uint8") => Some(u64::from(u8::MAX)),
        Some("uint16") => Some(u64::from(u16::MAX)),
        Some("uint32") => Some(u64::from(u32::MAX)),
        Some("int32") => u64::try_from(i32::MAX).ok(),
        _ => None,
    };
    Kind::Whole {
        min: schema["minimum"].as_i64(),
        max: schema["maximum"].as_u64().or(of_type),
    }
}

fn is_address(default: &Json) -> bool {
    let parsed = default.as_str().map(str::parse::<std::net::SocketAddr>);
    matches!(parsed, Some(Ok(_)))
}

impl Setting {
    /// This setting of the entry that `path` names, if this is one of every entry and `path` one of them.
    pub(super) fn of_entry(&self, path: &str) -> Option<Self> {
        let (own, other) = (self.path.split('.'), path.split('.'));
        let is_of = own.clone().count() == other.clone().count()
            && own
                .zip(other)
                .all(|(own, other)| own == ANY || own == other);
        is_of.then(|| Self {
            path: path.to_owned(),
            ..self.clone()
        })
    }

    /// The path that a variable names, if this is a setting of every entry. The entry's name is lower case then.
    pub(super) fn path_of(&self, name: &str) -> Option<String> {
        let (before, after) = self.variable.split_once(ANY)?;
        let entry = name.strip_prefix(before)?.strip_suffix(after)?;
        (!entry.is_empty()).then(|| self.path.replacen(ANY, &entry.to_lowercase(), 1))
    }
}

/// Puts a value into a tree of objects, making those on the way.
pub(super) fn put(tree: &mut Json, path: &str, value: Json) {
    let mut place = tree;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Json::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value;
}

/// The value at a path; `null` where there is none.
#[must_use]
pub fn at<'a>(tree: &'a Json, path: &str) -> &'a Json {
    path.split('.').fold(tree, |place, name| &place[name])
}
