//! Both forms in, one form out, and nothing that panics.

use proptest::prelude::*;

use super::*;

fn int64(body: &str) -> Result<i64, Malformed> {
    Fields::read(body.as_bytes())?.int64(&["id", "ID"])
}

/// docs/contracts.md §3, "both input forms".
#[test]
fn an_int64_is_read_from_a_number_and_from_a_string() {
    for body in [
        r#"{"id":7}"#,
        r#"{"id":"7"}"#,
        r#"{"ID":7}"#,
        r#"{"id":7.0}"#,
        r#"{"id":"7e0"}"#,
        r#"{"id":0.7e1}"#,
    ] {
        assert_eq!(int64(body), Ok(7), "{body}");
    }
    assert_eq!(int64(r#"{"id":9223372036854775807}"#), Ok(i64::MAX));
    assert_eq!(int64(r#"{"id":"-9223372036854775808"}"#), Ok(i64::MIN));
}

#[test]
fn an_int64_that_is_none_is_refused() {
    for value in [
        "1.5",
        "\"\"",
        "\" 1\"",
        "\"+1\"",
        "\"01\"",
        "true",
        "[]",
        "{}",
        "9223372036854775808",
        "1e30",
        "1e400",
        "\"1.\"",
    ] {
        assert!(int64(&format!(r#"{{"id":{value}}}"#)).is_err(), "{value}");
    }
}

#[test]
fn absent_and_null_are_the_default_and_a_repeated_field_is_refused() {
    assert_eq!(int64(""), Ok(0));
    assert_eq!(int64("{}"), Ok(0));
    assert_eq!(int64("\u{feff}{}"), Ok(0));
    assert_eq!(int64(r#"{"id":null,"other":[1,{}]}"#), Ok(0));
    assert!(int64(r#"{"id":1,"ID":1}"#).is_err());
    for body in ["null", "[]", "1", "{", "{}x", "\u{0}"] {
        assert!(int64(body).is_err(), "{body:?}");
    }
}

/// docs/contracts.md §1, row "count". Seen red with `plain_number` reading through `whole_number`.
#[test]
fn carts_numbers_are_digits_alone() {
    let count = |body: &str| Fields::read(body.as_bytes()).and_then(|f| f.plain_number("count"));
    assert_eq!(count(r#"{"count": 5 }"#), Ok(Some(5)));
    assert_eq!(count(r#"{"count":-5}"#), Ok(Some(-5)));
    assert_eq!(count("{}"), Ok(None));
    for value in ["\"1\"", "1.0", "1e0", "true", "99999999999999999999"] {
        assert!(
            count(&format!(r#"{{"count":{value}}}"#)).is_err(),
            "{value}"
        );
    }
}

#[test]
fn a_query_gives_its_values_as_text() {
    let query = Fields::from_query("orderId=%31%32&x=%FF").unwrap();
    assert_eq!(query.int64(&["orderId"]), Ok(12));
    assert!(
        Fields::from_query("orderId=")
            .unwrap()
            .int64(&["orderId"])
            .is_err()
    );
}

#[test]
fn a_timestamp_has_as_many_digits_as_it_needs() {
    let at = |nanos| timestamp(DateTime::from_timestamp(1_700_000_000, nanos).unwrap());
    assert_eq!(at(0), "2023-11-14T22:13:20Z");
    assert_eq!(at(5_000), "2023-11-14T22:13:20.000005Z");
}

proptest! {
    #[test]
    fn every_int64_survives_the_way_out_and_in(number: i64) {
        let body = format!(r#"{{"id":{}}}"#, serde_json::to_string(&Int64(number)).unwrap());
        prop_assert_eq!(int64(&body), Ok(number));
        let bare = format!(r#"{{"id":{number}}}"#);
        prop_assert_eq!(int64(&bare), Ok(number));
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(fields) = Fields::read(&body) {
            prop_assert!(fields.0.len() <= body.len());
        }
    }

    #[test]
    fn any_text_is_a_number_or_is_not(text in "[-+0-9.eE]{0,40}") {
        if let Some(number) = whole_number(&text) {
            let float: f64 = text.parse().unwrap();
            prop_assert!((number.to_string().parse::<f64>().unwrap() - float).abs() <= float.abs() * 1e-9);
        }
    }
}
