//! Results as a Markdown table, as JSON and as a plot.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::load::Turn;

/// What one run found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Results {
    pub(crate) measured: Vec<Measured>,
}

/// One gateway with one query and one number of connections: medians of its turns, and these.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    gateway: &'static str,
    query: &'static str,
    /// The length of the answer.
    bytes: usize,
    connections: usize,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    rss_mib: u64,
    /// Requests to subgraphs for one of a client.
    subgraph_requests: f64,
    turns: Vec<Turn>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

impl Measured {
    pub(crate) fn new(
        gateway: &'static str,
        query: &'static str,
        bytes: usize,
        connections: usize,
        turns: &[Turn],
    ) -> Self {
        let of = |figure: fn(&Turn) -> f64| median(turns.iter().map(figure).collect());
        Self {
            gateway,
            query,
            bytes,
            connections,
            rate: of(|turn| turn.rate),
            p50_ms: of(|turn| turn.p50_ms),
            p99_ms: of(|turn| turn.p99_ms),
            cpu_ms: of(|turn| turn.cpu_ms),
            rss_mib: turns
                .iter()
                .map(|turn| turn.rss_mib)
                .max()
                .unwrap_or_default(),
            subgraph_requests: of(|turn| {
                let count = |number: u64| u32::try_from(number).map_or(f64::NAN, f64::from);
                count(turn.subgraph_requests) / count(turn.requests.try_into().unwrap_or(u64::MAX))
            }),
            turns: turns.to_vec(),
        }
    }

    pub(crate) fn row(&self) -> String {
        format!(
            "| {} | {} | {} | {:.0} | {:.2} | {:.2} | {:.3} | {} | {:.2} |",
            self.query,
            self.connections,
            self.gateway,
            self.rate,
            self.p50_ms,
            self.p99_ms,
            self.cpu_ms,
            self.rss_mib,
            self.subgraph_requests
        )
    }
}

/// All in one table.
pub(crate) fn table(results: &Results) -> String {
    let mut text = "\n| query | connections | gateway | requests/s | p50 ms | p99 ms | CPU ms a request | RSS MiB | subgraph requests |\n\
                    |---|---:|---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    for measured in &results.measured {
        text.push_str(&measured.row());
        text.push('\n');
    }
    text
}

/// Writes results.json and router.svg.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    for (name, text) in [("results.json", json), ("router.svg", plot(results))] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// A bar for each row, in parts of the fastest of its group.
fn plot(results: &Results) -> String {
    const WIDTH: f64 = 720.0;
    const LEFT: f64 = 250.0;
    const BAR: f64 = 16.0;
    let mut lines = Vec::new();
    let mut y = 10.0;
    let mut group = ("", 0);
    for measured in &results.measured {
        let own = (measured.query, measured.connections);
        if own != group {
            group = own;
            y += 24.0;
            lines.push(format!(
                "<text x=\"8\" y=\"{y:.0}\" font-weight=\"bold\">{}, {} connections (requests/s)</text>",
                own.0, own.1
            ));
            y += 8.0;
        }
        let same = results.measured.iter();
        let same = same.filter(|other| (other.query, other.connections) == own);
        let most = same.map(|other| other.rate).fold(1.0, f64::max);
        let width = measured.rate / most * (WIDTH - LEFT - 70.0);
        let is_ours = measured.gateway.starts_with("this");
        let colour = if is_ours { "#1b7837" } else { "#7f7f7f" };
        lines.push(format!(
            "<rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>",
            BAR - 3.0
        ));
        let text = y + BAR - 5.0;
        lines.push(format!(
            "<text x=\"20\" y=\"{text:.0}\">{}</text>",
            measured.gateway
        ));
        lines.push(format!(
            "<text x=\"{:.0}\" y=\"{text:.0}\">{:.0}</text>",
            LEFT + width + 6.0,
            measured.rate
        ));
        y += BAR;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {:.0}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{:.0}\" fill=\"white\"/>\n{}\n</svg>\n",
        y + 12.0,
        y + 12.0,
        lines.join("\n")
    )
}
