//! Which fetches wait for which.

use super::*;
use crate::plan::node::Batch;

fn field(name: &str, children: Vec<Selection>) -> Selection {
    Selection::Field {
        name: name.to_owned(),
        alias: None,
        arguments: String::new(),
        children,
    }
}

fn leaf(name: &str) -> Selection {
    field(name, Vec::new())
}

fn steps(path: &str) -> Vec<PathStep> {
    let keys = path.split('.').map(str::to_owned);
    keys.map(PathStep::Field).collect()
}

fn root(selection: Vec<Selection>) -> Fetch {
    Fetch {
        subgraph: "root".to_owned(),
        kind: OperationKind::Query,
        text: String::new(),
        variables: Vec::new(),
        declarations: Vec::new(),
        selection,
        target: Target::Root,
        renames: Vec::new(),
    }
}

/// Asks a subgraph for a field of the entities at a path, by this field of theirs.
fn entities(subgraph: &str, path: &str, by: &str, asked: &str) -> Fetch {
    let mut fetch = root(vec![field("_entities", vec![leaf(asked)])]);
    subgraph.clone_into(&mut fetch.subgraph);
    fetch.target = Target::Entities(vec![Batch {
        alias: "_entities".to_owned(),
        variable: "representations".to_owned(),
        paths: vec![steps(path)],
        requires: vec![leaf("__typename"), leaf(by)],
        typenames: Vec::new(),
        renames: Vec::new(),
    }]);
    fetch
}

fn product() -> Fetch {
    root(vec![field("product", vec![leaf("__typename"), leaf("id")])])
}

/// Seen red with the planner's waves: the second branch waited for the first.
#[test]
fn a_branch_waits_for_its_own_fetches_alone() {
    let waves = vec![
        vec![product()],
        vec![
            entities("prices", "product", "id", "price"),
            entities("weights", "product", "id", "weight"),
        ],
        vec![
            entities("taxes", "product", "price", "tax"),
            entities("shipping", "product", "weight", "shipping"),
        ],
    ];
    let expected = [vec![], vec![0], vec![0], vec![1], vec![2]];
    assert_eq!(dependencies(&waves), expected);
}

#[test]
fn who_needs_two_branches_waits_for_both_and_names_none_twice() {
    let mut both = entities("quotes", "product", "price", "quote");
    let Target::Entities(batches) = &mut both.target else {
        panic!("{both:?}")
    };
    batches[0].requires.push(leaf("weight"));
    let waves = vec![
        vec![product()],
        vec![
            entities("prices", "product", "id", "price"),
            entities("weights", "product", "id", "weight"),
        ],
        vec![both],
    ];
    let expected = [vec![], vec![0], vec![0], vec![1, 2]];
    assert_eq!(dependencies(&waves), expected);
}

/// A response key that the planner made up is given back before anything reads it. Seen red with the renames passed over.
#[test]
fn what_a_fetch_calls_otherwise_is_read_under_its_own_name() {
    let mut renamed = entities("prices", "product", "id", "made_up");
    let Target::Entities(batches) = &mut renamed.target else {
        panic!("{renamed:?}")
    };
    batches[0].renames.push(Rename {
        path: steps("made_up"),
        to: "price".to_owned(),
    });
    let slow = entities("weights", "product", "id", "weight");
    let tax = entities("taxes", "product", "price", "tax");
    let waves = vec![vec![product()], vec![renamed, slow], vec![tax]];
    assert_eq!(dependencies(&waves)[3], [1]);
}

#[test]
fn who_needs_what_nobody_is_seen_to_bring_waits_for_all() {
    let waves = vec![
        vec![product()],
        vec![
            entities("prices", "product", "id", "price"),
            entities("weights", "product", "id", "weight"),
        ],
        vec![entities("taxes", "product", "other", "tax")],
    ];
    assert_eq!(dependencies(&waves)[3], [1, 2]);
}

/// What it asks for of entities that the other has asked for is not asked for again. Seen red without it.
#[test]
fn who_asks_for_the_same_waits_for_the_answer() {
    let two = root(vec![
        field("product", vec![leaf("__typename"), leaf("id")]),
        field("other", vec![leaf("__typename"), leaf("id")]),
    ]);
    let waves = vec![
        vec![two],
        vec![entities("prices", "product", "id", "price")],
        vec![entities("prices", "other", "id", "price")],
    ];
    assert_eq!(dependencies(&waves)[2], [1]);
}

#[test]
fn what_follows_a_mutation_waits_for_it() {
    let mut mutation = product();
    mutation.kind = OperationKind::Mutation;
    let waves = vec![vec![mutation], vec![root(vec![leaf("count")])]];
    assert_eq!(dependencies(&waves)[1], [0]);
}
