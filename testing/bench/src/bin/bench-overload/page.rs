//! Results as a Markdown table, as JSON and as a plot.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::{mix::Kind, step::Step};

/// The steps of one side.
#[derive(Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) admission: bool,
    pub(crate) steps: Vec<Step>,
}

/// What one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) cores: usize,
    /// Operations a second.
    pub(crate) peak: f64,
    pub(crate) curves: Vec<Curve>,
}

/// Writes results.json and overload.svg.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    for (name, text) in [("results.json", json), ("overload.svg", plot(results))] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// A table for each curve.
pub(crate) fn table(results: &Results) -> String {
    let mut text = format!(
        "Peak {:.0} operations/s on {} cores.\n",
        results.peak, results.cores
    );
    for curve in &results.curves {
        let name = if curve.admission { "With" } else { "Without" };
        let head = format!(
            "\n{name} admission:\n\n\
             | Offered | In time/s | of the peak | Pay, checkout | GraphQL | REST | gRPC | Refused | Late | Failed | p50 ms | p99 ms | MiB |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        );
        text.push_str(&head);
        for step in &curve.steps {
            text.push_str(&row(step, results.peak));
            text.push('\n');
        }
    }
    text
}

/// A step; what was in time of payments and of each interface is in parts of what they have at the peak.
pub(crate) fn row(step: &Step, peak: f64) -> String {
    let total = step.total();
    let percent = |is_one: fn(Kind) -> bool| 100.0 * step.of_peak(peak, is_one);
    let pays = percent(|it| matches!(it, Kind::Pay | Kind::Checkout));
    let graphql = percent(|it| !matches!(it, Kind::Checkout | Kind::Grpc));
    let rest = percent(|it| it == Kind::Checkout);
    let grpc = percent(|it| it == Kind::Grpc);
    format!(
        "| {}: {:.0}/s | {:.0} | {:.0} % | {pays:.0} % | {graphql:.0} % | {rest:.0} % | {grpc:.0} % | {} | {} | {} | {:.0} | {:.0} | {} |",
        step.name,
        step.rate,
        step.goodput(),
        100.0 * step.goodput() / peak,
        total.refused,
        total.late,
        total.failed,
        step.p50,
        step.p99,
        step.memory
    )
}

/// Goodput over offered load, both in parts of the peak.
fn plot(results: &Results) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 320.0;
    const LEFT: f64 = 50.0;
    let most = results.curves.iter().flat_map(|curve| &curve.steps);
    let most = most
        .map(|step| step.rate / results.peak)
        .fold(1.0, f64::max);
    let steps = results.curves.iter().flat_map(|curve| &curve.steps);
    let quarters = steps
        .map(|step| (step.goodput() / results.peak * 4.0).ceil())
        .fold(4.0, f64::max);
    let top = (quarters + 1.0) / 4.0;
    let x = |load: f64| LEFT + load / most * (WIDTH - LEFT - 20.0);
    let y = |part: f64| HEIGHT - 40.0 - part / top * (HEIGHT - 60.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let mut add = |line: String| svg.push_str(&(line + "\n"));
    let parts = std::iter::successors(Some(0.0), |part| Some(part + 0.25));
    for part in parts.take_while(|part| *part < top) {
        let (y, x2) = (y(part), WIDTH - 20.0);
        add(format!(
            "<line x1=\"{LEFT}\" x2=\"{x2}\" y1=\"{y:.0}\" y2=\"{y:.0}\" stroke=\"#ddd\"/>"
        ));
        add(format!(
            "<text x=\"8\" y=\"{y:.0}\">{:.0} %</text>",
            part * 100.0
        ));
    }
    for curve in &results.curves {
        let (colour, name) = if curve.admission {
            ("#1b7837", "with admission")
        } else {
            ("#b2182b", "without")
        };
        let points: Vec<String> = curve
            .steps
            .iter()
            .filter(|step| step.name.ends_with(" x"))
            .map(|step| {
                let (load, part) = (step.rate / results.peak, step.goodput() / results.peak);
                format!("{:.1},{:.1}", x(load), y(part))
            })
            .collect();
        let points = points.join(" ");
        add(format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
        let y = if curve.admission { 16 } else { 32 };
        add(format!(
            "<text x=\"480\" y=\"{y}\" fill=\"{colour}\">{name}</text>"
        ));
    }
    for load in [1.0, 2.0, 3.0, 5.0, 8.0]
        .into_iter()
        .filter(|load| *load <= most)
    {
        add(format!(
            "<text x=\"{:.0}\" y=\"{:.0}\">{load} x</text>",
            x(load) - 6.0,
            HEIGHT - 22.0
        ));
    }
    add(format!(
        "<text x=\"{LEFT}\" y=\"{:.0}\">offered load, in peaks of {:.0} operations/s; in time, in parts of the peak</text>",
        HEIGHT - 6.0,
        results.peak
    ));
    svg + "</svg>\n"
}
