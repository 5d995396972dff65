//! The boards as files: each panel can be understood by who did not make it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::project;

/// Units that Grafana knows and that our boards use.
const UNITS: [&str; 12] = [
    "bool_on_off",
    "bytes",
    "eps",
    "mps",
    "none",
    "opm",
    "ops",
    "percentunit",
    "reqpm",
    "reqps",
    "s",
    "short",
];

/// One query of one panel.
#[derive(Debug)]
pub(super) struct Query {
    /// `board / panel`, for messages.
    pub(super) place: String,
    /// The expression, with the boards' variables put in.
    pub(super) expression: String,
    /// The labels that the legend shows.
    pub(super) legend: Vec<String>,
}

/// Every board, by file name.
pub(super) fn boards() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(project("observability/grafana/dashboards")).unwrap();
    let mut boards: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let board = serde_json::from_str(&text);
            (
                name,
                board.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            )
        })
        .collect();
    boards.sort_by(|(one, _), (other, _)| one.cmp(other));
    boards
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Every query of every panel. A variable stands for all its values, and a rate looks back 30 s.
pub(super) fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for (name, board) in boards() {
        for panel in list(&board, "panels") {
            for target in list(panel, "targets") {
                let expression = text(target, "expr").replace("$__rate_interval", "30s");
                let expression = list(&board["templating"], "list").iter().fold(
                    expression,
                    |expression, variable| {
                        expression.replace(&format!("${}", text(variable, "name")), ".*")
                    },
                );
                let legend = text(target, "legendFormat").split("{{").skip(1);
                queries.push(Query {
                    place: format!("{name} / {}", text(panel, "title")),
                    expression,
                    legend: legend
                        .filter_map(|part| Some(part.split_once("}}")?.0.trim().to_owned()))
                        .collect(),
                });
            }
        }
    }
    queries
}

/// Seen red with a unit that Grafana does not know.
#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_from_where() {
    let mut panels = 0;
    for (name, board) in boards() {
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board, "panels") {
            let place = format!("{name} / {}", text(panel, "title"));
            panels += 1;
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{place}: its id is taken"
            );
            assert!(
                titles.insert(text(panel, "title")),
                "{place}: its title is taken"
            );
            assert!(
                text(panel, "description").len() > 20,
                "{place}: no description"
            );
            let unit = text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(UNITS.contains(&unit), "{place}: unit {unit:?}");
            assert_eq!(panel["datasource"]["uid"], "prometheus", "{place}");
            assert!(!list(panel, "targets").is_empty(), "{place}: no query");
        }
    }
    assert!(panels >= 25, "only {panels} panels");
}

#[test]
fn no_two_panels_show_the_same() {
    let mut seen = BTreeSet::new();
    for query in queries() {
        assert!(
            seen.insert(query.expression.clone()),
            "{}: shown elsewhere: {}",
            query.place,
            query.expression
        );
    }
}

#[test]
fn boards_have_addresses_that_last_and_variables_with_bounded_values() {
    let mut uids = BTreeSet::new();
    for (name, board) in boards() {
        assert_eq!(text(&board, "uid"), format!("marketplace-{name}"));
        assert!(uids.insert(text(&board, "uid").to_owned()));
        for variable in list(&board["templating"], "list") {
            // A process or a subgraph: a handful. An instance, a user or an order would be without end.
            assert!(
                ["job", "subgraph"].contains(&text(variable, "name")),
                "{name}: variable {variable}"
            );
        }
    }
    assert!(uids.len() >= 4, "only {uids:?}");
}

#[test]
fn datasources_are_the_ones_that_the_boards_name_and_exemplars_open_traces() {
    let file = super::read("observability/grafana/provisioning/datasources/datasources.yml");
    for line in [
        "uid: prometheus",
        "uid: jaeger",
        "name: trace_id",
        "datasourceUid: jaeger",
    ] {
        assert!(file.contains(line), "no `{line}` in datasources.yml");
    }
}
