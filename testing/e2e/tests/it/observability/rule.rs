//! The rules as files: promtool reads them and runs their unit tests, and the runbook knows each alert.

use std::collections::BTreeSet;

use super::prometheus::tool;
use super::{project, read};

/// An alert and where its link leads.
#[derive(Debug)]
struct Alert {
    name: String,
    text: String,
}

/// Reads what promtool has found well formed, by its lines.
fn alerts() -> Vec<Alert> {
    let file = read("observability/prometheus/rules/alerts.yml");
    let blocks = file.split("- alert: ").skip(1);
    blocks
        .map(|block| Alert {
            name: block.lines().next().unwrap().trim().to_owned(),
            text: block.to_owned(),
        })
        .collect()
}

/// Seen red with a bracket missing in an expression.
#[test]
fn promtool_finds_no_fault_in_configuration_and_rules() {
    tool(
        "promtool",
        &["check", "config", "observability/prometheus/prometheus.yml"],
    );
}

/// Seen red with the bound of OutboxOldestUnsent raised from 30 to 300.
#[test]
fn promtool_sees_each_alert_fire_alone_and_keep_still_before() {
    tool(
        "promtool",
        &["test", "rules", "observability/prometheus/tests/alerts.yml"],
    );
}

#[test]
fn each_alert_has_a_unit_test() {
    let tests = read("observability/prometheus/tests/alerts.yml");
    for alert in alerts() {
        let expected = format!("{{alertname=\"{}\"}}", alert.name);
        assert!(
            tests.contains(&expected),
            "no test in which {} fires",
            alert.name
        );
    }
}

#[test]
fn each_alert_says_how_bad_it_is_what_happens_and_where_help_is() {
    for Alert { name, text } in alerts() {
        for part in ["summary: ", "description: "] {
            assert!(text.contains(part), "{name}: no {part}");
        }
        assert!(
            ["{ severity: critical }", "{ severity: warning }"]
                .iter()
                .any(|severity| text.contains(severity)),
            "{name}: no severity"
        );
        let link = format!("runbook_url: docs/runbook.md#{}", name.to_lowercase());
        assert!(text.contains(&link), "{name}: no {link}");
    }
}

/// Both ways: no alert without its entry, and no entry of an alert that is gone. Seen red with an entry renamed.
#[test]
fn the_runbook_has_one_entry_for_each_alert_and_no_other() {
    let runbook = read("docs/runbook.md");
    let (_, section) = runbook
        .split_once("\n## Alerts\n")
        .expect("a section Alerts");
    let section = section
        .split_once("\n## ")
        .map_or(section, |(section, _)| section);
    let entries: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let alerts = alerts();
    let names: BTreeSet<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(entries, names);
    for entry in section.split("\n### ").skip(1) {
        let name = entry.lines().next().unwrap();
        for part in ["**Means.**", "**Check.**", "**Do.**"] {
            assert!(entry.contains(part), "{name}: no {part}");
        }
    }
}

#[test]
fn prometheus_scrapes_every_process_of_the_stack() {
    let file = read("observability/prometheus/prometheus.yml");
    for job in [
        "router",
        "cart",
        "loms",
        "comments",
        "notifier",
        "product-service",
    ] {
        assert!(
            file.contains(&format!("job_name: {job}")),
            "{job} is not scraped"
        );
    }
    assert!(project("observability/prometheus/rules").is_dir());
}
