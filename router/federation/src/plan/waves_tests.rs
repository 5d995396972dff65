//! Which fetches go together, and which stay apart.

use super::*;

fn leaf(name: &str) -> Selection {
    Selection::Field {
        name: name.to_owned(),
        alias: None,
        arguments: String::new(),
        children: Vec::new(),
    }
}

/// Asks `stock` for a field of the entities at a path, by their `id`.
fn entities(subgraph: &str, path: &str, field: &str) -> Fetch {
    let on = |children| Selection::On {
        condition: "Product".to_owned(),
        children,
    };
    let steps = path.split('.').map(|key| PathStep::Field(key.to_owned()));
    let mut fetch = Fetch {
        subgraph: subgraph.to_owned(),
        kind: OperationKind::Query,
        text: String::new(),
        variables: Vec::new(),
        declarations: vec!["$representations:[_Any!]!".to_owned()],
        selection: vec![Selection::Field {
            name: "_entities".to_owned(),
            alias: None,
            arguments: "representations: $representations".to_owned(),
            children: vec![on(vec![leaf(field)])],
        }],
        target: Target::Entities(vec![Batch {
            alias: "_entities".to_owned(),
            variable: "representations".to_owned(),
            paths: vec![steps.collect()],
            requires: vec![on(vec![leaf("__typename"), leaf("id")])],
            typenames: Vec::new(),
            renames: Vec::new(),
        }]),
        renames: Vec::new(),
    };
    fetch.write_text();
    fetch
}

fn asked_of(mut waves: Vec<Vec<Fetch>>) -> Vec<Vec<String>> {
    ask_together(&mut waves);
    let texts = |wave: Vec<Fetch>| wave.into_iter().map(|fetch| fetch.text).collect();
    waves.into_iter().map(texts).collect()
}

#[test]
fn two_fetches_of_different_fields_are_one_request_with_names_of_their_own() {
    let waves = vec![
        vec![entities("stock", "a", "total"), entities("store", "a", "b")],
        vec![entities("stock", "a.b", "free")],
    ];
    let asked = asked_of(waves);
    assert_eq!(asked[0].len(), 1, "{asked:?}");
    let together = "query($representations:[_Any!]!, $representations_0:[_Any!]!){\
        _entities(representations: $representations){...on Product{free}} \
        _e0: _entities(representations: $representations_0){...on Product{total}}}";
    assert_eq!(asked[1], [together]);
}

/// The second is left out where the entities are the same.
///
/// Seen red with the two joined.
#[test]
fn two_fetches_of_the_same_fields_stay_apart() {
    let waves = vec![
        vec![entities("stock", "a", "total"), entities("store", "a", "b")],
        vec![entities("stock", "a.b", "total")],
    ];
    let asked = asked_of(waves);
    assert_eq!([asked[0].len(), asked[1].len()], [2, 1], "{asked:?}");
}

/// Seen red with nothing looked at that is read in between.
#[test]
fn what_is_read_before_the_later_request_is_not_held_back() {
    let waves = vec![
        vec![entities("stock", "a", "b"), entities("store", "a", "c")],
        vec![entities("stock", "a.b", "free")],
    ];
    let asked = asked_of(waves);
    assert_eq!([asked[0].len(), asked[1].len()], [2, 1], "{asked:?}");
}
