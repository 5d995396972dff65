//! A small GraphQL executor over JSON data, after the specification and nothing else.
//!
//! It plays the subgraphs, each over its own SDL, and the monolith that random queries are compared with. Data is a
//! graph: `{"$ref": "Product:1"}` points to an entity, `{"$error": {"message": .., "code": ..}}` fails its field,
//! and a member `price(currency: "USD")` answers before the plain `price`.

use std::collections::HashSet;

use graphql_tools::parser::{parse_query, parse_schema};
use graphql_tools::static_graphql::query::{
    Definition, Document, Field, OperationDefinition, Selection, SelectionSet, TypeCondition, Value,
};
use graphql_tools::static_graphql::schema;
use graphql_tools::validation::rules::default_rules_validation_plan;
use graphql_tools::validation::validate::validate;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

/// A schema over data.
pub(crate) struct Executor {
    schema: schema::Document,
    data: Json,
}

struct Run<'a> {
    executor: &'a Executor,
    document: &'a Document,
    variables: &'a Map<String, Json>,
    errors: Vec<Json>,
    path: Vec<Json>,
}

struct PropagatedNull;

impl Executor {
    /// Reads an SDL; one with entities gets the fields of federation.
    pub(crate) fn new(sdl: &str, data: Json) -> Self {
        let mut text = without_links(sdl);
        let entities: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("type ") && line.contains("@key("))
            .filter(|line| !line.contains("resolvable: false"))
            .filter_map(|line| line.split_whitespace().nth(1))
            .map(str::to_owned)
            .collect();
        if !entities.is_empty() {
            text = text.replacen(
                "type Query {",
                "type Query {\n  _entities(representations: [_Any!]!): [_Entity]!",
                1,
            );
            text.push_str(&format!(
                "\nscalar _Any\nunion _Entity = {}\n",
                entities.join(" | ")
            ));
        }
        for scalar in ["String", "Int", "Float", "Boolean", "ID"] {
            text.push_str(&format!("\nscalar {scalar}"));
        }
        text.push_str(
            "\ndirective @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT",
        );
        text.push_str(
            "\ndirective @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT\n",
        );
        let schema = parse_schema(&text)
            .expect("the SDL of a test is a schema")
            .into_static();
        Self { schema, data }
    }

    /// Runs one operation.
    pub(crate) fn execute(&self, text: &str, variables: &Map<String, Json>) -> Json {
        let document: Document = match parse_query::<String>(text) {
            Ok(document) => document.into_static(),
            Err(error) => return json!({ "errors": [{ "message": error.to_string() }] }),
        };
        let found = validate(&self.schema, &document, &default_rules_validation_plan());
        if !found.is_empty() {
            let errors: Vec<_> = found
                .iter()
                .map(|error| json!({ "message": error.message }))
                .collect();
            return json!({ "errors": errors });
        }
        let operation = document
            .definitions
            .iter()
            .find_map(|definition| match definition {
                Definition::Operation(operation) => Some(operation),
                Definition::Fragment(_) => None,
            });
        let operation = operation.expect("a valid document has an operation");
        let root = match operation {
            OperationDefinition::Mutation(_) => "Mutation",
            OperationDefinition::Subscription(_) => "Subscription",
            OperationDefinition::Query(_) | OperationDefinition::SelectionSet(_) => "Query",
        };
        let mut variables = variables.clone();
        for definition in operation.variable_definitions() {
            if let Some(default) = &definition.default_value {
                variables
                    .entry(definition.name.clone())
                    .or_insert_with(|| plain(default, &Map::new()));
            }
        }
        let mut run = Run {
            executor: self,
            document: &document,
            variables: &variables,
            errors: Vec::new(),
            path: Vec::new(),
        };
        let object = self.data.get(root).cloned().unwrap_or_else(|| json!({}));
        let data = run.fields(root, &object, &[operation.selection_set()]);
        let mut answer = Map::new();
        answer.insert("data".to_owned(), data.unwrap_or(Json::Null));
        if !run.errors.is_empty() {
            answer.insert("errors".to_owned(), run.errors.into());
        }
        Json::Object(answer)
    }

    fn find(&self, reference: &str) -> Json {
        self.data["entities"]
            .get(reference)
            .cloned()
            .unwrap_or(Json::Null)
    }

    fn entity(&self, representation: &Json) -> Json {
        let typename = representation["__typename"]
            .as_str()
            .expect("a representation has a type");
        let key = representation
            .get("sku")
            .or_else(|| representation.get("upc"))
            .or_else(|| representation.get("id"));
        let key = key.and_then(Json::as_str).unwrap_or_default();
        let mut entity = self.find(&format!("{typename}:{key}"));
        if let (Json::Object(entity), Json::Object(given)) = (&mut entity, representation) {
            // What a representation brings replaces the data, so that @requires is seen to work.
            entity.insert("__typename".to_owned(), typename.into());
            entity.extend(given.clone());
        }
        entity
    }

    fn possible(&self, object: &str, condition: &str) -> bool {
        object == condition
            || match self.schema.type_by_name(condition) {
                Some(schema::TypeDefinition::Union(union)) => {
                    union.types.iter().any(|ty| ty == object)
                }
                Some(schema::TypeDefinition::Interface(_)) => {
                    match self.schema.type_by_name(object) {
                        Some(schema::TypeDefinition::Object(ty)) => ty
                            .implements_interfaces
                            .iter()
                            .any(|name| name == condition),
                        _ => false,
                    }
                }
                _ => false,
            }
    }
}

/// Leaves out `extend schema @link(..)`, which is not for this parser.
fn without_links(sdl: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in sdl.lines() {
        inside |= line.starts_with("extend schema");
        if !inside {
            text.push_str(line);
            text.push('\n');
        }
        inside &= !line.ends_with(')');
    }
    text
}

impl<'a> Run<'a> {
    fn fields(
        &mut self,
        ty: &str,
        object: &Json,
        sets: &[&'a SelectionSet],
    ) -> Result<Json, PropagatedNull> {
        let mut collected: IndexMap<&str, Vec<&Field>> = IndexMap::new();
        let mut visited = HashSet::new();
        for set in sets {
            self.collect(ty, set, &mut visited, &mut collected);
        }
        let mut data = Map::new();
        for (name, nodes) in collected {
            self.path.push(name.into());
            let value = self.field(ty, object, &nodes);
            self.path.pop();
            data.insert(name.to_owned(), value?);
        }
        Ok(Json::Object(data))
    }

    fn collect(
        &self,
        ty: &str,
        set: &'a SelectionSet,
        visited: &mut HashSet<&'a str>,
        into: &mut IndexMap<&'a str, Vec<&'a Field>>,
    ) {
        for item in &set.items {
            match item {
                Selection::Field(field) => {
                    if self.is_wanted(&field.directives) {
                        let name = field.alias.as_ref().unwrap_or(&field.name);
                        into.entry(name).or_default().push(field);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let fits = inline.type_condition.as_ref().is_none_or(|condition| {
                        let TypeCondition::On(name) = condition;
                        self.executor.possible(ty, name)
                    });
                    if fits && self.is_wanted(&inline.directives) {
                        self.collect(ty, &inline.selection_set, visited, into);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if !self.is_wanted(&spread.directives) || !visited.insert(&spread.fragment_name)
                    {
                        continue;
                    }
                    let mut definitions = self.document.definitions.iter();
                    let named = definitions.find_map(|definition| match definition {
                        Definition::Fragment(it) if it.name == spread.fragment_name => Some(it),
                        Definition::Fragment(_) | Definition::Operation(_) => None,
                    });
                    let Some(fragment) = named else {
                        continue;
                    };
                    let TypeCondition::On(name) = &fragment.type_condition;
                    if self.executor.possible(ty, name) {
                        self.collect(ty, &fragment.selection_set, visited, into);
                    }
                }
            }
        }
    }

    fn is_wanted(&self, directives: &[graphql_tools::static_graphql::query::Directive]) -> bool {
        directives.iter().all(|directive| {
            let value = directive
                .arguments
                .first()
                .map(|(_, value)| plain(value, self.variables));
            match directive.name.as_str() {
                "skip" => value != Some(Json::Bool(true)),
                "include" => value == Some(Json::Bool(true)),
                _ => true,
            }
        })
    }

    fn field(
        &mut self,
        ty: &str,
        object: &Json,
        nodes: &[&'a Field],
    ) -> Result<Json, PropagatedNull> {
        let node = nodes[0];
        if node.name == "__typename" {
            return Ok(ty.into());
        }
        let definition = self.executor.schema.type_by_name(ty).expect("a known type");
        let definition = definition.field_by_name(&node.name).expect("a valid field");
        let value = self.resolve(object, node);
        self.complete(&definition.field_type, value, nodes)
    }

    fn resolve(&self, object: &Json, node: &Field) -> Json {
        if node.name == "_entities" {
            let (_, value) = &node.arguments[0];
            let representations = plain(value, self.variables);
            let representations = representations.as_array().expect("a list").iter();
            return representations
                .map(|item| self.executor.entity(item))
                .collect();
        }
        if node.name == "shipping" {
            return object["weight"]
                .as_i64()
                .map_or(Json::Null, |weight| json!(weight * 2));
        }
        if !node.arguments.is_empty() {
            let written: Vec<_> = node
                .arguments
                .iter()
                .map(|(name, value)| format!("{name}: {}", plain(value, self.variables)))
                .collect();
            if let Some(value) = object.get(format!("{}({})", node.name, written.join(", "))) {
                return value.clone();
            }
        }
        object.get(&node.name).cloned().unwrap_or(Json::Null)
    }

    fn complete(
        &mut self,
        ty: &schema::Type,
        value: Json,
        nodes: &[&'a Field],
    ) -> Result<Json, PropagatedNull> {
        if let Some(error) = value.get("$error") {
            self.error(
                error["message"].as_str().unwrap_or("failed"),
                error.get("code"),
            );
            return match ty {
                schema::Type::NonNullType(_) => Err(PropagatedNull),
                _ => Ok(Json::Null),
            };
        }
        match ty {
            schema::Type::NonNullType(inner) => {
                let before = self.errors.len();
                let completed = self.complete(inner, value, nodes)?;
                if completed.is_null() {
                    if self.errors.len() == before {
                        self.error("null in a non-null place", None);
                    }
                    return Err(PropagatedNull);
                }
                Ok(completed)
            }
            schema::Type::ListType(inner) => {
                let Json::Array(items) = value else {
                    return Ok(Json::Null);
                };
                let mut list = Vec::new();
                for (position, item) in items.into_iter().enumerate() {
                    self.path.push(position.into());
                    let item = self.complete(inner, item, nodes);
                    self.path.pop();
                    match item {
                        Ok(item) => list.push(item),
                        Err(PropagatedNull) => return Ok(Json::Null),
                    }
                }
                Ok(list.into())
            }
            schema::Type::NamedType(name) => self.named(name, value, nodes),
        }
    }

    fn named(
        &mut self,
        name: &str,
        value: Json,
        nodes: &[&'a Field],
    ) -> Result<Json, PropagatedNull> {
        let definition = self
            .executor
            .schema
            .type_by_name(name)
            .expect("a known type");
        let is_leaf = !definition.is_composite_type();
        if value.is_null() || is_leaf {
            return Ok(value);
        }
        let object = match value.get("$ref").and_then(Json::as_str) {
            Some(reference) => {
                let mut entity = self.executor.find(reference);
                if let (Json::Object(entity), Some((ty, _))) =
                    (&mut entity, reference.split_once(':'))
                {
                    entity.insert("__typename".to_owned(), ty.into());
                }
                entity
            }
            None => value,
        };
        if object.is_null() {
            return Ok(Json::Null);
        }
        let concrete = object
            .get("__typename")
            .and_then(Json::as_str)
            .unwrap_or(name)
            .to_owned();
        let sets: Vec<_> = nodes.iter().map(|node| &node.selection_set).collect();
        Ok(self.fields(&concrete, &object, &sets).unwrap_or(Json::Null))
    }

    fn error(&mut self, message: &str, code: Option<&Json>) {
        let mut error = json!({ "message": message, "path": self.path });
        if let Some(code) = code {
            error["extensions"] = json!({ "code": code, "stack": "of a subgraph" });
        }
        self.errors.push(error);
    }
}

fn plain(value: &Value, variables: &Map<String, Json>) -> Json {
    match value {
        Value::Variable(name) => variables.get(name).cloned().unwrap_or(Json::Null),
        Value::Int(number) => json!(number.as_i64()),
        Value::Float(number) => json!(number),
        Value::String(text) | Value::Enum(text) => json!(text),
        Value::Boolean(flag) => json!(flag),
        Value::Null => Json::Null,
        Value::List(items) => items.iter().map(|item| plain(item, variables)).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), plain(value, variables)));
            Json::Object(fields.collect())
        }
    }
}
