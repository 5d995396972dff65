use graphql_tools::parser::{parse_query, parse_schema};

use super::*;

const SCHEMA: &str = "
    type Query { a(id: ID text: String int: Int float: Float flag: Boolean kind: Kind in: In any: Any
        ids: [ID!] ins: [In!] one: Choice must: Int! = 1): String b: Query }
    directive @include(if: Boolean!) on FIELD
    scalar Any scalar String scalar Int scalar Float scalar Boolean scalar ID
    enum Kind { BOOK FILM }
    input In { id: ID! count: Int = 3 kinds: [Kind!] inner: In any: Any }
    input Choice @oneOf { sku: ID name: String }";

fn found(text: &str) -> Vec<GraphqlError> {
    let schema = parse_schema::<String>(SCHEMA).unwrap().into_static();
    let types = TypeTable::new(&schema, &schema);
    misfits(
        &types,
        &parse_query::<String>(text).expect(text).into_static(),
    )
}

const LITERALS: [&str; 10] = [
    "1",
    "3000000000",
    "1.5",
    r#""x""#,
    "true",
    "null",
    "BOOK",
    "NONE",
    "[]",
    "{ a: 1 }",
];

/// Which literals fit which argument, in the order of [`LITERALS`]. Seen red with an object taken for a scalar.
#[test]
fn each_type_takes_its_literals_and_no_other() {
    for (argument, fitting) in [
        ("id", "1 3000000000 \"x\" null"),
        ("text", "\"x\" null"),
        ("int", "1 null"),
        ("float", "1 3000000000 1.5 null"),
        ("flag", "true null"),
        ("kind", "null BOOK"),
        ("in", "null"),
        (
            "any",
            "1 3000000000 1.5 \"x\" true null BOOK NONE [] { a: 1 }",
        ),
        ("ids", "1 3000000000 \"x\" null []"),
        ("ins", "null []"),
        ("one", "null"),
        ("must", "1"),
    ] {
        for literal in LITERALS {
            let text = format!("{{ a({argument}: {literal}) }}");
            let fits = found(&text).is_empty();
            assert_eq!(fits, fitting.contains(literal), "{text}");
            // The same below a list, a variable's default and a directive.
            let wrapped = format!("query($v: In = {{ id: 1, any: {literal} }}) {{ a(in: $v) }}");
            assert!(found(&wrapped).is_empty(), "{wrapped}");
        }
    }
}

#[test]
fn what_does_not_fit_is_found_wherever_it_stands() {
    for text in [
        "{\n a(ids: [1, { a: 1 }]) }",
        "{\n a(ids: [null]) }",
        "{\n a(in: { id: [1] }) }",
        "{\n a(in: { count: 1 }) }",
        "{\n a(in: { id: 1, more: 1 }) }",
        "{\n a(in: { id: 1, inner: { id: BOOK } }) }",
        "{\n a(in: { id: 1, kinds: [\"BOOK\"] }) }",
        "{\n a(in: { id: null }) }",
        "{\n a(one: { sku: 1, name: \"x\" }) }",
        "{\n a(one: { sku: null }) }",
        "{\n a @include(if: 1) }",
        "{\n a @include(if: { a: true }) }",
        "query(\n $v: ID = { a: 1 }) { a(id: $v) }",
        "query(\n $v: [Int] = [1.5]) { b { a } }",
        "{ b {\n ... { b { a(id: { x: 1 }) } } } }",
        "{ ...f } fragment f on Query {\n a(text: 1) }",
    ] {
        let errors = found(text);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].locations[0].line, 2, "{text}");
    }
}

#[test]
fn what_fits_passes() {
    for text in [
        "{ a(in: { id: 1, inner: { id: \"x\", kinds: BOOK } }) }",
        "{ a(ids: 1, ins: { id: 1 }) }",
        "query($v: ID!) { a(ids: [$v], in: { id: $v }, one: { sku: $v }) }",
        "{ b @include(if: true) { a } }",
        "{ a(one: { sku: 1 }) }",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn the_errors_of_a_long_list_are_bounded() {
    let text = format!("{{ a(ids: [{}]) }}", "true ".repeat(1_000));
    assert_eq!(found(&text).len(), MAX_ERRORS);
}

/// Fails with every name of two underscores let through, as the library does: planning then met a field that there is none.
#[test]
fn of_what_begins_with_two_underscores_there_are_three_fields() {
    for text in [
        "{ __typename b { __typename } }",
        "{ __schema { types { name } } __type(name: \"In\") { name } }",
    ] {
        assert!(found(text).is_empty(), "{text}");
    }
    for text in [
        "{ __typenar }",
        "{ b { __other } }",
        "{ ... on Query { __ } }",
        "fragment F on In { __schema { types { name } } }",
    ] {
        let errors = found(text);
        assert_eq!(errors.len(), 1, "{text}");
        assert!(
            errors[0].message.starts_with("Cannot query field"),
            "{text}"
        );
    }
}
