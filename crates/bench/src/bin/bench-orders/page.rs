//! Results as people read them: Markdown tables and a plot; and as they were, in JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::Results;
use crate::contest::{CLIENTS, Outcome, Shelf};

/// Writes results.json and orders.svg.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(folder: &Path, results: &Results) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let json = serde_json::to_string_pretty(results)? + "\n";
    for (name, text) in [("results.json", json), ("orders.svg", plot(results))] {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn find(results: &Results, shelf: Shelf, clients: usize, grouped: bool) -> &Outcome {
    let mut all = results.contest.iter();
    let found = all.find(|it| (it.shelf, it.clients, it.grouped) == (shelf, clients, grouped));
    found.expect("every point was measured")
}

/// The tables.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::from(
        "| Goods | Clients | Orders/s, grouped | single | Ratio | p50 ms, grouped | single | p99 ms, grouped | single |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for shelf in Shelf::ALL {
        for clients in CLIENTS {
            let grouped = find(results, shelf, clients, true);
            let single = find(results, shelf, clients, false);
            writeln!(
                text,
                "| {} | {clients} | {:.0} | {:.0} | {:.1}x | {:.2} | {:.2} | {:.2} | {:.2} |",
                shelf.name(),
                grouped.rate(),
                single.rate(),
                grouped.rate() / single.rate(),
                grouped.p50,
                single.p50,
                grouped.p99,
                single.p99,
            )
            .expect("a string takes every text");
        }
    }
    text.push_str(
        "\n| Flash sale | Buyers | Sold | Out of stock | Faults | Told to come again | Seconds |\n|---|---|---|---|---|---|---|\n",
    );
    for sale in &results.sales {
        let side = if sale.grouped { "grouped" } else { "single" };
        writeln!(
            text,
            "| {side} | {} | {} | {} | {} | {} | {:.1} |",
            sale.buyers, sale.sold, sale.out_of_stock, sale.faults, sale.overloaded, sale.seconds
        )
        .expect("a string takes every text");
    }
    let stream = &results.stream;
    writeln!(
        text,
        "\nCommit to a reader of the topic at {} orders/s, over {} orders: p50 {:.1} ms, p99 {:.1} ms.\n\
         Backlog of {} events: sent and marked in {:.1} s, {:.0} events/s.",
        stream.rate,
        stream.orders,
        stream.p50,
        stream.p99,
        stream.backlog,
        stream.backlog_seconds,
        f64::from(stream.backlog) / stream.backlog_seconds,
    )
    .expect("a string takes every text");
    text
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const BAR: f64 = 28.0;

/// Two panels of bars, one for each kind of goods. Its greys can be read on light and on dark.
fn plot(results: &Results) -> String {
    let most = results
        .contest
        .iter()
        .map(Outcome::rate)
        .fold(1.0, f64::max);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 300\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#808080\">\n\
         <text x=\"20\" y=\"18\" font-size=\"14\">Orders a second: group commit (blue) and a transaction each (grey)</text>\n",
    );
    for (left, shelf) in [20.0, 390.0].into_iter().zip(Shelf::ALL) {
        panel(&mut svg, results, shelf, left, most);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, results: &Results, shelf: Shelf, left: f64, most: f64) {
    let floor = 30.0 + HEIGHT;
    let mut x = left + 12.0;
    for clients in CLIENTS {
        for (grouped, colour) in [(true, "#3b82f6"), (false, "#9ca3af")] {
            let rate = find(results, shelf, clients, grouped).rate();
            let height = rate / most * (HEIGHT - 20.0);
            let top = floor - height;
            writeln!(
                svg,
                "<rect x=\"{x:.0}\" y=\"{top:.1}\" width=\"{BAR}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{rate:.0}</text>",
                x + BAR / 2.0,
                top - 4.0
            )
            .expect("a string takes every text");
            x += BAR + 2.0;
        }
        writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{clients}</text>",
            x - BAR - 2.0,
            floor + 16.0
        )
        .expect("a string takes every text");
        x += 26.0;
    }
    writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{floor}\" x2=\"{}\" y2=\"{floor}\" stroke=\"#808080\"/>\n\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">clients, {}</text>",
        left + WIDTH - 10.0,
        left + WIDTH / 2.0,
        floor + 36.0,
        shelf.name()
    )
    .expect("a string takes every text");
}
