//! Every raw statement of the product, held against the migrated databases. What the query builder says is typed by its
//! entities, which each crate compares with their tables.
//!
//! Seen red: a parameter of another type, a column left out of a row, a nullable column read as one that is not, a file
//! that is not listed, and a raw statement in a service.

use std::{fs, path::Path};

use chassis::postgres::sql::Described;
use migrations::Database;
use testkit::check_statement;

/// Folders whose code speaks to the databases of the marketplace while it serves.
const PRODUCT: [&str; 4] = [
    "platform",
    "subgraphs",
    "notifier",
    "launcher/marketplace/src",
];
/// The one place that runs raw statements.
const HOME: &str = "platform/chassis/src/postgres/sql";

fn listed() -> Vec<(Database, Vec<&'static dyn Described>)> {
    let [verify_loms, verify_notifier, verify_carts, verify_comments] =
        marketplace::verify::statements();
    vec![
        (Database::Loms, chassis::statements()),
        (Database::Loms, idempotency::statements()),
        (Database::Loms, outbox::statements()),
        (Database::Loms, loms::statements()),
        (Database::Loms, verify_loms),
        (Database::Cart, cart::statements()),
        (Database::Comments, comments::statements()),
        (Database::Notifier, notifier::statements()),
        (Database::Notifier, verify_notifier),
        (Database::Cart, verify_carts),
        (Database::Comments, verify_comments),
    ]
}

#[tokio::test]
async fn every_statement_has_the_parameters_and_columns_that_the_code_takes_it_to_have() {
    let mut wrong = Vec::new();
    for (name, statements) in listed() {
        let database = testkit::database(name).await;
        for statement in statements {
            if let Err(error) = check_statement(&database.db, statement).await {
                wrong.push(format!("{error:#}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_of_sql_is_listed() {
    let listed: Vec<&str> = listed()
        .into_iter()
        .flat_map(|(_, statements)| statements)
        .map(Described::text)
        .collect();
    let mut unlisted = Vec::new();
    each_file("sql", |path, text| {
        let is_migration = path.ends_with(".up.sql") || path.ends_with(".down.sql");
        if !is_migration && !listed.contains(&text) {
            unlisted.push(path.to_owned());
        }
    });
    assert!(
        unlisted.is_empty(),
        "in no crate's statements(): {unlisted:?}"
    );
}

#[test]
fn no_statement_is_written_apart_from_its_types() {
    let mut raw = Vec::new();
    each_file("rs", |path, text| {
        for (number, line) in (1..).zip(text.lines()) {
            let is_raw = ["Statement::from_", "_raw(", "sqlx::query"]
                .iter()
                .any(|way| line.contains(way));
            // A connection that is not SeaORM's runs the text of a typed statement.
            if is_raw && !line.contains(".text()") && !path.starts_with(HOME) {
                raw.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    });
    assert!(raw.is_empty(), "{}", raw.join("\n"));
}

/// Calls `with` with the path from the root and the text of each file of the product that has this ending; tests are none.
fn each_file(ending: &str, mut with: impl FnMut(&str, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<_> = PRODUCT.iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                with(name, &fs::read_to_string(&path).unwrap());
            }
        }
    }
}
