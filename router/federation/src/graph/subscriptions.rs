//! What a supergraph says of its subscription fields, for a host that answers some of them itself.
//!
//! Composition carries directives that it does not know to the supergraph, by `@composeDirective`; what they mean is the host's
//! affair. Source: the link specification (`@link(url:, import:)`) and the join specification (`@join__type`, `@join__field`).

use std::collections::{BTreeMap, BTreeSet};

use graphql_tools::static_graphql::schema::{
    Definition, Directive, Document, Field, InputValue, ObjectType, TypeDefinition, Value,
};
use http::Extensions;
use serde_json::{Map, Value as Json};

use crate::graph::entity_keys::{argument, graph_names};
use crate::graph::types::TypeRef;

/// All that a supergraph says of subscriptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// The specifications that the supergraph names.
    pub links: Vec<Link>,
    /// The fields, in the document's order.
    pub fields: Vec<SubscriptionField>,
    /// What a subgraph, by its name, may be asked for besides subscriptions: root fields as `Query.name`, and the types of the
    /// entities that it resolves.
    pub asked_for: BTreeMap<String, BTreeSet<String>>,
}

/// A specification, and what a schema uses of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Which specification, with its version.
    pub url: String,
    /// What is imported: its name in the specification, and its name here, both with `@` for a directive.
    pub imports: Vec<(String, String)>,
}

/// A field of the subscription type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionField {
    /// Its name.
    pub name: String,
    /// The subgraphs that have it, by their names.
    pub subgraphs: Vec<String>,
    /// Its directives that are none of the join specification, with their arguments.
    pub directives: Vec<(String, Map<String, Json>)>,
    /// Its arguments.
    pub arguments: Vec<Member>,
    /// Its type.
    pub result: Member,
    /// The fields of that type, where it is an object.
    pub members: Vec<Member>,
}

/// An argument, or a field of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its type's name, without lists and non-null.
    pub ty: String,
    /// Whether that is a list of it.
    pub is_list: bool,
    /// Whether it is never null.
    pub is_non_null: bool,
    /// The values, where the type is an enum.
    pub values: Vec<String>,
    /// The keys of one field each by which the subgraphs of the subscription field know the type, where it is an entity.
    pub keys: Vec<String>,
}

/// What the host makes of them.
#[derive(Debug, Clone, Default)]
pub struct OwnSubscriptions {
    /// The subgraphs whose subscriptions it answers itself, by their names.
    pub subgraphs: BTreeSet<String>,
    /// What it wants to know of them when it does: [`crate::Prepared::own`].
    pub data: Extensions,
    /// Operations that it is going to run over the supergraph, by what they are for: one that is not valid is refused.
    pub operations: Vec<(String, String)>,
}

/// Reads them.
pub(crate) fn subscriptions(supergraph: &Document) -> Subscriptions {
    let reading = Reading {
        types: supergraph
            .definitions
            .iter()
            .filter_map(|it| match it {
                Definition::TypeDefinition(ty) => Some((ty.name(), ty)),
                _ => None,
            })
            .collect(),
        graphs: graph_names(supergraph).into_iter().collect(),
    };
    let name = supergraph.subscription_type_name();
    let root = name.and_then(|name| reading.object(name));
    let fields = root.into_iter().flat_map(|root| {
        let fields = root.fields.iter();
        fields.map(|field| reading.field(root, field))
    });
    Subscriptions {
        links: links(supergraph),
        fields: fields.collect(),
        asked_for: reading.asked_for(supergraph),
    }
}

struct Reading<'a> {
    types: BTreeMap<&'a str, &'a TypeDefinition>,
    /// The own name of each subgraph, by its value of `join__Graph`.
    graphs: BTreeMap<String, String>,
}

impl<'a> Reading<'a> {
    fn object(&self, name: &str) -> Option<&'a ObjectType> {
        match self.types.get(name)? {
            TypeDefinition::Object(object) => Some(object),
            _ => None,
        }
    }

    fn field(&self, root: &ObjectType, field: &Field) -> SubscriptionField {
        let subgraphs = self.subgraphs(root, field);
        let directives = field.directives.iter();
        let directives = directives.filter(|it| !it.name.starts_with("join__"));
        let arguments = field.arguments.iter();
        let result = self.member(&field.name, TypeRef::from(&field.field_type), &subgraphs);
        let members = self.object(&result.ty);
        let members = members.into_iter().flat_map(|object| &object.fields);
        SubscriptionField {
            name: field.name.clone(),
            directives: directives.map(applied).collect(),
            arguments: arguments
                .map(|it: &InputValue| {
                    self.member(&it.name, TypeRef::from(&it.value_type), &subgraphs)
                })
                .collect(),
            members: members
                .map(|it| self.member(&it.name, TypeRef::from(&it.field_type), &subgraphs))
                .collect(),
            result,
            subgraphs,
        }
    }

    fn member(&self, name: &str, ty: TypeRef, subgraphs: &[String]) -> Member {
        let mut member = Member {
            name: name.to_owned(),
            ty: ty.name().to_string(),
            is_list: ty.is_list(),
            is_non_null: ty.is_non_null(),
            ..Member::default()
        };
        match self.types.get(&*member.ty) {
            Some(TypeDefinition::Enum(choice)) => {
                let values = choice.values.iter();
                member.values = values.map(|value| value.name.clone()).collect();
            }
            Some(TypeDefinition::Object(object)) => {
                let known = of_join(&object.directives, "join__type");
                let known = known.filter(|it| {
                    let graph = argument(it, "graph").and_then(|it| self.graphs.get(it));
                    graph.is_some_and(|graph| subgraphs.contains(graph))
                });
                let keys = known.filter_map(|it| argument(it, "key"));
                let is_one_field = |key: &&str| !key.contains([' ', '{']);
                member.keys = keys.filter(is_one_field).map(str::to_owned).collect();
            }
            _ => {}
        }
        member
    }

    /// The subgraphs that have a root field: those that it names or, where it names none, all of its type.
    fn subgraphs(&self, root: &ObjectType, field: &Field) -> Vec<String> {
        let named = |directives: &[Directive], name| {
            let named = of_join(directives, name);
            let named = named.filter_map(|it| self.graphs.get(argument(it, "graph")?));
            named.cloned().collect::<Vec<_>>()
        };
        let own = named(&field.directives, "join__field");
        if own.is_empty() {
            return named(&root.directives, "join__type");
        }
        own
    }

    fn asked_for(&self, supergraph: &Document) -> BTreeMap<String, BTreeSet<String>> {
        let mut asked_for = BTreeMap::<String, BTreeSet<String>>::new();
        let roots = [
            supergraph.query_type_name(),
            supergraph.mutation_type_name(),
        ];
        let named = roots.into_iter().flatten();
        for (name, root) in named.filter_map(|name| Some((name, self.object(name)?))) {
            for field in &root.fields {
                for subgraph in self.subgraphs(root, field) {
                    let asked = format!("{name}.{}", field.name);
                    asked_for.entry(subgraph).or_default().insert(asked);
                }
            }
        }
        for (name, ty) in &self.types {
            let directives = match ty {
                TypeDefinition::Object(object) => &object.directives,
                TypeDefinition::Interface(interface) => &interface.directives,
                _ => continue,
            };
            for directive in of_join(directives, "join__type") {
                let is_resolved = !directive
                    .arguments
                    .iter()
                    .any(|(name, value)| name == "resolvable" && *value == Value::Boolean(false));
                let graph = argument(directive, "graph").and_then(|it| self.graphs.get(it));
                let (Some(graph), Some(_), true) = (graph, argument(directive, "key"), is_resolved)
                else {
                    continue;
                };
                let asked = (*name).to_owned();
                asked_for.entry(graph.clone()).or_default().insert(asked);
            }
        }
        asked_for
    }
}

fn of_join<'a>(directives: &'a [Directive], name: &str) -> impl Iterator<Item = &'a Directive> {
    directives.iter().filter(move |it| it.name == name)
}

fn applied(directive: &Directive) -> (String, Map<String, Json>) {
    let arguments = directive.arguments.iter();
    let arguments = arguments.map(|(name, value)| (name.clone(), json(value)));
    (directive.name.clone(), arguments.collect())
}

fn json(value: &Value) -> Json {
    match value {
        Value::Int(number) => number.as_i64().into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) | Value::Enum(text) => text.as_str().into(),
        Value::Boolean(flag) => (*flag).into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            Json::Object(
                fields
                    .map(|(name, value)| (name.clone(), json(value)))
                    .collect(),
            )
        }
        Value::Null | Value::Variable(_) => Json::Null,
    }
}

/// The specifications that a supergraph links.
pub(super) fn links(supergraph: &Document) -> Vec<Link> {
    let schemas = supergraph.definitions.iter().filter_map(|it| match it {
        Definition::SchemaDefinition(schema) => Some(schema),
        _ => None,
    });
    let directives = schemas.flat_map(|schema| of_join(&schema.directives, "link"));
    directives.map(link).collect()
}

fn link(directive: &Directive) -> Link {
    let import = directive
        .arguments
        .iter()
        .find(|(name, _)| name == "import");
    let imports = import.map(|(_, value)| json(value));
    let imports = imports
        .as_ref()
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let imports = imports.filter_map(|import| {
        let name = import.as_str().or_else(|| import.get("name")?.as_str())?;
        let here = import.get("as").and_then(Json::as_str).unwrap_or(name);
        Some((name.to_owned(), here.to_owned()))
    });
    Link {
        url: argument(directive, "url").unwrap_or_default().to_owned(),
        imports: imports.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERGRAPH: &str = r#"
        schema @link(url: "https://a/join/v0.3", for: EXECUTION)
            @link(url: "https://a/mark/v1", import: ["@plain", { name: "@mark", as: "@seen" }]) {
          query: Query subscription: Subscription
        }
        enum join__Graph { A @join__graph(name: "a", url: "") B @join__graph(name: "b-b", url: "") }
        enum Kind @join__type(graph: B) { ONE TWO }
        type Query @join__type(graph: A) @join__type(graph: B) {
          thing: Thing @join__field(graph: A)
        }
        type Subscription @join__type(graph: B) {
          things(id: ID!, of: [Kind]): Event! @seen(count: 2, names: ["x"]) @join__field(graph: B)
          plain: Int
        }
        type Event @join__type(graph: B) { kind: Kind! thing: Thing }
        type Thing @join__type(graph: A, key: "id") @join__type(graph: A, key: "x y")
            @join__type(graph: B, key: "id", resolvable: false) { id: ID! }
    "#;

    #[test]
    fn a_field_is_read_with_its_directives_and_types_and_subgraphs_with_what_they_answer() {
        let document = graphql_tools::parser::parse_schema::<String>(SUPERGRAPH).unwrap();
        let read = subscriptions(&document.into_static());
        let imports = [("@plain", "@plain"), ("@mark", "@seen")];
        let imports = imports.map(|(name, here)| (name.to_owned(), here.to_owned()));
        assert_eq!(read.links[1].url, "https://a/mark/v1");
        assert_eq!(read.links[1].imports, imports);
        let [things, plain] = &read.fields[..] else {
            panic!("{:?}", read.fields);
        };
        assert_eq!(
            (&*things.name, &things.subgraphs[..]),
            ("things", &["b-b".to_owned()][..])
        );
        assert_eq!(plain.subgraphs, ["b-b"]);
        let arguments = serde_json::json!({ "count": 2, "names": ["x"] });
        let [(name, given)] = &things.directives[..] else {
            panic!("{:?}", things.directives);
        };
        assert_eq!((&**name, Json::Object(given.clone())), ("seen", arguments));
        let [id, of] = &things.arguments[..] else {
            panic!("{:?}", things.arguments);
        };
        assert!(id.ty == "ID" && id.is_non_null && !id.is_list);
        assert!(of.is_list && !of.is_non_null && of.values == ["ONE", "TWO"]);
        let [kind, thing] = &things.members[..] else {
            panic!("{:?}", things.members);
        };
        assert_eq!(kind.values, ["ONE", "TWO"]);
        assert_eq!(
            (&*thing.ty, &thing.keys[..]),
            ("Thing", &["id".to_owned()][..])
        );
        let of_a = BTreeSet::from(["Query.thing", "Thing"].map(str::to_owned));
        assert_eq!(read.asked_for, BTreeMap::from([("a".to_owned(), of_a)]));
    }
}
