//! Whether a value suits its setting. The bounds are the schema's, so the reference tells the same ones.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;

use super::setting::{Kind, Setting};

/// Reads a value that came as a string: from a variable, a file or a flag. An empty one leaves an optional setting unset.
///
/// A string stays a string where the setting is one, so that a password of digits is not read as a number.
pub(super) fn parse(setting: &Setting, text: &str) -> Json {
    let plain = || Json::from(text);
    if text.is_empty() && setting.default.is_null() {
        return Json::Null;
    }
    match &setting.kind {
        Kind::Switch => text.parse::<bool>().map_or_else(|_| plain(), Json::from),
        Kind::Whole { .. } => {
            let digits = text.replace('_', "");
            digits.parse::<i64>().map_or_else(|_| plain(), Json::from)
        }
        Kind::Number { .. } => text.parse::<f64>().map_or_else(|_| plain(), Json::from),
        Kind::List { .. } => list(text).unwrap_or_else(plain),
        Kind::Table => toml::from_str(&format!("value = {text}"))
            .map_or_else(|_| plain(), |table: Json| table["value"].clone()),
        Kind::Text { .. }
        | Kind::Secret
        | Kind::Url
        | Kind::Address
        | Kind::Duration { .. }
        | Kind::OneOf(_) => plain(),
    }
}

/// `a,b` or `["a", "b"]`.
fn list(text: &str) -> Option<Json> {
    if text.trim_start().starts_with('[') {
        let table: Json = toml::from_str(&format!("value = {text}")).ok()?;
        return Some(table["value"].clone());
    }
    let entries = text.split(',').map(str::trim);
    Some(entries.filter(|entry| !entry.is_empty()).collect())
}

/// Checks type and bounds.
///
/// # Errors
/// What is wrong, in words that follow "is invalid:".
pub(super) fn check(setting: &Setting, value: &Json) -> Result<(), String> {
    if value.is_null() && setting.default.is_null() {
        return Ok(());
    }
    match &setting.kind {
        Kind::Text { filled: true } if value == "" => Err("it must not be empty".into()),
        Kind::Text { .. } | Kind::Secret => text(value).map(drop),
        Kind::Url => url(text(value)?),
        Kind::Address => address(text(value)?),
        Kind::Switch => value
            .as_bool()
            .map(drop)
            .ok_or_else(|| not("true or false", value)),
        Kind::Whole { min, max } => whole(value, *min, *max),
        Kind::Number { min, max } => number(value, *min, *max),
        Kind::Duration { above_zero } => duration(text(value)?, *above_zero),
        Kind::OneOf(variants) => {
            let given = text(value)?;
            if variants.iter().any(|(name, _)| name == given) {
                Ok(())
            } else {
                Err("it must be one of the choices".into())
            }
        }
        Kind::List { min } => texts(value, *min),
        Kind::Table => value
            .as_object()
            .map(drop)
            .ok_or_else(|| not("a table", value)),
    }
}

fn text(value: &Json) -> Result<&str, String> {
    value.as_str().ok_or_else(|| not("a string", value))
}

fn not(wanted: &str, value: &Json) -> String {
    let given = match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a table",
    };
    format!("it must be {wanted}, not {given}")
}

fn url(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|error| format!("it must be a URL ({error})"))?;
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(_)) => Ok(()),
        ("http" | "https", None) => Err("the URL must have a host".into()),
        (scheme, _) => Err(format!(
            "the URL's scheme must be http or https, not {scheme}"
        )),
    }
}

fn address(text: &str) -> Result<(), String> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_)
            if text
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok()) =>
        {
            Err("it must be an IP address, not a name (0.0.0.0 means every interface)".into())
        }
        Err(_) => Err("it must be an IP address with a port".into()),
    }
}

fn whole(value: &Json, min: Option<i64>, max: Option<u64>) -> Result<(), String> {
    let Some(number) = value
        .as_i64()
        .map(i128::from)
        .or(value.as_u64().map(i128::from))
    else {
        return Err(match value {
            Json::Number(_) => "it must be an integer".into(),
            _ => not("an integer", value),
        });
    };
    match (min, max) {
        (Some(min), _) if number < i128::from(min) => Err(format!("it must be at least {min}")),
        (_, Some(max)) if number > i128::from(max) => Err(format!("it must be at most {max}")),
        _ => Ok(()),
    }
}

fn number(value: &Json, min: Option<f64>, max: Option<f64>) -> Result<(), String> {
    let number = value.as_f64().ok_or_else(|| not("a number", value))?;
    match (min, max) {
        (Some(min), _) if number < min => Err(format!("it must be at least {min}")),
        (_, Some(max)) if number > max => Err(format!("it must be at most {max}")),
        _ => Ok(()),
    }
}

fn duration(text: &str, above_zero: bool) -> Result<(), String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) if above_zero => Err("it must be greater than 0".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it must be a duration ({error})")),
    }
}

fn texts(value: &Json, min: u64) -> Result<(), String> {
    let entries = value.as_array().ok_or_else(|| not("a list", value))?;
    if let Some(wrong) = entries.iter().find(|entry| !entry.is_string()) {
        return Err(format!("the entry {wrong} must be a string"));
    }
    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    if count < min {
        Err(format!("it must have at least {min} entries, not {count}"))
    } else {
        Ok(())
    }
}
