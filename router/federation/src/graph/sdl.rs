//! A schema as text.
//!
//! Laid out as the library does it, but with strings that every reader takes for what they are: the library writes
//! characters beyond U+FFFF as decimal numbers, and blocks whose indentation is lost.
//! Source: GraphQL specification, 2.9.4 String Value and 3 Type System.

use std::fmt::{Error, Write};

use graphql_tools::static_graphql::schema::{
    Definition, Directive, DirectiveDefinition, Document, EnumValue, Field, InputValue,
    SchemaDefinition, TypeDefinition,
};

use crate::graph::literal;

const INDENT: &str = "  ";

/// Writes a schema; extensions are not part of one that is loaded.
pub(super) fn sdl(document: &Document) -> String {
    let definitions = document.definitions.iter().filter_map(|definition| {
        let mut out = String::new();
        match definition {
            Definition::SchemaDefinition(schema) => roots(schema, &mut out),
            Definition::TypeDefinition(ty) => type_definition(ty, &mut out),
            Definition::DirectiveDefinition(found) => directive_definition(found, &mut out),
            Definition::TypeExtension(_) => Err(Error),
        }
        .ok()?;
        Some(out)
    });
    definitions.collect::<Vec<_>>().join("\n")
}

type Written = Result<(), Error>;

fn roots(schema: &SchemaDefinition, out: &mut String) -> Written {
    write!(out, "schema")?;
    directives(&schema.directives, out)?;
    writeln!(out, " {{")?;
    let roots = [
        ("query", &schema.query),
        ("mutation", &schema.mutation),
        ("subscription", &schema.subscription),
    ];
    for (kind, name) in roots {
        if let Some(name) = name {
            writeln!(out, "{INDENT}{kind}: {name}")?;
        }
    }
    writeln!(out, "}}")
}

fn type_definition(ty: &TypeDefinition, out: &mut String) -> Written {
    let (keyword, description, interfaces, directives) = match ty {
        TypeDefinition::Scalar(it) => ("scalar", &it.description, &[][..], &it.directives),
        TypeDefinition::Object(it) => {
            let interfaces = it.implements_interfaces.as_slice();
            ("type", &it.description, interfaces, &it.directives)
        }
        TypeDefinition::Interface(it) => {
            let interfaces = it.implements_interfaces.as_slice();
            ("interface", &it.description, interfaces, &it.directives)
        }
        TypeDefinition::Union(it) => ("union", &it.description, &[][..], &it.directives),
        TypeDefinition::Enum(it) => ("enum", &it.description, &[][..], &it.directives),
        TypeDefinition::InputObject(it) => ("input", &it.description, &[][..], &it.directives),
    };
    head(description, keyword, ty.name(), interfaces, directives, out)?;
    match ty {
        TypeDefinition::Scalar(_) => writeln!(out),
        TypeDefinition::Object(it) => block(&it.fields, field, out),
        TypeDefinition::Interface(it) => block(&it.fields, field, out),
        TypeDefinition::Union(it) if it.types.is_empty() => writeln!(out),
        TypeDefinition::Union(it) => writeln!(out, " = {}", it.types.join(" | ")),
        TypeDefinition::Enum(it) => block(&it.values, enum_value, out),
        TypeDefinition::InputObject(it) => block(&it.fields, input_field, out),
    }
}

fn directive_definition(found: &DirectiveDefinition, out: &mut String) -> Written {
    description(found.description.as_deref(), "", out)?;
    write!(out, "directive @{}", found.name)?;
    arguments(&found.arguments, out)?;
    if found.repeatable {
        write!(out, " repeatable")?;
    }
    let locations: Vec<_> = found.locations.iter().map(|it| it.as_str()).collect();
    writeln!(out, " on {}", locations.join(" | "))
}

/// All of a type but its body.
fn head(
    text: &Option<String>,
    keyword: &str,
    name: &str,
    interfaces: &[String],
    applied: &[Directive],
    out: &mut String,
) -> Written {
    description(text.as_deref(), "", out)?;
    write!(out, "{keyword} {name}")?;
    if !interfaces.is_empty() {
        write!(out, " implements {}", interfaces.join(" & "))?;
    }
    directives(applied, out)
}

fn block<T>(items: &[T], write: fn(&T, &mut String) -> Written, out: &mut String) -> Written {
    if !items.is_empty() {
        writeln!(out, " {{")?;
        for item in items {
            write(item, out)?;
            writeln!(out)?;
        }
        write!(out, "}}")?;
    }
    writeln!(out)
}

fn field(field: &Field, out: &mut String) -> Written {
    description(field.description.as_deref(), INDENT, out)?;
    write!(out, "{INDENT}{}", field.name)?;
    arguments(&field.arguments, out)?;
    write!(out, ": {}", field.field_type)?;
    directives(&field.directives, out)
}

fn enum_value(value: &EnumValue, out: &mut String) -> Written {
    description(value.description.as_deref(), INDENT, out)?;
    write!(out, "{INDENT}{}", value.name)?;
    directives(&value.directives, out)
}

fn input_field(field: &InputValue, out: &mut String) -> Written {
    description(field.description.as_deref(), INDENT, out)?;
    write!(out, "{INDENT}")?;
    input(field, out)
}

fn arguments(all: &[InputValue], out: &mut String) -> Written {
    for (position, argument) in all.iter().enumerate() {
        write!(out, "{}", if position == 0 { "(" } else { ", " })?;
        if let Some(text) = &argument.description {
            write!(out, "{} ", quoted(text))?;
        }
        input(argument, out)?;
    }
    match all {
        [] => Ok(()),
        _ => write!(out, ")"),
    }
}

fn input(input: &InputValue, out: &mut String) -> Written {
    write!(out, "{}: {}", input.name, input.value_type)?;
    if let Some(default) = &input.default_value {
        write!(out, " = {}", literal(default))?;
    }
    directives(&input.directives, out)
}

fn directives(applied: &[Directive], out: &mut String) -> Written {
    for directive in applied {
        write!(out, " @{}", directive.name)?;
        let given = &directive.arguments;
        let given = given
            .iter()
            .map(|(name, value)| format!("{name}: {}", literal(value)));
        let given: Vec<_> = given.collect();
        if !given.is_empty() {
            write!(out, "({})", given.join(", "))?;
        }
    }
    Ok(())
}

/// A description above what it is about: a block where it has lines and a block can hold it, one line otherwise.
fn description(text: Option<&str>, indent: &str, out: &mut String) -> Written {
    let Some(text) = text else {
        return Ok(());
    };
    if !is_for_block(text) {
        return writeln!(out, "{indent}{}", quoted(text));
    }
    writeln!(out, "{indent}\"\"\"")?;
    for line in text.split('\n') {
        if !line.is_empty() {
            write!(out, "{indent}{}", line.replace("\"\"\"", "\\\"\"\""))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{indent}\"\"\"")
}

/// Whether a block of this text is read as this text: nothing that can be taken for its indentation, no blank lines around
/// it, and no character that blocks cannot hold.
fn is_for_block(text: &str) -> bool {
    let is_blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
    let mut lines = text.split('\n');
    let is_plain = |found: char| matches!(found, '\n' | '\t') || !found.is_control();
    let is_flush = |line: &str| !line.starts_with([' ', '\t']);
    text.contains('\n')
        && text.chars().all(is_plain)
        && !lines.clone().next().is_none_or(is_blank)
        && !lines.clone().next_back().is_none_or(is_blank)
        && lines.clone().any(|line| !is_blank(line) && is_flush(line))
        && lines.all(|line| line.is_empty() || !is_blank(line))
}

/// On one line. The escapes of JSON are GraphQL's, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        description(Some(text), INDENT, &mut out).unwrap();
        out
    }

    /// Seen red with the library's writer: `\u128512` for the first.
    #[test]
    fn a_description_is_read_again_as_it_was() {
        assert_eq!(
            written("a 😀 \u{8} \"b\" \\"),
            "  \"a 😀 \\b \\\"b\\\" \\\\\"\n"
        );
        assert_eq!(
            written("a 😀\n\n  b \\n \"\"\""),
            "  \"\"\"\n  a 😀\n\n    b \\n \\\"\"\"\n  \"\"\"\n"
        );
        for not_for_a_block in [" a\n b", "\na", "a\n", "a\n \nb", "a\r\nb", "a\n\u{0}"] {
            let line = format!("  {}\n", serde_json::Value::from(not_for_a_block));
            assert_eq!(written(not_for_a_block), line);
        }
    }

    #[test]
    fn a_schema_is_laid_out_as_the_library_does_it() {
        let text = "\"why\"\ndirective @cached(\"how long\" seconds: Int = 5) repeatable on FIELD | QUERY\n\n\
            schema {\n  query: Q\n  mutation: M\n}\n\n\
            scalar Time @specifiedBy(url: \"https://time\")\n\n\
            type Q implements A & B {\n  \"f\"\n  f(\"x\" x: [In!]! = [{a: \"b\"}], y: E): Int! @deprecated(reason: \"old\")\n}\n\n\
            union U = Q | M\n\nenum E {\n  ONE\n}\n\ninput In @oneOf {\n  a: String\n}\n\ntype Empty\n";
        let document = graphql_tools::parser::parse_schema::<String>(text)
            .unwrap()
            .into_static();
        let ours = sdl(&document);
        assert_eq!(
            ours.replace("{ a: \"b\" }", "{a: \"b\"}"),
            document.to_string()
        );
        assert!(ours.contains("= [{ a: \"b\" }]"), "{ours}");
    }
}
