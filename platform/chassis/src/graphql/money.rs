//! Money in the graph: a decimal text and a currency, never a float.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};

/// The currency of every price. Source: docs/contracts.md §5.
const CURRENCY: &str = "RUB";

/// A decimal number as a string, never a float.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

/// A decimal number as a string, never a float.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) if is_decimal(&text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64 && all_digits(whole) && all_digits(fraction)
}

/// An amount of money.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(shareable)]
pub struct Money {
    /// How much, as a decimal string.
    pub amount: Decimal,
    /// Which currency, by its ISO 4217 code.
    pub currency: String,
}

impl Money {
    /// An amount in whole currency units.
    #[must_use]
    pub fn units(amount: i64) -> Self {
        Self {
            amount: Decimal(amount.to_string()),
            currency: CURRENCY.into(),
        }
    }
}
