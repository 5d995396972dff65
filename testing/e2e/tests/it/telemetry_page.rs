//! The operator's page: `docs/telemetry.md` lists what is emitted, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::shop::{Shop, new_user};

/// On sale and in stock. Source: docs/contracts.md §4 and §5.
const SKU: &str = "1076963";
const LIMIT: Duration = Duration::from_secs(15);

/// A metric as it is scraped, or as the page has it: its type, and the names of its labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Seen red with rows of metrics that were not shown before their first event.
#[tokio::test]
async fn the_page_lists_each_metric_with_its_type_and_labels() {
    let shop = Shop::shared().await;
    use_a_little(shop).await;
    let listed = listed();
    // Some figures are taken at intervals of a few seconds.
    let mut missing = Vec::new();
    let emitted = tokio::time::timeout(LIMIT, async {
        loop {
            let emitted = scraped(&scrape(shop).await);
            missing = listed
                .keys()
                .filter(|name| !emitted.contains_key(*name))
                .collect();
            if missing.is_empty() {
                return emitted;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let emitted = emitted.await;
    let emitted = emitted.unwrap_or_else(|_| panic!("listed and never emitted: {missing:?}"));
    for (name, (kind, labels)) in &emitted {
        let row = listed.get(name);
        let (listed_kind, listed_labels) = row.unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(listed_kind, kind, "{name}");
        // A series of an event that did not happen yet shows no labels.
        assert!(labels.is_subset(listed_labels), "{name}: {labels:?}");
    }
}

async fn scrape(shop: &Shop) -> String {
    let url = format!("{}/metrics", shop.url(4001));
    shop.http()
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

/// Seen red with a line added to the code, and with a row added to the page.
#[test]
fn the_page_lists_each_log_event_with_its_level() {
    let listed: BTreeSet<_> = rows("## Log events").into_iter().collect();
    let listed: BTreeSet<_> = listed
        .into_iter()
        .map(|row| (row[0].clone(), row[1].trim_matches('`').to_owned()))
        .collect();
    let mut written = BTreeSet::new();
    for folder in [
        "platform",
        "subgraphs",
        "notifier/src",
        "router",
        "launcher",
        "testing/chaos",
    ] {
        for file in sources(&root().join(folder)) {
            written.extend(log_events(&std::fs::read_to_string(&file).unwrap()));
        }
    }
    let missing: Vec<_> = written.difference(&listed).collect();
    assert!(missing.is_empty(), "not listed: {missing:#?}");
    let unknown: Vec<_> = listed.difference(&written).collect();
    assert!(unknown.is_empty(), "listed and never written: {unknown:#?}");
}

/// One request of each kind whose series cannot be shown before.
async fn use_a_little(shop: &Shop) {
    let token = shop.token(new_user(), false).await;
    let add =
        "mutation($sku: ID!) { addToCart(input: {sku: $sku, count: 1}) { userErrors { code } } }";
    shop.graphql(&token, add, json!({"sku": SKU})).await;
    shop.graphql(
        &token,
        "mutation { checkout { userErrors { code } } }",
        json!({}),
    )
    .await;
    let stocks = format!("{}/stock/info?sku={SKU}", shop.url(8081));
    shop.http().get(stocks).send().await.unwrap();
}

fn scraped(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            metrics.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((series, labels)) = line.split_once('{') {
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                series
                    .strip_suffix(end)
                    .filter(|name| metrics.contains_key(*name))
            });
            let labels = labels.rsplit_once('}').unwrap().0;
            let found = labels
                .split("\",")
                .map(|label| label.split('=').next().unwrap());
            let found = found.filter(|label| *label != "le" && !label.is_empty());
            let entry = metrics.get_mut(name.unwrap_or(series)).unwrap();
            entry.1.extend(found.map(str::to_owned));
        }
    }
    metrics.retain(|name, _| name.starts_with("marketplace_"));
    metrics
}

fn listed() -> Metrics {
    let rows = rows("## Metrics").into_iter();
    rows.map(|row| {
        let labels = row[3].split(", ").filter(|label| *label != "–");
        let labels = labels.map(|label| label.trim_matches('`').to_owned());
        (
            row[0].trim_matches('`').to_owned(),
            (row[1].clone(), labels.collect()),
        )
    })
    .collect()
}

/// The cells of the first table below a heading.
pub(crate) fn rows(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/telemetry.md")).unwrap();
    let below = page.split_once(heading).unwrap().1;
    let table = below
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .skip(2);
    let table = table.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    table.map(cells).collect()
}

/// Level and message of each log line of one file, its tests left out.
fn log_events(source: &str) -> Vec<(String, String)> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let mut events = Vec::new();
    for level in ["info", "warn", "error"] {
        let start = format!("tracing::{level}!(");
        for (at, _) in source.match_indices(&start) {
            let texts = texts(&source[at + start.len()..]);
            let message = texts
                .last()
                .unwrap_or_else(|| panic!("no message: {}", &source[at..]));
            events.push((level.to_owned(), message.clone()));
        }
    }
    events
}

/// The string literals of a macro call, up to its closing parenthesis.
fn texts(call: &str) -> Vec<String> {
    let (mut texts, mut depth, mut text, mut escaped) = (Vec::new(), 1, None::<String>, false);
    for letter in call.chars() {
        if let Some(open) = &mut text {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => texts.extend(text.take()),
                other => open.push(other),
            }
            continue;
        }
        match letter {
            '"' => text = Some(String::new()),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    texts
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_ours = name != "tests" && name != "node_modules";
        if path.is_dir() && is_ours {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
