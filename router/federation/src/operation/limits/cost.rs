//! What an operation costs, measured on the canonical shape with the list sizes of the request.

use graphql_tools::static_graphql::query::Value;
use serde_json::{Map, Value as Json};

use crate::operation::limits::Limits;
use crate::shape::{Shape, ShapeField};

/// The objects that a response may hold, by the sizes that the operation asks for.
///
/// A field with `first` or `last` gives its size to itself if it is a list, else to the lists directly below it,
/// as connections have it. A list without a size counts as `list_size` long.
pub(crate) fn cost(limits: &Limits, shape: &Shape, variables: &Map<String, Json>) -> u64 {
    of_shape(limits, shape, variables, None).max(1)
}

fn of_shape(
    limits: &Limits,
    shape: &Shape,
    variables: &Map<String, Json>,
    outer: Option<u64>,
) -> u64 {
    let of_case = |fields: &Vec<ShapeField>| {
        let costs = fields
            .iter()
            .map(|field| of_field(limits, field, variables, outer));
        costs.fold(0, u64::saturating_add)
    };
    shape
        .cases
        .iter()
        .map(|case| of_case(&case.fields))
        .max()
        .unwrap_or(0)
}

fn of_field(
    limits: &Limits,
    field: &ShapeField,
    variables: &Map<String, Json>,
    outer: Option<u64>,
) -> u64 {
    let Some(child) = &field.child else { return 0 };
    if field.name.starts_with("__") {
        return 0;
    }
    let size = size_argument(field, variables);
    if field.ty.is_list() {
        let length = size.or(outer).unwrap_or(limits.list_size);
        return of_shape(limits, child, variables, None)
            .saturating_add(1)
            .saturating_mul(length);
    }
    of_shape(limits, child, variables, size).saturating_add(1)
}

fn size_argument(field: &ShapeField, variables: &Map<String, Json>) -> Option<u64> {
    let is_size = |name: &str| name == "first" || name == "last";
    let (_, value) = field.arguments.iter().find(|(name, _)| is_size(name))?;
    let size = match value {
        Value::Int(number) => number.as_i64(),
        Value::Variable(name) => variables.get(name).and_then(Json::as_i64),
        _ => None,
    };
    size.map(|size| u64::try_from(size).unwrap_or(0))
}
