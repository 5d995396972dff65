//! Results as a Markdown table, as JSON and as a plot.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::{row::Row, sizes::Sizes};

/// What one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    /// Processors of the product, with its stores.
    pub(crate) cores: usize,
    pub(crate) sizes: Sizes,
    pub(crate) rows: Vec<Row>,
}

/// Where the picture stands beside the table.
const PLOT: &str = "streams.svg";

/// Writes results.json, table.md and streams.svg.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    let files = [
        ("results.json", json),
        ("table.md", page(results)),
        (PLOT, plot(&results.rows)),
    ];
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// The table with what it is of.
fn page(results: &Results) -> String {
    let (cores, table) = (results.cores, table(results));
    format!(
        "# Live streams, measured\n\n\
         `make bench-streams` wrote this page. The product, its stores and the floor had {cores} of the machine's processors, the\n\
         subscribers another. What a row means is in [streams.md](../../streams.md#what-a-stream-costs).\n\n\
         ![What each row takes of its goal]({PLOT})\n\n{table}"
    )
}

/// All rows.
pub(crate) fn table(results: &Results) -> String {
    let mut text = String::from("| What | Measured | Goal | |\n|---|---:|---:|---|\n");
    for row in &results.rows {
        text.push_str(&self::row(row));
        text.push('\n');
    }
    text
}

/// One row.
pub(crate) fn row(row: &Row) -> String {
    let (goal, verdict) = row.goal.zip(row.share()).map_or_else(
        || (String::new(), ""),
        |(goal, share)| {
            let verdict = if share <= 1.0 { "met" } else { "missed" };
            (format!("≤ {goal} {}", row.unit), verdict)
        },
    );
    let figure = format!("{:.1} {}", row.value, row.unit);
    format!("| {} | {figure} | {goal} | {verdict} |", row.what)
}

/// What each row takes of its goal, the goals one line.
fn plot(rows: &[Row]) -> String {
    const WIDTH: f64 = 760.0;
    const LEFT: f64 = 400.0;
    const LINE: f64 = 22.0;
    /// What is shown of a goal missed by far.
    const MOST: f64 = 3.0;
    let shares: Vec<(&Row, f64)> = rows
        .iter()
        .filter_map(|row| Some((row, row.share()?)))
        .collect();
    let height = LINE * (f64::from(u32::try_from(shares.len()).unwrap_or(u32::MAX)) + 2.0);
    let x = |share: f64| share.min(MOST) / MOST * (WIDTH - LEFT - 70.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut y = 6.0;
    for (row, share) in shares {
        let colour = if share <= 1.0 { "#1b7837" } else { "#b2182b" };
        let (text, wide) = (y + 12.0, x(share).max(1.0));
        let figure = format!("{:.1} {}", row.value, row.unit);
        let line = format!(
            "<text x=\"6\" y=\"{text}\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{wide:.1}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{text}\">{figure}</text>",
            row.what,
            LEFT + wide + 5.0
        );
        svg.push_str(&(line + "\n"));
        y += LINE;
    }
    let goal = LEFT + x(1.0);
    let line = format!(
        "<line x1=\"{goal:.1}\" x2=\"{goal:.1}\" y1=\"0\" y2=\"{y}\" stroke=\"black\" stroke-dasharray=\"4 3\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">the goal</text>\n",
        goal - 20.0,
        y + 14.0
    );
    svg + &line + "</svg>\n"
}
