//! As much of YAML as `deploy/kubernetes/base` is written in: blocks, one-line flows, quoted and plain scalars, comments on
//! lines of their own. Anything else panics, so the manifests stay readable here. `deploy/validate` reads them by a whole parser.
//!
//! Plain scalars stay texts, whatever they look like.

use serde_json::{Map, Value};

/// A line: how far it is indented, and the rest.
type Line = (usize, String);

/// The documents of a file.
pub(super) fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("---\n");
    parts.filter_map(document).collect()
}

fn document(text: &str) -> Option<Value> {
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    let mut lines: Vec<Line> = lines
        .map(|line| {
            let rest = line.trim_start();
            (line.len() - rest.len(), rest.trim_end().to_owned())
        })
        .collect();
    lines.reverse();
    let indent = lines.last()?.0;
    let value = block(&mut lines, indent);
    assert!(lines.is_empty(), "not read: {:?}", lines.last());
    Some(value)
}

/// What stands at this indent; `lines` are those that are left, the next one last.
fn block(lines: &mut Vec<Line>, indent: usize) -> Value {
    let is_list = is_item(&lines.last().expect("a value").1);
    let mut list = Vec::new();
    let mut map = Map::new();
    while let Some((_, text)) = lines.pop_if(|(at, _)| *at == indent) {
        if is_list {
            let item = text.strip_prefix('-').expect("an item of the list");
            let inner = item.trim_start();
            if pair(inner).is_some() && !inner.starts_with(['{', '[']) {
                let indent = indent + text.len() - inner.len();
                lines.push((indent, inner.to_owned()));
                list.push(block(lines, indent));
            } else {
                list.push(flow(inner));
            }
        } else {
            let (key, rest) = pair(&text).unwrap_or_else(|| panic!("no key: {text}"));
            let value = match lines.last() {
                Some((below, _)) if rest.is_empty() && *below > indent => {
                    let below = *below;
                    block(lines, below)
                }
                _ => flow(rest),
            };
            let earlier = map.insert(key.to_owned(), value);
            assert!(earlier.is_none(), "{key} stands twice");
        }
    }
    if is_list { list.into() } else { map.into() }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// A key and what stands behind it.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (key, rest) = match text.split_once(": ") {
        Some((key, rest)) => (key, rest.trim()),
        None => (text.strip_suffix(':')?, ""),
    };
    Some((key, rest))
}

/// A value on one line.
fn flow(text: &str) -> Value {
    let mut rest = text;
    let value = flow_value(&mut rest, "");
    assert!(rest.trim().is_empty(), "{rest} behind a value: {text}");
    value
}

/// Takes a value from the front; a plain one ends before one of `ends`.
fn flow_value(rest: &mut &str, ends: &str) -> Value {
    *rest = rest.trim_start();
    match rest.chars().next() {
        Some('{') => {
            let mut map = Map::new();
            for_each_part(rest, '}', |rest| {
                let (key, value) = rest.split_once(": ").expect("a key in braces");
                *rest = value;
                map.insert(key.trim().to_owned(), flow_value(rest, ",}"));
            });
            map.into()
        }
        Some('[') => {
            let mut list = Vec::new();
            for_each_part(rest, ']', |rest| list.push(flow_value(rest, ",]")));
            list.into()
        }
        Some(quote @ ('"' | '\'')) => {
            let (text, after) = rest[1..].split_once(quote).expect("a quote that ends");
            assert!(!text.contains('\\'), "an escape: {text}");
            *rest = after;
            text.into()
        }
        Some('&' | '*' | '|' | '>' | '!') => panic!("more YAML than is read here: {rest}"),
        _ => {
            let end = rest.find(|it| ends.contains(it)).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            *rest = after;
            text.trim().into()
        }
    }
}

/// Takes what is in brackets, part by part.
fn for_each_part(rest: &mut &str, end: char, mut part: impl FnMut(&mut &str)) {
    *rest = rest[1..].trim_start();
    while !rest.starts_with(end) {
        part(rest);
        *rest = rest.trim_start().trim_start_matches(',').trim_start();
    }
    *rest = &rest[1..];
}

#[test]
fn the_forms_that_the_manifests_use_are_read() {
    let text = "# c\na: 1\nb:\n  - { x: \"y: z\", w: [1, 2] }\n  - c: d\n    e:\n      f: ''\n---\ng: {}\n";
    let expected = serde_json::json!([
        {"a": "1", "b": [{"x": "y: z", "w": ["1", "2"]}, {"c": "d", "e": {"f": ""}}]},
        {"g": {}},
    ]);
    assert_eq!(Value::from(documents(text)), expected);
}
