use proptest::prelude::*;

use super::*;
use crate::shape::{Key, Keys};

fn shape() -> ReadShape {
    let mut shape = ReadShape::default();
    shape.add("a", Key(1), None);
    let mut inner = ReadShape::default();
    inner.add("c", Key(3), None);
    shape.add("b", Key(2), Some(inner));
    shape
}

fn leaf(bytes: &[u8], value: &Value) -> String {
    let Value::Leaf(span) = value else {
        panic!("not a leaf: {value:?}")
    };
    String::from_utf8_lossy(&bytes[span.start as usize..span.end as usize]).into_owned()
}

fn read(text: &[u8]) -> Result<(Store, Value), ReadError> {
    let mut store = Store::default();
    let data = response(text, 0, &mut store, &shape(), 100)?.data;
    Ok((store, data))
}

fn fields<'s>(store: &'s Store, value: &Value) -> &'s [(Key, Value)] {
    let Value::Object(id) = value else {
        panic!("not an object: {value:?}")
    };
    store.fields(*id)
}

#[test]
fn leaves_are_kept_as_they_are_written() {
    let text = br#" {"data": {"b":[{"c":1.10}, null], "x":[1,{"y":"}"}], "a" : 123456789012345678901234567890 }} "#;
    let (store, data) = read(text).unwrap();
    let data = fields(&store, &data);
    assert_eq!(data.len(), 2);
    assert_eq!(leaf(text, &data[1].1), "123456789012345678901234567890");
    let Value::List(items) = &data[0].1 else {
        panic!()
    };
    assert_eq!(leaf(text, &fields(&store, &items[0])[0].1), "1.10");
    assert_eq!(items[1], Value::Null);
}

#[test]
fn what_is_not_json_is_refused_even_where_it_is_not_asked_for() {
    for text in [
        r#"{"data":{"x":01}}"#,
        r#"{"data":{"x":tru}}"#,
        r#"{"data":{"x":"\q"}}"#,
        r#"{"data":{"x":[1,]}}"#,
        "{\"data\":{\"x\":\"a\nb\"}}",
        r#"{"data":{}} x"#,
        r#"{"data":{"#,
        "[]",
        "{}",
    ] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn endless_nesting_is_refused() {
    let text = format!("{{\"data\":{}", "[".repeat(100_000));
    assert!(read(text.as_bytes()).is_err());
}

proptest! {
    /// The reader takes exactly what a full JSON parser takes.
    #[test]
    fn the_reader_agrees_with_a_json_parser(text in r#"[\[\]{}",:0-9eE.+\-a-cntrufls\\ ]{0,24}"#) {
        let wrapped = format!("{{\"data\":{text}}}");
        let theirs = serde_json::from_str::<serde_json::Value>(&wrapped);
        // Numbers out of the range of f64 are JSON, but not for that parser; lone surrogates likewise.
        let excused = theirs.as_ref().is_err_and(|error| {
            let text = error.to_string();
            text.contains("out of range") || text.contains("surrogate")
        });
        let ours = read(wrapped.as_bytes());
        let ours_ok = ours.is_ok();
        let theirs_ok = theirs.as_ref().is_ok_and(|value| value.get("data").is_some());
        prop_assert!(excused || ours_ok == theirs_ok, "{wrapped}: {ours:?} {theirs:?}");
    }
}

/// Strings are read eight bytes a step, so what ends or spoils one stands at every place of a step, beside every other byte.
/// Seen red with a control character taken for plain.
#[test]
fn a_string_ends_at_its_quote_wherever_it_stands() {
    for before in 0..20 {
        for neighbour in [
            "a",
            "!",
            "#",
            "[",
            "]",
            "\u{7f}",
            "é",
            "\u{10ffff}",
            "\\\"",
            "\\\\",
            "\\u0022",
        ] {
            let string = format!("\"{}{neighbour}{neighbour}\"", "x".repeat(before));
            let text = format!("{{\"data\":{{\"a\":{string},\"x\":\"\"}}}}");
            let (store, data) = read(text.as_bytes()).unwrap();
            let data = fields(&store, &data);
            assert_eq!(leaf(text.as_bytes(), &data[0].1), string);
        }
        for control in 0..0x20_u8 {
            let control = char::from(control);
            let text = format!(
                "{{\"data\":{{\"a\":\"{}{control}aaaaaaaa\"}}}}",
                "x".repeat(before)
            );
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.at, 14 + before, "{error}");
        }
    }
}

#[test]
fn objects_in_the_same_bytes_are_one_and_each_counts() {
    let item = |text: &str| format!("{{\"c\":\"{text}\"}}");
    let long = "a".repeat(20);
    let items = [
        item("1"),
        item(&long),
        item("1"),
        item("2"),
        item(&long),
        item(&format!("b{long}")),
        "{}".to_owned(),
        "{}".to_owned(),
    ];
    let text = format!("{{\"data\":{{\"b\":[{}]}}}}", items.join(","));
    let mut store = Store::default();
    let whole = &text;
    let read = response(text.as_bytes(), 0, &mut store, &shape(), 8).unwrap();
    assert_eq!(read.objects, 8);
    let Value::List(found) = &fields(&store, &read.data)[0].1 else {
        panic!()
    };
    for (one, text) in found.iter().zip(&items) {
        for (other, same) in found.iter().zip(&items) {
            assert_eq!(one == other, text == same, "{text} {same}");
        }
        let inner = fields(&store, one).first();
        let inner = inner.map(|(_, value)| format!("{{\"c\":{}}}", leaf(whole.as_bytes(), value)));
        assert_eq!(inner.unwrap_or_else(|| "{}".to_owned()), *text);
    }
    let mut store = Store::default();
    let refused = response(text.as_bytes(), 0, &mut store, &shape(), 7);
    assert!(refused.unwrap_err().is_too_many_objects());
}

/// Long lists of what is always new, and of more kinds than are remembered.
#[test]
fn what_is_not_remembered_is_read() {
    for kinds in [1_000, 40] {
        let items = (0..1_000).map(|number| format!("{{\"c\":{}}}", number % kinds));
        let items: Vec<_> = items.collect();
        let text = format!("{{\"data\":{{\"b\":[{}]}}}}", items.join(","));
        let mut store = Store::default();
        let read = response(text.as_bytes(), 0, &mut store, &shape(), 2_000).unwrap();
        assert_eq!(read.objects, 1_000);
        let Value::List(found) = &fields(&store, &read.data)[0].1 else {
            panic!()
        };
        let numbers = found
            .iter()
            .map(|it| leaf(text.as_bytes(), &fields(&store, it)[0].1));
        assert!(numbers.eq((0..1_000).map(|number| (number % kinds).to_string())));
    }
}

#[test]
fn keys_start_with_the_type_name() {
    assert_eq!(Keys::default().find("__typename"), Some(Key::TYPENAME));
}
