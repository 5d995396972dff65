//! The declared subgraph against the tables that the router works from.

use graphql_tools::parser::schema::{
    Definition, Document, ObjectType, TypeDefinition, parse_schema,
};

const FRAMES: [(&str, &[events::FrameField]); 2] = [
    ("OrderEvent", events::FRAME_FIELDS),
    ("StockEvent", events::STOCK_FRAME_FIELDS),
];

fn object<'a>(
    document: &'a Document<'static, String>,
    name: &str,
) -> &'a ObjectType<'static, String> {
    document
        .definitions
        .iter()
        .find_map(|definition| match definition {
            Definition::TypeDefinition(TypeDefinition::Object(object)) if object.name == name => {
                Some(object)
            }
            _ => None,
        })
        .unwrap_or_else(|| panic!("events.graphql has no type {name}"))
}

fn document() -> Document<'static, String> {
    // The parser knows no schema extensions: the one with the imports is the first paragraph.
    let (extension, definitions) = events::sdl()
        .split_once("\n\n")
        .expect("the SDL has paragraphs");
    assert!(extension.starts_with("extend schema"));
    parse_schema::<String>(definitions)
        .expect("events.graphql is valid SDL")
        .into_static()
}

fn field_names(name: &str) -> Vec<String> {
    object(&document(), name)
        .fields
        .iter()
        .map(|field| field.name.clone())
        .collect()
}

/// Seen red with `at` taken out of the table.
#[test]
fn a_frame_has_the_fields_of_the_sdl() {
    let document = document();
    for (name, fields) in FRAMES {
        let declared: Vec<_> = object(&document, name)
            .fields
            .iter()
            .map(|field| (field.name.clone(), field.field_type.to_string()))
            .collect();
        let table: Vec<_> = fields
            .iter()
            .map(|field| (field.name.to_owned(), field.graphql_type.to_owned()))
            .collect();
        assert_eq!(declared, table);
    }
}

#[test]
fn what_a_gap_leaves_out_is_nullable() {
    for field in FRAMES.iter().flat_map(|(_, fields)| *fields) {
        assert_eq!(
            field.null_on_gap,
            !field.graphql_type.ends_with('!'),
            "{}",
            field.name
        );
    }
}

#[test]
fn the_kinds_are_those_of_the_sdl() {
    let document = document();
    let mut kinds = 0;
    for definition in &document.definitions {
        let Definition::TypeDefinition(TypeDefinition::Enum(found)) = definition else {
            continue;
        };
        if found.name.ends_with("EventKind") {
            let names = found.values.iter().map(|value| value.name.as_str());
            assert_eq!(names.collect::<Vec<_>>(), events::FRAME_KINDS);
            kinds += 1;
        }
    }
    assert_eq!(kinds, FRAMES.len());
}

#[test]
fn the_router_serves_every_root_field() {
    assert_eq!(field_names("Query"), events::ROUTER_FIELDS);
    assert_eq!(field_names("Subscription"), events::SUBSCRIPTION_FIELDS);
}
