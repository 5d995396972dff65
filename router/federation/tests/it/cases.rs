//! The cases of `tests/cases`: an operation over the toy shop, its plan, its response and what it is there to show.
//!
//! A case that differs leaves `plan.txt.new` or `response.json.new` beside the old file; read it, then move it.
//! By hand and not by insta, whose snapshots carry a header: these files stay plain text and JSON.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::toy::{Toy, body, context, shop};

#[tokio::test]
async fn every_case_has_the_plan_and_the_answer_that_is_written_down() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_dir())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let mut differing = Vec::new();
    for case in names {
        check(&case, &mut differing).await;
    }
    assert!(
        differing.is_empty(),
        "differ from what is written down: {differing:#?}"
    );
}

async fn check(case: &Path, differing: &mut Vec<String>) {
    let read = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    assert!(
        !read("intent.md").trim().is_empty(),
        "{} has no intent.md",
        case.display()
    );
    let variables = serde_json::from_str(&read("variables.json")).unwrap_or_else(|_| json!({}));
    let toy = Toy::new(&shop());
    let prepared = toy.prepare(&read("query.graphql"), variables).await;
    let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let plan = toy.engine.explain(&prepared);
    let answer: Json = body(&toy.engine.execute(&prepared, &context()).await);
    let answer = serde_json::to_string_pretty(&answer).expect("it is JSON") + "\n";
    for (name, found) in [("plan.txt", plan), ("response.json", answer)] {
        let new = case.join(format!("{name}.new"));
        if read(name) == found {
            fs::remove_file(new).ok();
        } else {
            fs::write(&new, found).expect("the folder of cases can be written to");
            differing.push(new.display().to_string());
        }
    }
}
