//! Coercing variables and literals to their types, as the specification has it.
//!
//! Invariant: what leaves here fits its type, defaults filled in; a variable that was not given and has no default
//! is absent, not null. Source: GraphQL specification, 6.1.2 and 3.13.

use graphql_tools::static_graphql::query::{Value as Literal, VariableDefinition};
use serde_json::{Map, Value};

use crate::graph::{InputField, TypeInfo, TypeKind, TypeRef, TypeTable};
use crate::operation::syntax::number;
use crate::request::{Code, GraphqlError, RequestError};

/// Coerces the variables of a request.
///
/// # Errors
/// [`Code::BAD_VARIABLES`], one error for each variable that does not fit.
pub(crate) fn coerce(
    types: &TypeTable,
    definitions: &[VariableDefinition],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, RequestError> {
    let mut coerced = Map::new();
    let mut errors = Vec::new();
    for definition in definitions {
        match variable(types, definition, given.get(&definition.name)) {
            Ok(Some(value)) => {
                coerced.insert(definition.name.clone(), value);
            }
            Ok(None) => {}
            Err(sentence) => {
                let text = format!("variable ${}: {sentence}", definition.name);
                let position = definition.position;
                let error = GraphqlError::new(Code::BAD_VARIABLES, text);
                errors.push(error.at(position.line, position.column));
            }
        }
    }
    if errors.is_empty() {
        Ok(coerced)
    } else {
        Err(RequestError::many(errors))
    }
}

fn variable(
    types: &TypeTable,
    definition: &VariableDefinition,
    given: Option<&Value>,
) -> Result<Option<Value>, String> {
    let ty = TypeRef::from(&definition.var_type);
    match (given, &definition.default_value) {
        (Some(value), _) => input(types, &ty, value, &mut Path::default()).map(Some),
        (None, Some(default)) => literal(types, &ty, default, &Map::new()).map(Some),
        (None, None) if ty.is_non_null() => Err(format!("a value of type {ty} is required")),
        (None, None) => Ok(None),
    }
}

/// Where in a variable's value something is, for messages: `.lines[2].count`.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn error<T>(&self, sentence: &str) -> Result<T, String> {
        if self.0.is_empty() {
            return Err(sentence.to_owned());
        }
        Err(format!("at {}: {sentence}", self.0.concat()))
    }
}

fn input(types: &TypeTable, ty: &TypeRef, value: &Value, path: &mut Path) -> Result<Value, String> {
    match (ty, value) {
        (TypeRef::NonNull(_), Value::Null) => path.error(&format!("null is not a value of {ty}")),
        (TypeRef::NonNull(inner), _) => input(types, inner, value, path),
        (_, Value::Null) => Ok(Value::Null),
        (TypeRef::List(inner), Value::Array(items)) => {
            let mut list = Vec::with_capacity(items.len());
            for (position, item) in items.iter().enumerate() {
                path.0.push(format!("[{position}]"));
                list.push(input(types, inner, item, path)?);
                path.0.pop();
            }
            Ok(Value::Array(list))
        }
        (TypeRef::List(inner), _) => Ok(Value::Array(vec![input(types, inner, value, path)?])),
        (TypeRef::Named(name), _) => match types.find(name) {
            Some(info) => named(types, info, value, path),
            None => path.error(&format!("there is no type {name}")),
        },
    }
}

fn named(
    types: &TypeTable,
    info: &TypeInfo,
    value: &Value,
    path: &mut Path,
) -> Result<Value, String> {
    match info.kind {
        TypeKind::Scalar => match scalar(&info.name, value) {
            Some(coerced) => Ok(coerced),
            None => path.error(&format!("{} does not fit {}", shown(value), info.name)),
        },
        TypeKind::Enum => match value.as_str().filter(|name| info.values.contains(*name)) {
            Some(_) => Ok(value.clone()),
            None => path.error(&format!("{} is not a value of {}", shown(value), info.name)),
        },
        TypeKind::Input => match value {
            Value::Object(fields) => object(types, info, fields, path),
            _ => path.error(&format!(
                "{} is not an object of type {}",
                shown(value),
                info.name
            )),
        },
        TypeKind::Object | TypeKind::Interface | TypeKind::Union => {
            path.error(&format!("{} is not an input type", info.name))
        }
    }
}

/// Coerces to a scalar; one that is not built in takes anything.
fn scalar(name: &str, value: &Value) -> Option<Value> {
    match name {
        "Int" => int(value).map(Value::from),
        "Float" => value.is_number().then(|| value.clone()),
        "String" => value.is_string().then(|| value.clone()),
        "Boolean" => value.is_boolean().then(|| value.clone()),
        "ID" => match value {
            Value::String(_) => Some(value.clone()),
            Value::Number(number) if number.is_i64() || number.is_u64() => {
                Some(Value::String(number.to_string()))
            }
            // 7.0 is a whole number in JSON.
            Value::Number(number) => {
                let whole = number.as_f64().filter(|number| number.fract() == 0.0)?;
                Some(Value::String(format!("{whole}")))
            }
            _ => None,
        },
        _ => Some(value.clone()),
    }
}

fn int(value: &Value) -> Option<i32> {
    if let Some(whole) = value.as_i64() {
        return i32::try_from(whole).ok();
    }
    let number = value.as_f64()?;
    let whole = number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX);
    // 1.0 is an integer in JSON; what has a fraction or is out of range is not.
    whole.then(|| format!("{number}").parse().ok()).flatten()
}

fn object(
    types: &TypeTable,
    info: &TypeInfo,
    given: &Map<String, Value>,
    path: &mut Path,
) -> Result<Value, String> {
    if let Some(unknown) = given.keys().find(|name| !has_field(info, name)) {
        return path.error(&format!("{} has no field {unknown}", info.name));
    }
    if info.one_of && (given.len() != 1 || given.values().any(Value::is_null)) {
        return path.error(&format!("{} needs exactly one field, not null", info.name));
    }
    let mut coerced = Map::new();
    for field in &info.inputs {
        let value = match given.get(&*field.name) {
            Some(value) => {
                path.0.push(format!(".{}", field.name));
                let value = input(types, &field.ty, value, path)?;
                path.0.pop();
                Some(value)
            }
            None => match default(types, info, field) {
                Ok(value) => value,
                Err(sentence) => return path.error(&sentence),
            },
        };
        if let Some(value) = value {
            coerced.insert(field.name.to_string(), value);
        }
    }
    Ok(Value::Object(coerced))
}

fn has_field(info: &TypeInfo, name: &str) -> bool {
    info.inputs.iter().any(|field| *field.name == *name)
}

fn default(
    types: &TypeTable,
    info: &TypeInfo,
    field: &InputField,
) -> Result<Option<Value>, String> {
    match &field.default {
        Some(value) => literal(types, &field.ty, value, &Map::new()).map(Some),
        None if field.ty.is_non_null() => Err(format!(
            "{}.{} of type {} is required",
            info.name, field.name, field.ty
        )),
        None => Ok(None),
    }
}

/// Coerces the arguments of a field, defaults filled in.
///
/// # Errors
/// The sentence of the first argument that does not fit.
pub(crate) fn arguments(
    types: &TypeTable,
    definitions: &[InputField],
    given: &[(String, Literal)],
    variables: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    let mut coerced = Map::new();
    for definition in definitions {
        let written = given.iter().find(|(name, _)| *name == *definition.name);
        let written = written
            .map(|(_, value)| value)
            .filter(|value| is_given(value, variables));
        let value = match (written, &definition.default) {
            (Some(value), _) | (None, Some(value)) => {
                Some(literal(types, &definition.ty, value, variables)?)
            }
            (None, None) if definition.ty.is_non_null() => {
                return Err(format!("argument {} is required", definition.name));
            }
            (None, None) => None,
        };
        if let Some(value) = value {
            coerced.insert(definition.name.to_string(), value);
        }
    }
    Ok(coerced)
}

fn is_given(value: &Literal, variables: &Map<String, Value>) -> bool {
    match value {
        Literal::Variable(name) => variables.contains_key(name),
        _ => true,
    }
}

/// Coerces a literal; variables in it are coerced already.
///
/// # Errors
/// A sentence that says what does not fit.
fn literal(
    types: &TypeTable,
    ty: &TypeRef,
    value: &Literal,
    variables: &Map<String, Value>,
) -> Result<Value, String> {
    let plain = to_json(value, variables);
    input(types, ty, &plain, &mut Path::default())
}

/// A literal as JSON, variables replaced; enum values become strings and are checked as such.
fn to_json(value: &Literal, variables: &Map<String, Value>) -> Value {
    match value {
        Literal::Variable(name) => variables.get(name).cloned().unwrap_or(Value::Null),
        Literal::Int(number) => number.as_i64().map_or(Value::Null, Value::from),
        Literal::Float(number) => Value::from(*number),
        Literal::Enum(text) if number::is_number(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
        }
        Literal::String(text) | Literal::Enum(text) => Value::from(text.as_str()),
        Literal::Boolean(flag) => Value::from(*flag),
        Literal::Null => Value::Null,
        Literal::List(items) => items.iter().map(|item| to_json(item, variables)).collect(),
        Literal::Object(fields) => {
            let given = fields
                .iter()
                .filter(|(_, value)| is_given(value, variables));
            let members = given.map(|(name, value)| (name.clone(), to_json(value, variables)));
            Value::Object(members.collect())
        }
    }
}

/// A value in a message: only as much of it is written as is shown.
fn shown(value: &Value) -> String {
    let mut start = Start::default();
    let is_whole = serde_json::to_writer(&mut start, value).is_ok();
    let text = String::from_utf8_lossy(&start.0);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if is_whole => text.into_owned(),
        None => format!("{text}…"),
    }
}

/// Characters of a value in a message.
const SHOWN: usize = 40;

/// Takes what so many characters can be long at most, and no more.
#[derive(Default)]
struct Start(Vec<u8>);

impl std::io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        const LONGEST: usize = 4;
        let room = (SHOWN + 1) * LONGEST - self.0.len();
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        // 0 of some bytes ends the writing.
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "variables_tests.rs"]
mod tests;
