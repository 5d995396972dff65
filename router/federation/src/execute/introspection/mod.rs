//! `__schema` and `__type`, resolved from the consumer schema.
//!
//! The values go into the store like those of any subgraph, so names, order and nulls are written by the one writer.
//! Source: GraphQL specification, 4.2 Schema Introspection.

mod leaves;
mod node;

use graphql_tools::static_graphql::query::Value as Literal;
use graphql_tools::static_graphql::schema::{
    Definition, Directive, DirectiveDefinition, Document, EnumValue, Field, InputValue, Type,
    TypeDefinition,
};
use serde_json::{Map, Value as Json};

use crate::execute::budget::Budget;
use crate::execute::introspection::leaves::Leaves;
use crate::execute::introspection::node::{
    Node, description, directive_text, is_deprecated, kind, types,
};
use crate::execute::state::Progress;
use crate::execute::store::{Store, Value};
use crate::graph::literal;
use crate::request::Location;
use crate::shape::{Shape, ShapeField};

/// The objects that the root's introspection fields bring, counted up to a bound and one more.
pub(crate) fn count(
    consumer: &Document,
    shape: &Shape,
    variables: &Map<String, Json>,
    max: u64,
) -> u64 {
    let nowhere = Location { line: 1, column: 1 };
    let mut progress = Progress::new(Budget::of_objects(max), nowhere);
    let left = progress.budget.objects_left();
    resolve(consumer, shape, variables, &mut progress);
    if progress.budget.is_passed() {
        return max.saturating_add(1);
    }
    left.saturating_sub(progress.budget.objects_left())
}

/// Resolves the root's introspection fields into the store.
pub(crate) fn resolve(
    consumer: &Document,
    shape: &Shape,
    variables: &Map<String, Json>,
    progress: &mut Progress,
) {
    let fields = shape.cases.iter().flat_map(|case| &case.fields);
    let wanted: Vec<_> = fields.filter(|field| field.is_introspection()).collect();
    if wanted.is_empty() {
        return;
    }
    let mut resolver = Resolver {
        consumer,
        variables,
        leaves: Leaves {
            buffer: progress.store.next_buffer(),
            out: Vec::new(),
        },
        store: &mut progress.store,
        budget: &mut progress.budget,
    };
    let mut resolved = Vec::new();
    for field in wanted {
        let node = match &*field.name {
            "__schema" => Some(Node::Schema),
            _ => resolver
                .text_argument(field, "name")
                .and_then(|name| Node::named(consumer, &name)),
        };
        resolved.push((field.key, resolver.node(field, node)));
    }
    let out = resolver.leaves.out;
    progress.store.keep(out.into());
    let resolved = progress.store.object(resolved, 1);
    progress.store.put_root(resolved);
}

struct Resolver<'a> {
    consumer: &'a Document,
    variables: &'a Map<String, Json>,
    leaves: Leaves,
    store: &'a mut Store,
    budget: &'a mut Budget,
}

impl<'a> Resolver<'a> {
    fn node(&mut self, field: &ShapeField, node: Option<Node<'a>>) -> Value {
        let (Some(node), Some(shape)) = (node, &field.child) else {
            return Value::Null;
        };
        if !self.budget.take_objects(1) {
            return Value::Null;
        }
        let fields = shape.cases.iter().flat_map(|case| &case.fields);
        let fields = fields.map(|field| (field.key, self.field(field, node)));
        let fields = fields.collect();
        Value::Object(self.store.object(fields, 1))
    }

    fn field(&mut self, field: &ShapeField, node: Node<'a>) -> Value {
        match node {
            Node::Schema => self.schema(field),
            Node::Named(definition) => self.named_type(field, definition),
            Node::Wrapped(ty) => self.wrapped(field, ty),
            Node::Field(definition) => self.output_field(field, definition),
            Node::Input(definition) => self.input_value(field, definition),
            Node::EnumValue(value) => match &*field.name {
                "name" => self.leaves.text(&value.name),
                "description" => self.leaves.optional(value.description.as_deref()),
                other => self.deprecation(other, &value.directives),
            },
            Node::Directive(definition) => self.directive(field, definition),
        }
    }

    fn schema(&mut self, field: &ShapeField) -> Value {
        let consumer = self.consumer;
        match &*field.name {
            "types" => {
                let types = types(consumer).map(Node::Named).collect();
                self.list(field, types)
            }
            "queryType" => self.root(field, consumer.query_type_name()),
            "mutationType" => self.root(field, consumer.mutation_type_name()),
            "subscriptionType" => self.root(field, consumer.subscription_type_name()),
            "directives" => {
                let directives =
                    consumer
                        .definitions
                        .iter()
                        .filter_map(|definition| match definition {
                            Definition::DirectiveDefinition(found) => Some(Node::Directive(found)),
                            _ => None,
                        });
                let directives = directives.collect();
                self.list(field, directives)
            }
            // The parser of the supergraph keeps no description of a schema.
            _ => Value::Null,
        }
    }

    fn root(&mut self, field: &ShapeField, name: Option<&String>) -> Value {
        let node = name.and_then(|name| Node::named(self.consumer, name));
        self.node(field, node)
    }

    fn named_type(&mut self, field: &ShapeField, definition: &'a TypeDefinition) -> Value {
        match &*field.name {
            "kind" => self.leaves.text(kind(definition)),
            "name" => self.leaves.text(definition.name()),
            "description" => self.leaves.optional(description(definition)),
            "specifiedByURL" => {
                let url = match definition {
                    TypeDefinition::Scalar(scalar) => {
                        directive_text(&scalar.directives, "specifiedBy", "url")
                    }
                    _ => None,
                };
                self.leaves.optional(url)
            }
            "isOneOf" => match definition {
                TypeDefinition::InputObject(_) => self.leaves.flag(definition.is_one_of()),
                _ => Value::Null,
            },
            "fields" => self.fields(field, definition),
            "interfaces" => {
                let names = match definition {
                    TypeDefinition::Object(object) => Some(&object.implements_interfaces),
                    TypeDefinition::Interface(interface) => Some(&interface.implements_interfaces),
                    _ => None,
                };
                self.types_by_name(field, names)
            }
            "possibleTypes" => self.possible_types(field, definition),
            "enumValues" => {
                let TypeDefinition::Enum(choice) = definition else {
                    return Value::Null;
                };
                let all = self.wants_deprecated(field);
                let shown = |value: &&EnumValue| all || !is_deprecated(&value.directives);
                let values = choice
                    .values
                    .iter()
                    .filter(shown)
                    .map(Node::EnumValue)
                    .collect();
                self.list(field, values)
            }
            "inputFields" => {
                let TypeDefinition::InputObject(input) = definition else {
                    return Value::Null;
                };
                self.inputs(field, &input.fields)
            }
            _ => Value::Null,
        }
    }

    fn fields(&mut self, field: &ShapeField, definition: &'a TypeDefinition) -> Value {
        let fields = match definition {
            TypeDefinition::Object(object) => &object.fields,
            TypeDefinition::Interface(interface) => &interface.fields,
            _ => return Value::Null,
        };
        let all = self.wants_deprecated(field);
        // `__schema` and `__type` are fields of the query root that introspection itself does not list.
        let shown = |found: &&Field| {
            !found.name.starts_with("__") && (all || !is_deprecated(&found.directives))
        };
        let nodes = fields.iter().filter(shown).map(Node::Field).collect();
        self.list(field, nodes)
    }

    fn possible_types(&mut self, field: &ShapeField, definition: &'a TypeDefinition) -> Value {
        match definition {
            TypeDefinition::Union(union) => self.types_by_name(field, Some(&union.types)),
            TypeDefinition::Interface(interface) => {
                let implements = |found: &&TypeDefinition| match found {
                    TypeDefinition::Object(object) => {
                        object.implements_interfaces.contains(&interface.name)
                    }
                    _ => false,
                };
                let nodes = types(self.consumer)
                    .filter(implements)
                    .map(Node::Named)
                    .collect();
                self.list(field, nodes)
            }
            _ => Value::Null,
        }
    }

    fn types_by_name(&mut self, field: &ShapeField, names: Option<&'a Vec<String>>) -> Value {
        let Some(names) = names else {
            return Value::Null;
        };
        let named = |name: &String| Node::named(self.consumer, name);
        let nodes = names.iter().filter_map(named).collect();
        self.list(field, nodes)
    }

    fn wrapped(&mut self, field: &ShapeField, ty: &'a Type) -> Value {
        let (kind, inner) = match ty {
            Type::ListType(inner) => ("LIST", inner),
            Type::NonNullType(inner) => ("NON_NULL", inner),
            Type::NamedType(_) => return Value::Null,
        };
        match &*field.name {
            "kind" => self.leaves.text(kind),
            "ofType" => {
                let node = Node::of_type(self.consumer, inner);
                self.node(field, node)
            }
            _ => Value::Null,
        }
    }

    fn output_field(&mut self, field: &ShapeField, definition: &'a Field) -> Value {
        match &*field.name {
            "name" => self.leaves.text(&definition.name),
            "description" => self.leaves.optional(definition.description.as_deref()),
            "args" => self.inputs(field, &definition.arguments),
            "type" => {
                let node = Node::of_type(self.consumer, &definition.field_type);
                self.node(field, node)
            }
            other => self.deprecation(other, &definition.directives),
        }
    }

    fn input_value(&mut self, field: &ShapeField, definition: &'a InputValue) -> Value {
        match &*field.name {
            "name" => self.leaves.text(&definition.name),
            "description" => self.leaves.optional(definition.description.as_deref()),
            "type" => {
                let node = Node::of_type(self.consumer, &definition.value_type);
                self.node(field, node)
            }
            "defaultValue" => match &definition.default_value {
                Some(value) => self.leaves.text(&literal(value)),
                None => Value::Null,
            },
            other => self.deprecation(other, &definition.directives),
        }
    }

    fn directive(&mut self, field: &ShapeField, definition: &'a DirectiveDefinition) -> Value {
        match &*field.name {
            "name" => self.leaves.text(&definition.name),
            "description" => self.leaves.optional(definition.description.as_deref()),
            "isRepeatable" => self.leaves.flag(definition.repeatable),
            "args" => self.inputs(field, &definition.arguments),
            "locations" => {
                let names = definition
                    .locations
                    .iter()
                    .map(|location| self.leaves.text(location.as_str()));
                Value::List(names.collect())
            }
            _ => Value::Null,
        }
    }

    fn inputs(&mut self, field: &ShapeField, inputs: &'a [InputValue]) -> Value {
        let all = self.wants_deprecated(field);
        let shown = |input: &&InputValue| all || !is_deprecated(&input.directives);
        let nodes = inputs.iter().filter(shown).map(Node::Input).collect();
        self.list(field, nodes)
    }

    fn list(&mut self, field: &ShapeField, nodes: Vec<Node<'a>>) -> Value {
        Value::List(
            nodes
                .into_iter()
                .map(|node| self.node(field, Some(node)))
                .collect(),
        )
    }

    fn deprecation(&mut self, name: &str, directives: &[Directive]) -> Value {
        match name {
            "isDeprecated" => self.leaves.flag(is_deprecated(directives)),
            "deprecationReason" if is_deprecated(directives) => {
                let reason = directive_text(directives, "deprecated", "reason");
                self.leaves
                    .optional(Some(reason.unwrap_or("No longer supported")))
            }
            _ => Value::Null,
        }
    }

    fn wants_deprecated(&self, field: &ShapeField) -> bool {
        let argument = field
            .arguments
            .iter()
            .find(|(name, _)| name == "includeDeprecated");
        match argument.map(|(_, value)| value) {
            Some(Literal::Boolean(flag)) => *flag,
            Some(Literal::Variable(name)) => self
                .variables
                .get(name)
                .and_then(Json::as_bool)
                .unwrap_or(false),
            _ => false,
        }
    }

    fn text_argument(&self, field: &ShapeField, name: &str) -> Option<String> {
        match field.arguments.iter().find(|(found, _)| found == name)? {
            (_, Literal::String(text)) => Some(text.clone()),
            (_, Literal::Variable(name)) => self.variables.get(name)?.as_str().map(str::to_owned),
            _ => None,
        }
    }
}
