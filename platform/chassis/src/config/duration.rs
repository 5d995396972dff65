//! How a setting that is a duration describes itself: name one of these in `#[schemars(with = "…")]`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The format of a duration in the settings' schema.
pub(super) const FORMAT: &str = "duration";
/// The key under which one that must not be 0 says so.
pub(super) const ABOVE_ZERO: &str = "x-above-zero";

/// A duration longer than 0, written as `"250ms"`, `"10m"` or `"1h 30m"`.
#[derive(Debug)]
pub struct AboveZero;

/// A duration that may be 0, written as `"0s"`, `"250ms"`, `"10m"` or `"1h 30m"`.
#[derive(Debug)]
pub struct MayBeZero;

impl JsonSchema for AboveZero {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "AboveZero".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": FORMAT, ABOVE_ZERO: true })
    }
}

impl JsonSchema for MayBeZero {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MayBeZero".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": FORMAT })
    }
}
