//! The reader of `docs/errors.md`: every code has a sample there, and each prints what the page says.

use std::path::Path;
use std::process::Command;

use schema::code::ErrorCode;
use tempfile::TempDir;

use crate::shop::{Arrangement, Shop, free_offset};

const PAGE: &str = include_str!("../../../../docs/errors.md");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// One section of the page.
struct Sample<'a> {
    code: &'a str,
    text: &'a str,
}

impl<'a> Sample<'a> {
    fn all() -> Vec<Self> {
        let sections = PAGE.split("\n### ").skip(1);
        sections
            .map(|section| {
                let (code, text) = section.split_once('\n').unwrap();
                Self { code, text }
            })
            .collect()
    }

    /// The commands and the lines that they print, or nothing where the section names a test.
    fn commands(&self) -> Option<(&'a str, &'a str)> {
        Some((fenced(self.text, "sh")?, fenced(self.text, "text")?))
    }
}

/// The first fenced block in this language.
fn fenced<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let start = text.split_once(&format!("```{language}\n"))?.1;
    Some(start.split_once("\n```")?.0)
}

/// Seen red with statuses on the page that the router does not answer.
#[tokio::test]
async fn every_sample_of_the_page_prints_what_the_page_says() {
    let (up, preparation_commands) = preparation();
    let folder = TempDir::with_prefix("marketplace-e2e-").unwrap();
    let set: Vec<_> = up
        .split("--set ")
        .skip(1)
        .map(|rest| rest.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert!(set.len() >= 4, "{up}");
    let shop = Shop::start_in(folder.path(), Arrangement::Together, free_offset(), &set).await;
    let prepare = moved(preparation_commands, &shop);
    let mut wrong = Vec::new();
    for sample in Sample::all() {
        if let Some((commands, expected)) = sample.commands() {
            let printed = run(&format!("{prepare}\n{commands}"));
            if let Err(line) = has_in_order(&printed, expected) {
                wrong.push(format!("{}: no {line} in\n{printed}", sample.code));
            }
        }
    }
    shop.stop().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_sample_that_shows_it_or_names_the_test_that_does() {
    let samples = Sample::all();
    for code in ErrorCode::ALL {
        let sample = samples.iter().find(|sample| sample.code == code.as_str());
        let sample = sample.unwrap_or_else(|| panic!("docs/errors.md has no section {code:?}"));
        match sample.commands() {
            Some((_, expected)) => {
                let shown = format!("\"code\":\"{}\"", code.as_str());
                assert!(expected.contains(&shown), "{code:?} is not what it prints");
                assert_grpc_numbers(*code, expected);
            }
            None => assert_test_exists(sample, *code),
        }
    }
    assert_eq!(samples.len(), ErrorCode::ALL.len(), "a section too many");
}

/// A bare number is what a gateway answers: the gRPC status of the code.
fn assert_grpc_numbers(code: ErrorCode, expected: &str) {
    let numbers = expected.lines().filter_map(|line| {
        let number = line.strip_prefix("\"code\":")?;
        number.parse::<u8>().ok()
    });
    for number in numbers {
        assert_eq!(number, code.grpc(), "{code:?}");
    }
}

fn assert_test_exists(sample: &Sample<'_>, code: ErrorCode) {
    let quoted: Vec<_> = sample.text.split('`').skip(1).step_by(2).collect();
    let [name, file] = quoted.as_slice() else {
        panic!("{} has neither sample nor test", sample.code);
    };
    let text = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap();
    assert!(text.contains(&format!("fn {name}(")), "no {name} in {file}");
    let names_it = text.contains(sample.code) || text.contains(&format!("{code:?}"));
    assert!(names_it, "{file} never names {}", sample.code);
}

/// How the page starts the marketplace, and what it tells the shell.
fn preparation() -> (&'static str, &'static str) {
    let (_, samples) = PAGE.split_once("## Samples").unwrap();
    let up = fenced(samples, "sh").unwrap();
    let (_, after) = samples.split_once(up).unwrap();
    (up, fenced(after, "sh").unwrap())
}

/// The same text with the ports of `shop`.
fn moved(text: &str, shop: &Shop) -> String {
    [4000, 8082, 8084]
        .iter()
        .fold(text.to_owned(), |text, port| {
            let (from, to) = (format!("127.0.0.1:{port}"), shop.port(*port));
            text.replace(&from, &format!("127.0.0.1:{to}"))
        })
}

fn run(script: &str) -> String {
    let output = Command::new("bash").args(["-c", script]).output().unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The first expected line that does not come after those before it.
fn has_in_order<'a>(printed: &str, expected: &'a str) -> Result<(), &'a str> {
    let mut rest = printed;
    for line in expected.lines() {
        rest = rest.split_once(line).ok_or(line)?.1;
    }
    Ok(())
}
