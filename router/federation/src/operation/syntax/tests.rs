use graphql_tools::static_graphql::query::{Definition, Selection, Value};

use super::*;

fn refusal(text: &str) -> (String, usize, usize) {
    match parse(text, 1_000) {
        Err(SyntaxError::Unexpected(sentence, at)) => (sentence, at.line, at.column),
        other => panic!("{text}: {other:?}"),
    }
}

fn argument(literal: &str) -> Value {
    let parsed = parse(&format!("{{ f(a: {literal}) }}"), 1_000).unwrap();
    let Definition::Operation(operation) = &parsed.document.definitions[0] else {
        panic!("an operation")
    };
    let Selection::Field(field) = &operation.selection_set().items[0] else {
        panic!("a field")
    };
    field.arguments[0].1.clone()
}

/// The values that graphql-js reads. Seen red with the library's reader.
#[test]
fn strings_have_the_values_that_they_say() {
    for (literal, value) in [
        (r#""""#, ""),
        (r#""a\"b\\c\/\b\f\n\r\t""#, "a\"b\\c/\u{8}\u{c}\n\r\t"),
        (r#""\u00e9\u{1F600}\u{0}""#, "é😀\0"),
        (r#""\uD83D\uDE00""#, "😀"),
        (r#""\u{00000041}""#, "A"),
        ("\"é\u{7}\u{feff}\"", "é\u{7}\u{feff}"),
        (r#""""""""#, ""),
        ("\"\"\"a \\\"\"\" \\n b\"\"\"", "a \"\"\" \\n b"),
        (
            "\"\"\"\n\n  one\r\n    two\r  \n  three\n\n\"\"\"",
            "one\n  two\n\nthree",
        ),
        ("\"\"\"\u{2003}x\n  y\"\"\"", "\u{2003}x\ny"),
    ] {
        assert_eq!(
            argument(literal),
            Value::String(value.to_owned()),
            "{literal}"
        );
    }
}

#[test]
fn numbers_are_kept_digit_by_digit_where_the_tree_cannot_hold_them() {
    assert_eq!(
        argument("-2147483648"),
        Value::Int((-2_147_483_648_i32).into())
    );
    assert_eq!(argument("1.5e-3"), Value::Float(0.0015));
    assert_eq!(argument("0E+0"), Value::Float(0.0));
    for digits in ["-0", "2147483648", "-99999999999999999999999999", "1e999"] {
        assert_eq!(argument(digits), Value::Enum(digits.to_owned()));
        assert_eq!(argument(digits).to_string(), digits);
        assert!(number::is_number(digits));
    }
    assert!(number::is_whole("-99999999999999999999999999"));
    assert!(!number::is_whole("1e999"));
}

/// What begins and what ends, and where: as graphql-js says it.
#[test]
fn what_is_not_graphql_is_refused_where_it_is_wrong() {
    for (text, sentence, line, column) in [
        ("", "Unexpected <EOF>.", 1, 1),
        ("{", "Expected Name, found <EOF>.", 1, 2),
        ("{ }", "Expected Name, found \"}\".", 1, 3),
        ("{ a\n  b( }", "Expected Name, found \"}\".", 2, 6),
        ("{ a } x", "Unexpected Name \"x\".", 1, 7),
        (
            "{ a(b: 01) }",
            "Invalid number, expected digit but got: \"1\".",
            1,
            9,
        ),
        (
            "{ a(b: 1x) }",
            "Invalid number, expected digit but got: \"x\".",
            1,
            9,
        ),
        (
            "{ a(b: 1.) }",
            "Invalid number, expected digit but got: \")\".",
            1,
            10,
        ),
        ("{ a(b: \"x\n\") }", "Unterminated string.", 1, 10),
        (
            "{ a(b: \"\\q\") }",
            "Invalid character escape sequence: \"\\q\".",
            1,
            9,
        ),
        (
            "{ a(b: \"\\uD800\") }",
            "Invalid Unicode escape sequence: \"\\uD800\".",
            1,
            9,
        ),
        ("{ a(b: \"\"\"x) }", "Unterminated string.", 1, 8),
        ("{ é }", "Unexpected character: U+00E9.", 1, 3),
        ("#é\r\n\r{ ? }", "Unexpected character: \"?\".", 3, 3),
        (
            "query ($a: Int = $b) { a }",
            "Unexpected variable \"$b\" in constant value.",
            1,
            18,
        ),
        ("fragment on on X { a }", "Unexpected Name \"on\".", 1, 10),
        (
            "\"d\" { a }",
            "Unexpected description, descriptions are not supported on shorthand queries.",
            1,
            1,
        ),
        ("type X { a: Int }", "Unexpected Name \"type\".", 1, 1),
        ("{ a() }", "Expected Name, found \")\".", 1, 5),
        ("{ a . b }", "Unexpected character: \".\".", 1, 5),
        ("{ 😀", "Unexpected character: U+1F600.", 1, 3),
    ] {
        assert_eq!(refusal(text), (sentence.to_owned(), line, column), "{text}");
    }
}

#[test]
fn descriptions_and_directives_stand_where_they_may() {
    let text = "\u{feff}\"what\" query Q(\"\"\"why\"\"\" $a: [Int!]! = [1] @x(y: 1)) @z { a ... @skip(if: $a) { b } ...F } \
        \"how\" fragment F on X @z { c: d(e: {f: [$a], g: {}}) }";
    let parsed = parse(text, 1_000).unwrap();
    assert_eq!(parsed.document.definitions.len(), 2);
    assert_eq!(parsed.of_variables[0].name, "x");
}

#[test]
fn tokens_and_nesting_are_bounded() {
    assert!(parse("{ a b }", 4).is_ok());
    let end = Pos { line: 1, column: 7 };
    assert_eq!(parse("{ a b }", 3).unwrap_err(), SyntaxError::Tokens(end));
    let nested = |depth: usize| format!("{}a{}", "{a".repeat(depth), "}".repeat(depth));
    assert!(parse(&nested(50), 1_000).is_ok());
    let deepest = Pos {
        line: 1,
        column: 101,
    };
    assert_eq!(
        parse(&nested(51), 1_000).unwrap_err(),
        SyntaxError::Nesting(deepest)
    );
    let open = "[".repeat(100_000);
    assert_eq!(
        parse(&format!("{{ a(b: {open}"), 1_000_000).unwrap_err(),
        SyntaxError::Nesting(Pos {
            line: 1,
            column: 56
        })
    );
}
