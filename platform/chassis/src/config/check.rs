//! Whether a value suits its setting. The bounds are the schema's, so the reference tells the same ones.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value as Json;

use super::setting::{Kind, Setting};

/// Reads a value that came as text: from a variable, a file or a flag. An empty text leaves an optional setting unset.
///
/// A text stays a text where the setting is one, so that a password of digits is no number.
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
/// What is wrong, in words that follow "is refused:".
pub(super) fn check(setting: &Setting, value: &Json) -> Result<(), String> {
    if value.is_null() && setting.default.is_null() {
        return Ok(());
    }
    match &setting.kind {
        Kind::Text { filled: true } if value == "" => Err("it is empty".into()),
        Kind::Text { .. } | Kind::Secret => text(value).map(drop),
        Kind::Url => url(text(value)?),
        Kind::Address => address(text(value)?),
        Kind::Switch => value.as_bool().map(drop).ok_or_else(|| no("switch", value)),
        Kind::Whole { min, max } => whole(value, *min, *max),
        Kind::Number { min, max } => number(value, *min, *max),
        Kind::Duration { above_zero } => duration(text(value)?, *above_zero),
        Kind::OneOf(variants) => {
            let given = text(value)?;
            match variants.iter().any(|(name, _)| name == given) {
                true => Ok(()),
                false => Err("there is no such choice".into()),
            }
        }
        Kind::List { min } => texts(value, *min),
        Kind::Table => value
            .as_object()
            .map(drop)
            .ok_or_else(|| no("table", value)),
    }
}

fn text(value: &Json) -> Result<&str, String> {
    value.as_str().ok_or_else(|| no("text", value))
}

fn no(wanted: &str, value: &Json) -> String {
    let given = match value {
        Json::Null => "nothing",
        Json::Bool(_) => "a switch",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "a table",
    };
    format!("it is {given}, not a {wanted}")
}

fn url(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text).map_err(|error| format!("it is no URL ({error})"))?;
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(_)) => Ok(()),
        ("http" | "https", None) => Err("the URL has no host".into()),
        (scheme, _) => Err(format!("the URL's scheme is {scheme}")),
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
            Err(
                "a listener's address is numbers, not a name (0.0.0.0 means every interface)"
                    .into(),
            )
        }
        Err(_) => Err("it is no IP address with a port".into()),
    }
}

fn whole(value: &Json, min: Option<i64>, max: Option<u64>) -> Result<(), String> {
    let Some(number) = value
        .as_i64()
        .map(i128::from)
        .or(value.as_u64().map(i128::from))
    else {
        return Err(match value {
            Json::Number(_) => "it is no whole number".into(),
            _ => no("number", value),
        });
    };
    match (min, max) {
        (Some(min), _) if number < i128::from(min) => Err(format!("it is below {min}")),
        (_, Some(max)) if number > i128::from(max) => Err(format!("it is above {max}")),
        _ => Ok(()),
    }
}

fn number(value: &Json, min: Option<f64>, max: Option<f64>) -> Result<(), String> {
    let number = value.as_f64().ok_or_else(|| no("number", value))?;
    match (min, max) {
        (Some(min), _) if number < min => Err(format!("it is below {min}")),
        (_, Some(max)) if number > max => Err(format!("it is above {max}")),
        _ => Ok(()),
    }
}

fn duration(text: &str, above_zero: bool) -> Result<(), String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) if above_zero => Err("0 is no time at all".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is no span of time ({error})")),
    }
}

fn texts(value: &Json, min: u64) -> Result<(), String> {
    let entries = value.as_array().ok_or_else(|| no("list", value))?;
    if let Some(wrong) = entries.iter().find(|entry| !entry.is_string()) {
        return Err(format!("the entry {wrong} is no text"));
    }
    let count = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    match count < min {
        true => Err(format!("it has {count} entries")),
        false => Ok(()),
    }
}
