//! The settings in force, each with its origin. A secret shows as `***`, and so does a password in an address.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chassis::config::{self, Loaded, Origin};
use serde_json::{Value, json};

use crate::settings::Settings;

/// Origins stand in one column of a section, but no further right than this.
const COLUMN: usize = 56;

/// A settings file that would give the same settings (but for secrets), with each origin as a comment.
pub(super) fn toml(loaded: &Loaded<Settings>) -> String {
    let mut sections: BTreeMap<String, Vec<(String, Origin)>> = BTreeMap::new();
    for (path, value, origin) in rows(loaded) {
        let (section, name) = path.rsplit_once('.').unwrap_or(("", &path));
        let line = match value {
            Value::Null => format!("# {name} ="),
            value => format!("{name} = {}", literal(&value)),
        };
        let section = sections.entry(section.to_owned()).or_default();
        section.push((line, origin));
    }
    let mut text =
        "# Every setting in force and where its value comes from; secrets show as ***.\n"
            .to_owned();
    for (section, lines) in sections {
        let head = match section.as_str() {
            "" => String::new(),
            section => format!("[{}]\n", quoted(section)),
        };
        let longest = lines.iter().map(|(line, _)| line.chars().count()).max();
        let width = longest.unwrap_or_default().min(COLUMN);
        text.push_str(&format!("\n{head}"));
        for (line, origin) in lines {
            writeln!(text, "{line:<width$}  # {origin}").expect("writing to a string cannot fail");
        }
    }
    text
}

/// A list of objects, by path.
pub(super) fn json(loaded: &Loaded<Settings>) -> String {
    let rows: Vec<Value> = rows(loaded)
        .map(|(setting, value, origin)| {
            json!({
                "variable": config::variable(&setting), "setting": setting,
                "value": value, "origin": origin,
            })
        })
        .collect();
    format!("{:#}", Value::from(rows))
}

/// A section's name, whose parts may be any text.
fn quoted(section: &str) -> String {
    let is_bare = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
    let parts = section.split('.').map(|part| {
        if part.chars().all(is_bare) {
            part.to_owned()
        } else {
            toml::Value::from(part).to_string()
        }
    });
    parts.collect::<Vec<_>>().join(".")
}

/// Path, value and origin of each setting; a table gives its entries.
fn rows(loaded: &Loaded<Settings>) -> impl Iterator<Item = (String, Value, Origin)> {
    let values = serde_json::to_value(&loaded.settings).expect("settings are plain data");
    let mut rows = BTreeMap::new();
    for path in config::describe::<Settings>().settings.into_keys() {
        if !path.split('.').any(|part| part == config::ANY) {
            let value = config::at(&values, &path).clone();
            spread(path, value, &mut rows);
        }
    }
    rows.into_iter().map(|(path, value)| {
        let origin = loaded.origin(&path);
        (path, without_passwords(value), origin)
    })
}

fn spread(path: String, value: Value, rows: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(entries) => {
            for (name, value) in entries {
                spread(format!("{path}.{name}"), value, rows);
            }
        }
        value => {
            rows.insert(path, value);
        }
    }
}

fn without_passwords(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(config::mask_urls(&text).into_owned()),
        Value::Array(values) => values.into_iter().map(without_passwords).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, without_passwords(value)))
            .collect(),
        plain => plain,
    }
}

fn literal(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string(),
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Common;

    fn loaded() -> Loaded<Settings> {
        let common = Common {
            port_offset: Some(100),
            set: vec!["postgres.url=postgres://u:hidden@h/".into()],
            ..Common::default()
        };
        Settings::load_with_origins(&common).unwrap()
    }

    #[test]
    fn what_is_printed_is_a_settings_file_with_origins_and_no_secret() {
        let text = toml(&loaded());
        let read: Value = toml::from_str(&text).unwrap();
        assert_eq!(read["router"]["listen"], "127.0.0.1:4100");
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        assert!(line("listen = \"127.0.0.1:4100\"").ends_with("# follows --port-offset 100"));
        assert!(line("url = \"***\"").ends_with("# flag --set postgres.url"));
        assert!(line("loms_url = ").ends_with("# follows loms.grpc_listen"));
        assert!(line("# jwks =").ends_with("# default"));
        assert!(!text.contains("hidden"), "{text}");
    }

    /// Every setting that is a text is given an address with a password, by itself. Fails with the rows as they are.
    #[test]
    fn no_setting_shows_the_password_of_an_address() {
        let mut tried = 0;
        for setting in config::describe::<Settings>().settings.into_keys() {
            for shape in ["http://u:hidden@h/", "[\"http://u:hidden@h/\"]"] {
                let common = Common {
                    set: vec![format!("{setting}={shape}")],
                    ..Common::default()
                };
                match Settings::load_with_origins(&common) {
                    Ok(loaded) => {
                        tried += 1;
                        let text = toml(&loaded) + &json(&loaded);
                        assert!(!text.contains("hidden"), "{setting}: {text}");
                    }
                    Err(refused) => {
                        let told = refused.to_string();
                        assert!(!told.contains("hidden"), "{setting}: {told}");
                    }
                }
            }
        }
        assert!(tried > 10, "{tried}");
    }

    #[test]
    fn as_json_each_setting_has_value_and_origin() {
        let rows: Vec<Value> = serde_json::from_str(&json(&loaded())).unwrap();
        let cart = rows
            .iter()
            .find(|row| row["setting"] == "router.subgraph_urls.cart")
            .unwrap();
        assert_eq!(cart["value"], "http://127.0.0.1:4201/graphql");
        assert_eq!(cart["origin"], "follows subgraphs.cart_listen");
        assert_eq!(cart["variable"], "MARKETPLACE_ROUTER_SUBGRAPH_URLS_CART");
    }
}
