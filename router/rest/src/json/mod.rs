//! JSON as existing clients write and read it: protobuf's JSON mapping for the gateways, strict numbers for cart.
//!
//! Numbers are read from their text, never through a float, so the edges of int64 and uint32 are exact. An input
//! that does not fit is [`Malformed`]; nothing here panics or allocates more than the body it was given.
//! Source: docs/contracts.md §1 (strict counts) and §3 (gateway JSON).

use std::fmt;

use chassis::request_rules::without_byte_order_mark;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

#[cfg(test)]
mod tests;

/// A body or query that cannot be read as its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

impl Malformed {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    fn field(name: &str, what: &str) -> Self {
        Self(format!("field {name:?}: {what}"))
    }
}

/// The members of a message in the order they came, each still as its JSON text.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Reads a body; an empty body is the empty message, as grpc-gateway has it.
    ///
    /// # Errors
    /// [`Malformed`] unless the body is one JSON object.
    pub(super) fn read(body: &[u8]) -> Result<Self, Malformed> {
        let body = without_byte_order_mark(body);
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body)
            .map_err(|error| Malformed::new(format!("syntax error: {error}")))
    }

    /// Reads a query string: every value is text, as if it were a JSON string.
    ///
    /// # Errors
    /// [`Malformed`] when a value has no JSON form, which no text can cause.
    pub(super) fn from_query(query: &str) -> Result<Self, Malformed> {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let read = pairs.map(|(name, value)| {
            let text = serde_json::value::to_raw_value(value.as_ref());
            Ok((
                name.into_owned(),
                text.map_err(|error| Malformed::new(error.to_string()))?,
            ))
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    /// Finds a field by any of its names; null and absent are the same.
    fn find(&self, names: &[&str]) -> Result<Option<&str>, Malformed> {
        let mut found = self
            .0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        let first = found.next();
        if found.next().is_some() {
            return Err(Malformed::field(
                names.first().unwrap_or(&""),
                "came more than once",
            ));
        }
        Ok(first
            .map(|(_, value)| value.get().trim())
            .filter(|text| *text != "null"))
    }

    /// A 64-bit integer, as a number or as a string; 0 when absent.
    ///
    /// # Errors
    /// [`Malformed`] when it is no whole number of 64 bits.
    pub(super) fn int64(&self, names: &[&str]) -> Result<i64, Malformed> {
        self.whole(names, "int64")
            .map(|found: Option<i64>| found.unwrap_or(0))
    }

    /// An unsigned 32-bit integer, as a number or as a string; 0 when absent.
    ///
    /// # Errors
    /// [`Malformed`] when it is no whole number of 32 bits, or negative.
    pub(super) fn uint32(&self, names: &[&str]) -> Result<u32, Malformed> {
        self.whole(names, "uint32")
            .map(|found: Option<u32>| found.unwrap_or(0))
    }

    fn whole<T: TryFrom<i128>>(&self, names: &[&str], kind: &str) -> Result<Option<T>, Malformed> {
        let Some(text) = self.find(names)? else {
            return Ok(None);
        };
        let name = names.first().unwrap_or(&"");
        let quoted: Option<String> = if text.starts_with('"') {
            serde_json::from_str(text).ok()
        } else {
            None
        };
        whole_number(quoted.as_deref().unwrap_or(text))
            .and_then(|number| T::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| Malformed::field(name, &format!("invalid value for {kind}")))
    }

    /// A string; empty when absent.
    ///
    /// # Errors
    /// [`Malformed`] when it is no string.
    pub(super) fn string(&self, names: &[&str]) -> Result<String, Malformed> {
        let Some(text) = self.find(names)? else {
            return Ok(String::new());
        };
        serde_json::from_str(text)
            .map_err(|_| Malformed::field(names.first().unwrap_or(&""), "invalid value for string"))
    }

    /// A list of messages; empty when absent.
    ///
    /// # Errors
    /// [`Malformed`] when it is no list of objects.
    pub(super) fn messages(&self, names: &[&str]) -> Result<Vec<Self>, Malformed> {
        let Some(text) = self.find(names)? else {
            return Ok(Vec::new());
        };
        serde_json::from_str(text).map_err(|_| {
            Malformed::field(
                names.first().unwrap_or(&""),
                "invalid value for a list of messages",
            )
        })
    }

    /// A number of cart's own JSON: digits alone, with neither quotes, fraction nor exponent; none when absent.
    ///
    /// # Errors
    /// [`Malformed`] for any other form. Source: docs/contracts.md §1, row "count".
    pub(super) fn plain_number(&self, name: &str) -> Result<Option<i64>, Malformed> {
        let Some(text) = self.find(&[name])? else {
            return Ok(None);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if plain { text.parse().ok() } else { None };
        number
            .map(Some)
            .ok_or_else(|| Malformed::field(name, "must be a whole number"))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Reads the text of a JSON number that is whole, also when written as `1.0` or `1e2`, as protobuf's JSON allows.
fn whole_number(text: &str) -> Option<i128> {
    let (negative, rest) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let legal = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty() || leading_zero || !legal(whole) || !legal(fraction) {
        return None;
    }
    let magnitude = scaled(whole, fraction, exponent)?;
    Some(if negative { -magnitude } else { magnitude })
}

/// The exponent, limited to where int64 surely has ended or begun.
fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|exponent: &i64| exponent.abs() <= 100)
}

/// `whole.fraction` times ten to the `exponent`, when that is a whole number of at most 30 digits.
fn scaled(whole: &str, fraction: &str, exponent: i64) -> Option<i128> {
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let shift = exponent + i64::try_from(trailing).ok()? - i64::try_from(fraction.len()).ok()?;
    let zeros = usize::try_from(shift).ok()?; // a negative shift leaves a fraction
    if significant.len() + zeros > 30 {
        return None;
    }
    format!("{significant}{}", "0".repeat(zeros)).parse().ok()
}

/// An int64 on its way out: a JSON string, as protobuf's JSON has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Int64(pub(super) i64);

impl Serialize for Int64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A GraphQL id or amount on its way in: decimal text that is an integer of `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal<T>(pub(super) T);

impl<'de, T: std::str::FromStr> Deserialize<'de> for Decimal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = match text.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte == b'0') => whole,
            Some(_) | None => &text,
        };
        whole
            .parse()
            .map(Self)
            .map_err(|_| serde::de::Error::custom("no decimal integer"))
    }
}

/// An instant in protobuf's JSON form: RFC 3339 in UTC with 0, 3, 6 or 9 fractional digits.
pub(super) fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
