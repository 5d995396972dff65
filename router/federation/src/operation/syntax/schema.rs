//! The text of a schema in a form that the library's reader takes for what it is.
//!
//! Strings are read here, by the rules of the specification, and written again without the escapes and blocks that the
//! library reads otherwise or refuses (`\u{1F600}`, surrogate pairs, `\b`, lines that end with a carriage return), and so
//! are the exponents that it refuses (`1e9`). A number that its numbers cannot hold is written as a name and read back from
//! it, as it stands in an operation's tree. Each token keeps its line, and its column as far as there is room.

use graphql_tools::static_graphql::schema::{
    Definition, Directive, Document, Field, InputValue, TypeDefinition, Value,
};

use crate::operation::syntax::SyntaxError;
use crate::operation::syntax::lexer::{Lexer, Token};

/// The tokens of a text, each string on one line.
///
/// # Errors
/// [`SyntaxError`] where no token begins or one does not end.
pub(crate) fn readable(text: &str) -> Result<String, SyntaxError> {
    let mut lexer = Lexer::new(text, usize::MAX);
    let mut out = String::with_capacity(text.len());
    let (mut line, mut line_start) = (1, 0);
    loop {
        let (token, position) = lexer.next()?;
        while line < position.line {
            out.push('\n');
            line += 1;
            line_start = out.len();
        }
        if out.len() > line_start && is_of_a_word(&out) && !matches!(token, Token::Punctuator(_)) {
            out.push(' ');
        }
        while out.len() - line_start + 1 < position.column {
            out.push(' ');
        }
        match token {
            Token::Punctuator(sign) => out.push(sign),
            Token::Spread => out.push_str("..."),
            Token::Int(digits) if digits.parse::<i64>().is_err() => hide(digits, &mut out),
            Token::Name(text) | Token::Int(text) => out.push_str(text),
            Token::Float(digits) if !digits.parse().is_ok_and(f64::is_finite) => {
                hide(digits, &mut out);
            }
            Token::Float(digits) => out.push_str(&with_signed_exponent(digits)),
            Token::String(value) => write_string(&value, &mut out),
            Token::End => return Ok(out),
        }
    }
}

/// Whether what is written next would be read as one with what is written last.
fn is_of_a_word(out: &str) -> bool {
    out.ends_with(|last: char| last.is_ascii_alphanumeric() || matches!(last, '_' | '"' | '.'))
}

/// What the name of a number begins with. No schema may have such a name of its own, for they begin with two underscores.
const HIDDEN: &str = "__number_";

/// What a name has in place of the characters of a number that are none of a name.
const SIGNS: [(char, &str); 3] = [('-', "minus"), ('+', "plus"), ('.', "point")];

fn hide(digits: &str, out: &mut String) {
    out.push_str(HIDDEN);
    for character in digits.chars() {
        match SIGNS.iter().find(|(sign, _)| *sign == character) {
            Some((_, word)) => out.push_str(word),
            None => out.push(character),
        }
    }
}

/// The number that is written as this name.
fn hidden(name: &str) -> Option<String> {
    let mut digits = name.strip_prefix(HIDDEN)?.to_owned();
    for (sign, word) in SIGNS {
        digits = digits.replace(word, &sign.to_string());
    }
    Some(digits)
}

/// Gives the numbers back that [`readable`] wrote as names.
pub(crate) fn restore_numbers(document: &mut Document) {
    for definition in &mut document.definitions {
        match definition {
            Definition::TypeDefinition(ty) => of_type(ty),
            Definition::DirectiveDefinition(found) => of_inputs(&mut found.arguments),
            Definition::SchemaDefinition(schema) => of_directives(&mut schema.directives),
            Definition::TypeExtension(_) => {}
        }
    }
}

fn of_type(ty: &mut TypeDefinition) {
    match ty {
        TypeDefinition::Scalar(it) => of_directives(&mut it.directives),
        TypeDefinition::Object(it) => {
            of_directives(&mut it.directives);
            it.fields.iter_mut().for_each(of_field);
        }
        TypeDefinition::Interface(it) => {
            of_directives(&mut it.directives);
            it.fields.iter_mut().for_each(of_field);
        }
        TypeDefinition::Union(it) => of_directives(&mut it.directives),
        TypeDefinition::Enum(it) => {
            of_directives(&mut it.directives);
            let values = it.values.iter_mut();
            values.for_each(|value| of_directives(&mut value.directives));
        }
        TypeDefinition::InputObject(it) => {
            of_directives(&mut it.directives);
            of_inputs(&mut it.fields);
        }
    }
}

fn of_field(field: &mut Field) {
    of_inputs(&mut field.arguments);
    of_directives(&mut field.directives);
}

fn of_inputs(inputs: &mut [InputValue]) {
    for input in inputs {
        input.default_value.iter_mut().for_each(of_value);
        of_directives(&mut input.directives);
    }
}

fn of_directives(directives: &mut [Directive]) {
    let arguments = directives.iter_mut().flat_map(|it| &mut it.arguments);
    arguments.for_each(|(_, value)| of_value(value));
}

fn of_value(value: &mut Value) {
    match value {
        Value::Enum(name) => {
            if let Some(digits) = hidden(name) {
                *name = digits;
            }
        }
        Value::List(items) => items.iter_mut().for_each(of_value),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| of_value(value)),
        Value::Variable(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Null => {}
    }
}

/// The library takes an exponent without a sign only where it begins with one digit of 1 to 8.
fn with_signed_exponent(digits: &str) -> String {
    match digits.split_once(['e', 'E']) {
        Some((number, exponent)) if exponent.starts_with(|it: char| it.is_ascii_digit()) => {
            format!("{number}e+{exponent}")
        }
        _ => digits.to_owned(),
    }
}

/// With no other escapes than those that the library reads as GraphQL does.
fn write_string(value: &str, out: &mut String) {
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use graphql_tools::parser::parse_schema;
    use graphql_tools::static_graphql::schema::{Definition, TypeDefinition};

    use super::*;

    /// The description that the library reads of a type.
    fn described(literal: &str) -> String {
        let text = readable(&format!("{literal} scalar S")).unwrap();
        let document = parse_schema::<String>(&text).unwrap().into_static();
        match &document.definitions[0] {
            Definition::TypeDefinition(TypeDefinition::Scalar(scalar)) => {
                scalar.description.clone().unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_string_is_read_as_the_specification_has_it() {
        for (literal, value) in [
            (r#""plain é😀 text""#, "plain é😀 text"),
            (r#""\u{1F600}""#, "😀"),
            (r#""\uD83D\uDE00""#, "😀"),
            (r#""\u00e9\u{e9}""#, "éé"),
            (r#""\b\f\n\r\t\/\\\"""#, "\u{8}\u{c}\n\r\t/\\\""),
            (r#""\u0000\u{7f}""#, "\0\u{7f}"),
            (r#""""#, ""),
            (
                "\"\"\"\n    one\n      two\n\n    three\n  \"\"\"",
                "one\n  two\n\nthree",
            ),
            ("\"\"\"one\r  two\r\n  three\"\"\"", "one\ntwo\nthree"),
            (
                "\"\"\"\\u{1F600} \\n \\\"\"\" 😀\"\"\"",
                "\\u{1F600} \\n \"\"\" 😀",
            ),
            // No indentation but spaces and tabs.
            ("\"\"\"\n\u{a0}one\n\u{a0}two\"\"\"", "\u{a0}one\n\u{a0}two"),
        ] {
            assert_eq!(described(literal), value, "{literal}");
        }
    }

    /// Seen red with the digits handed to the library, which refuses the whole schema.
    #[test]
    fn a_number_keeps_its_digits_where_the_tree_cannot_hold_it() {
        for digits in [
            "9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "-1.5e+999",
            "1e999",
        ] {
            let text = format!(
                "input I {{ a: ID = {digits} b: [J] = [{{ c: {digits} }}] @d(e: {digits}) }}"
            );
            let mut document = parse_schema::<String>(&readable(&text).unwrap())
                .unwrap()
                .into_static();
            restore_numbers(&mut document);
            let Definition::TypeDefinition(TypeDefinition::InputObject(input)) =
                &document.definitions[0]
            else {
                panic!("{document}")
            };
            let defaults = input.fields.iter().flat_map(|field| &field.default_value);
            let defaults: Vec<_> = defaults.map(crate::graph::literal).collect();
            assert_eq!(
                defaults,
                [digits.to_owned(), format!("[{{ c: {digits} }}]")]
            );
            let argument = &input.fields[1].directives[0].arguments[0].1;
            assert_eq!(crate::graph::literal(argument), digits);
        }
    }

    #[test]
    fn what_is_no_string_is_refused_where_it_stands() {
        for (text, column) in [
            (r#"scalar S @a(b: "\u{110000}")"#, 17),
            (r#"scalar S @a(b: "\uD83D")"#, 17),
            (r#"scalar S @a(b: "\x")"#, 17),
            (r#"scalar S @a(b: "é😀 \q")"#, 21),
        ] {
            let Err(SyntaxError::Unexpected(_, at)) = readable(text) else {
                panic!("{text} is read");
            };
            assert_eq!((at.line, at.column), (1, column), "{text}");
        }
    }

    #[test]
    fn tokens_keep_their_places_and_numbers_their_values() {
        let text = "\u{feff}type T {\n  a(b: Float = 1e9, c: Float = -1.5E05): Int # why\n\n  b: [Int!]!\n}";
        let read = readable(text).unwrap();
        let place = |text: &str, what: &str| {
            text.lines()
                .enumerate()
                .find_map(|(line, text)| Some((line, text.find(what)?)))
        };
        assert_eq!(place(&read, "b: [").unwrap(), (3, 2));
        assert!(read.contains("1e+9") && read.contains("-1.5e+05"), "{read}");
        parse_schema::<String>(&read).unwrap();
    }
}
