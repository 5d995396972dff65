//! Every name of the public graph explains itself in the playground.

use graphql_tools::parser::schema::{
    Definition, Document, InputValue, TypeDefinition, parse_schema,
};

/// Names of everything in `document` that has no description.
fn undescribed(document: &Document<'_, String>) -> Vec<String> {
    let mut missing = Missing::default();
    for definition in &document.definitions {
        if let Definition::TypeDefinition(definition) = definition {
            visit(definition, &mut missing);
        }
    }
    missing.0
}

#[derive(Default)]
struct Missing(Vec<String>);

impl Missing {
    fn note(&mut self, name: String, description: Option<&String>) {
        if description.is_none_or(|text| text.trim().is_empty()) {
            self.0.push(name);
        }
    }

    fn note_values(&mut self, owner: &str, values: &[InputValue<'_, String>]) {
        for value in values {
            self.note(
                format!("{owner}.{}", value.name),
                value.description.as_ref(),
            );
        }
    }
}

fn visit(definition: &TypeDefinition<'_, String>, missing: &mut Missing) {
    match definition {
        TypeDefinition::Scalar(scalar) => {
            missing.note(scalar.name.clone(), scalar.description.as_ref())
        }
        TypeDefinition::Object(object) => {
            // The root types have no meaning beyond their fields, and every subgraph declares them.
            if !matches!(object.name.as_str(), "Query" | "Mutation" | "Subscription") {
                missing.note(object.name.clone(), object.description.as_ref());
            }
            for field in &object.fields {
                let name = format!("{}.{}", object.name, field.name);
                missing.note(name.clone(), field.description.as_ref());
                missing.note_values(&name, &field.arguments);
            }
        }
        TypeDefinition::Interface(interface) => {
            missing.note(interface.name.clone(), interface.description.as_ref())
        }
        TypeDefinition::Union(union) => {
            missing.note(union.name.clone(), union.description.as_ref())
        }
        TypeDefinition::Enum(kinds) => {
            missing.note(kinds.name.clone(), kinds.description.as_ref());
            for value in &kinds.values {
                missing.note(
                    format!("{}.{}", kinds.name, value.name),
                    value.description.as_ref(),
                );
            }
        }
        TypeDefinition::InputObject(input) => {
            missing.note(input.name.clone(), input.description.as_ref());
            missing.note_values(&input.name, &input.fields);
        }
    }
}

/// Composition's own names (`join__Graph`, `link__Purpose`) are no part of the public graph.
fn is_public(name: &str) -> bool {
    !name.starts_with("join__") && !name.starts_with("link__")
}

/// Seen red with the description of `Stock.available` removed.
#[test]
fn everything_public_has_a_description() {
    let document = parse_schema(schema::sdl::SUPERGRAPH).expect("supergraph.graphql is valid SDL");
    let bare: Vec<_> = undescribed(&document)
        .into_iter()
        .filter(|name| is_public(name))
        .collect();
    assert!(
        bare.is_empty(),
        "write a doc comment for each of these: {bare:#?}"
    );
}

#[test]
fn a_bare_field_argument_and_value_are_noticed() {
    let sdl = r#"type T { f(a: Int): Int } enum E { "described" A B } input I { i: Int }"#;
    let document = parse_schema(sdl).expect("the sample is valid SDL");
    assert_eq!(
        undescribed(&document),
        ["T", "T.f", "T.f.a", "E", "E.B", "I", "I.i"]
    );
}
