//! The selectors in an expression, each of which must find a live series.
//!
//! Prometheus itself checks the grammar. Every metric of ours, and every recorded one, can be told by its name, so a
//! scan finds them all; the tests below hold the scan.

/// A metric's name with its matchers, as `name{label="value"}`, without regular expressions: an alternative each.
pub(super) fn selectors(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let word = &rest[start..];
        let end = word
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            .unwrap_or(word.len());
        let (name, behind) = word.split_at(end);
        rest = behind;
        if !is_metric(name) {
            // A text in quotes is no metric: `code=~"UNAVAILABLE"`.
            continue;
        }
        match behind
            .strip_prefix('{')
            .and_then(|behind| behind.split_once('}'))
        {
            Some((matchers, behind)) => {
                rest = behind;
                found.extend(alternatives(name, matchers));
            }
            None => found.push(name.to_owned()),
        }
    }
    found
}

fn is_metric(name: &str) -> bool {
    let ours = name.starts_with("marketplace_") || name.starts_with("process_");
    ours || name == "up" || name.contains(':')
}

/// `{code=~"A|B"}` is two selectors, so that a value that is never emitted is seen.
fn alternatives(name: &str, matchers: &str) -> Vec<String> {
    let mut combined = vec![String::new()];
    for matcher in matchers
        .split(',')
        .map(str::trim)
        .filter(|matcher| !matcher.is_empty())
    {
        let choices: Vec<String> = match matcher.split_once("=~\"") {
            Some((label, values)) => values
                .trim_end_matches('"')
                .split('|')
                .map(|value| format!("{label}=~\"{value}\""))
                .collect(),
            None => vec![matcher.to_owned()],
        };
        combined = combined
            .iter()
            .flat_map(|before| {
                choices
                    .iter()
                    .map(move |choice| format!("{before},{choice}"))
            })
            .collect();
    }
    combined
        .iter()
        .map(|matchers| format!("{name}{{{}}}", matchers.trim_start_matches(',')))
        .collect()
}

#[test]
fn every_metric_of_an_expression_is_found_with_each_of_its_values() {
    let expression = r#"sum by (le) (rate(marketplace_a_total{code=~"X|Y",job="j"}[5m])) / (router:b:rate5m > 0)"#;
    assert_eq!(
        selectors(expression),
        [
            r#"marketplace_a_total{code=~"X",job="j"}"#,
            r#"marketplace_a_total{code=~"Y",job="j"}"#,
            "router:b:rate5m",
        ]
    );
    assert_eq!(
        selectors("up == 0 or absent(marketplace_b)"),
        ["up", "marketplace_b"]
    );
}
