//! How long the texts in variables may be, looked at before anything copies or checks them.

use serde_json::{Map, Value};

use crate::operation::limits::{Limits, within};
use crate::request::RequestError;

/// Refuses variables that hold a text which is too long, whether the operation uses it or not. How much all of them may
/// hold together is the transport's to bound.
///
/// # Errors
/// [`Code::LIMIT_EXCEEDED`](crate::request::Code::LIMIT_EXCEEDED) for the first text that is over the limit.
pub(crate) fn check_values(
    limits: &Limits,
    variables: &Map<String, Value>,
) -> Result<(), RequestError> {
    for (name, value) in variables {
        within("value_bytes", name.len(), limits.value_bytes)?;
        check(limits, value)?;
    }
    Ok(())
}

/// The reader of JSON has bounded the nesting.
fn check(limits: &Limits, value: &Value) -> Result<(), RequestError> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) => within("value_bytes", text.len(), limits.value_bytes),
        Value::Array(items) => items.iter().try_for_each(|item| check(limits, item)),
        Value::Object(members) => check_values(limits, members),
    }
}
