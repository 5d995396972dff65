//! Random operations: the federation must answer what one server over the same data answers.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use crate::executor::Executor;
use crate::generated::differs;
use crate::toy::{Toy, shop};

/// What the toy supergraph is to its clients, as one server's schema.
fn monolith(toy: &Toy, data: &Json) -> Executor {
    Executor::new(&toy.engine.sdl(), data.clone())
}

/// Selections by type: leaves, then fields with the type below them.
fn leaves(ty: &str) -> &'static [&'static str] {
    match ty {
        "Query" => &["warehouse", "__typename"],
        "Product" => &[
            "sku",
            "name",
            "weight",
            "tags",
            "shipping",
            "price",
            r#"price(currency: "USD")"#,
            "__typename",
        ],
        "Stock" => &["available", "total"],
        "Review" => &["id", "body", "__typename"],
        "User" => &["id", "name", "email"],
        "Media" => &["id", "title", "__typename"],
        "Book" => &["id", "title", "pages", "__typename"],
        "Film" => &["id", "title", "minutes"],
        "Result" | "Wide" => &["__typename"],
        other => panic!("no type {other}"),
    }
}

fn branches(ty: &str) -> &'static [(&'static str, &'static str)] {
    match ty {
        "Query" => &[
            (r#"product(sku: "1")"#, "Product"),
            (r#"product(sku: "2")"#, "Product"),
            ("products", "Product"),
            ("sure", "Product"),
            ("search", "Result"),
            ("feed", "Media"),
            ("wide", "Wide"),
            ("me", "User"),
            ("users", "User"),
        ],
        "Product" => &[
            ("stock", "Stock"),
            ("reviews", "Review"),
            ("best", "Review"),
        ],
        "Review" => &[("author", "User"), ("product", "Product")],
        "User" => &[("reviews", "Review"), ("friends", "User")],
        "Book" | "Film" => &[("reviews", "Review")],
        "Media" | "Wide" => &[("... on Book", "Book"), ("... on Film", "Film")],
        "Result" => &[
            ("... on Product", "Product"),
            ("... on Book", "Book"),
            ("... on Media", "Media"),
        ],
        _ => &[],
    }
}

/// One item of a selection before it is written: which field, under which alias, with what below.
#[derive(Debug, Clone)]
struct Item {
    pick: usize,
    alias: Option<usize>,
    skip: u8,
    below: Vec<Item>,
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let leaf = (any::<usize>(), proptest::option::of(0..3_usize), 0..12_u8).prop_map(
        |(pick, alias, skip)| Item {
            pick,
            alias,
            skip,
            below: Vec::new(),
        },
    );
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        let below = proptest::collection::vec(inner, 1..4);
        (
            any::<usize>(),
            proptest::option::of(0..3_usize),
            0..12_u8,
            below,
        )
            .prop_map(|(pick, alias, skip, below)| Item {
                pick,
                alias,
                skip,
                below,
            })
    });
    proptest::collection::vec(tree, 1..4)
}

/// Aliases that are names of other fields, keys among them: the words that hurt if they were believed.
const ALIASES: [&str; 3] = ["id", "sku", "name"];

fn write(ty: &str, items: &[Item], out: &mut String) {
    out.push_str(" {");
    for item in items {
        let branch = (!item.below.is_empty())
            .then(|| branches(ty))
            .filter(|all| !all.is_empty());
        let condition = match item.skip {
            0 => " @skip(if: $yes)",
            1 => " @include(if: $yes)",
            2 => " @skip(if: false)",
            _ => "",
        };
        out.push(' ');
        match branch {
            Some(all) => {
                let (field, below) = all[item.pick % all.len()];
                if let (Some(alias), false) = (item.alias, field.starts_with("...")) {
                    out.push_str(ALIASES[alias]);
                    out.push_str(": ");
                }
                out.push_str(field);
                out.push_str(condition);
                write(below, &item.below, out);
            }
            None => {
                let all = leaves(ty);
                let field = all[item.pick % all.len()];
                if let Some(alias) = item.alias {
                    out.push_str(ALIASES[alias]);
                    out.push_str(": ");
                }
                out.push_str(field);
                out.push_str(condition);
            }
        }
    }
    out.push_str(" }");
}

/// Data in which any of a few values may be missing or fail, so that nulls travel and errors stand somewhere.
fn damaged(holes: &[usize]) -> Json {
    const PLACES: [(&str, &str); 8] = [
        ("Product:1", "name"),
        ("Product:1", "stock"),
        ("Product:2", "best"),
        ("Review:r", "author"),
        ("Review:s", "body"),
        ("User:v", "name"),
        ("User:u", "friends"),
        ("Book:b", "pages"),
    ];
    let mut data = shop();
    for hole in holes {
        let (entity, field) = PLACES[hole % PLACES.len()];
        let fault = json!({ "$error": { "message": "not you", "code": "FORBIDDEN" } });
        data["entities"][entity][field] = match hole / PLACES.len() % 2 {
            0 => Json::Null,
            _ => fault,
        };
    }
    data
}

/// Seen red with the memo keyed by the representation alone, and with nulls written without going up.
#[test]
fn a_random_operation_is_answered_as_one_server_would() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    });
    let input = (
        items(),
        any::<bool>(),
        proptest::collection::vec(any::<usize>(), 0..3),
    );
    let compared = std::cell::Cell::new(0);
    runner
        .run(&input, |(items, yes, holes)| {
            let data = damaged(&holes);
            let toy = Toy::new(&data);
            let mut query = "query($yes: Boolean!)".to_owned();
            write("Query", &items, &mut query);
            if !query.contains("$yes)  ") && !query.contains("if: $yes") {
                query = query.replacen("query($yes: Boolean!)", "query", 1);
            }
            let variables = json!({ "yes": yes });
            let whole =
                monolith(&toy, &data).execute(&query, variables.as_object().expect("an object"));
            let found = runtime.block_on(toy.run(&query, variables.clone()));
            // An alias may make the operation invalid, which both must see alike.
            let (Some(expected), Some(answer)) = (whole.get("data"), found.get("data")) else {
                let both = whole.get("data").is_none() && found.get("data").is_none();
                prop_assert!(both, "{query}\n{whole:#}\n{found:#}");
                return Ok(());
            };
            compared.set(compared.get() + 1);
            prop_assert_eq!(answer, expected, "{}\n{}", query, found);
            let fault = differs(answer, &whole, &found);
            prop_assert_eq!(fault, None, "{}\n{}\n{}", query, whole, found);
            Ok(())
        })
        .unwrap();
    assert!(
        compared.get() > 100,
        "too few of the operations were valid: {}",
        compared.get()
    );
}
