//! What an operation costs, measured on the canonical shape with the list sizes of the request.

use std::collections::HashMap;
use std::sync::Arc;

use graphql_tools::static_graphql::{query::Value, schema::Value as Default};
use serde_json::{Map, Value as Json};

use crate::graph::{FieldInfo, TypeTable};
use crate::operation::limits::Limits;
use crate::shape::{Case, Shape, ShapeField};

/// The objects that a response may hold, by the sizes that the operation asks for, and the items of the lists that it
/// brings along. Introspection is not counted here.
///
/// A field with `first` or `last` gives its size to itself if it is a list, else to the lists directly below it,
/// as connections have it; where neither is given, the schema's default is taken. A list without a size counts as
/// `list_size` long. An optional argument beside the size and the place of a page searches or filters: what is left out is read
/// too, and counts as one list of that length.
pub(crate) fn cost(
    limits: &Limits,
    types: &TypeTable,
    shape: &Shape,
    variables: &Map<String, Json>,
) -> u64 {
    let mut costs = Costs {
        limits,
        types,
        variables,
        known: HashMap::new(),
        input: variables
            .values()
            .map(items_of_json)
            .fold(0, u64::saturating_add),
    };
    let output = costs.of_cases(shape, None);
    output.saturating_add(costs.input).max(1)
}

struct Costs<'a> {
    limits: &'a Limits,
    types: &'a TypeTable,
    variables: &'a Map<String, Json>,
    /// Shapes are shared, so each is measured once for each size.
    known: HashMap<(*const Shape, Option<u64>), u64>,
    /// Items of the lists in arguments.
    input: u64,
}

impl Costs<'_> {
    fn of_shape(&mut self, shape: &Arc<Shape>, outer: Option<u64>) -> u64 {
        let key = (Arc::as_ptr(shape), outer);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let cost = self.of_cases(shape, outer);
        self.known.insert(key, cost);
        cost
    }

    fn of_cases(&mut self, shape: &Shape, outer: Option<u64>) -> u64 {
        let cases = shape.cases.iter();
        cases
            .map(|case| self.of_case(case, outer))
            .max()
            .unwrap_or(0)
    }

    fn of_case(&mut self, case: &Case, outer: Option<u64>) -> u64 {
        let object = case.types.first();
        let mut sum = 0_u64;
        for field in &case.fields {
            sum = sum.saturating_add(self.of_field(field, object, outer));
        }
        sum
    }

    fn of_field(
        &mut self,
        field: &ShapeField,
        object: Option<&Arc<str>>,
        outer: Option<u64>,
    ) -> u64 {
        for (_, value) in &field.arguments {
            self.input = self.input.saturating_add(items_of_literal(value));
        }
        let Some(child) = &field.child else { return 0 };
        if field.name.starts_with("__") {
            return 0;
        }
        let info = object.and_then(|object| self.types.field(object, &field.name));
        let size = self.given_size(field).or_else(|| default_size(info?));
        let filters = match (size, info) {
            (Some(_), Some(info)) => self.filters(field, info),
            _ => 0,
        };
        let read = filters.saturating_mul(self.limits.list_size);
        if field.ty.is_list() {
            let length = size.or(outer).unwrap_or(self.limits.list_size);
            return self
                .of_shape(child, None)
                .saturating_add(1)
                .saturating_mul(length)
                .saturating_add(read);
        }
        self.of_shape(child, size)
            .saturating_add(1)
            .saturating_add(read)
    }

    /// Arguments that are given, need not be, and do not page.
    fn filters(&self, field: &ShapeField, info: &FieldInfo) -> u64 {
        let is_filter = |name: &str| {
            let declared = info.arguments.iter().find(|known| &*known.name == name);
            !is_paging(name) && declared.is_some_and(|known| !known.is_required())
        };
        let is_given = |value: &Value| match value {
            Value::Null => false,
            Value::Variable(name) => self
                .variables
                .get(name)
                .is_some_and(|given| !given.is_null()),
            _ => true,
        };
        let arguments = field.arguments.iter();
        let given = arguments.filter(|(name, value)| is_filter(name) && is_given(value));
        u64::try_from(given.count()).unwrap_or(u64::MAX)
    }

    fn given_size(&self, field: &ShapeField) -> Option<u64> {
        let arguments = field.arguments.iter();
        let sizes = arguments.filter(|(name, _)| is_size(name));
        let sizes = sizes.filter_map(|(_, value)| match value {
            Value::Int(number) => number.as_i64(),
            Value::Variable(name) => self.variables.get(name).and_then(Json::as_i64),
            _ => None,
        });
        sizes.max().map(|size| u64::try_from(size).unwrap_or(0))
    }
}

fn is_size(name: &str) -> bool {
    name == "first" || name == "last"
}

fn is_paging(name: &str) -> bool {
    is_size(name) || name == "after" || name == "before"
}

fn default_size(info: &FieldInfo) -> Option<u64> {
    let sizes = info.arguments.iter().filter(|found| is_size(&found.name));
    let defaults = sizes.filter_map(|size| match &size.default {
        Some(Default::Int(number)) => number.as_i64(),
        _ => None,
    });
    defaults.max().map(|size| u64::try_from(size).unwrap_or(0))
}

fn items_of_json(value: &Json) -> u64 {
    match value {
        Json::Array(items) => items.iter().fold(0, |sum: u64, item| {
            sum.saturating_add(1).saturating_add(items_of_json(item))
        }),
        Json::Object(fields) => fields
            .values()
            .map(items_of_json)
            .fold(0, u64::saturating_add),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

fn items_of_literal(value: &Value) -> u64 {
    match value {
        Value::List(items) => items.iter().fold(0, |sum: u64, item| {
            sum.saturating_add(1).saturating_add(items_of_literal(item))
        }),
        Value::Object(fields) => fields
            .iter()
            .map(|(_, value)| items_of_literal(value))
            .fold(0, u64::saturating_add),
        _ => 0,
    }
}
