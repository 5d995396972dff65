//! Prints results as Markdown tables and a plot, and writes them as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use crate::benchmark::{CLIENTS, Demand, Outcome};
use crate::endpoint::Endpoint;
use crate::results::Results;

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

/// A spread of SKUs and a number of clients.
type Point = (Demand, usize);

fn find(
    results: &Results,
    endpoint: Endpoint,
    (demand, clients): Point,
    grouped: bool,
) -> &Outcome {
    let mut all = results.orders.iter().filter(|it| it.endpoint == endpoint);
    let found = all.find(|it| (it.demand, it.clients, it.grouped) == (demand, clients, grouped));
    found.expect("every point was measured")
}

/// All results as Markdown tables.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::from(
        "| Endpoint | SKUs | Clients | Orders/s, grouped | single | Ratio | p50 ms, grouped | single | Ratio | p99 ms, grouped | single |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for endpoint in Endpoint::ALL {
        for point in points() {
            row(&mut text, results, endpoint, point);
        }
    }
    sales(&mut text, results);
    stream(&mut text, &results.stream);
    text
}

fn points() -> impl Iterator<Item = Point> {
    let demands = Demand::ALL.into_iter();
    demands.flat_map(|demand| CLIENTS.map(|clients| (demand, clients)))
}

fn row(text: &mut String, results: &Results, endpoint: Endpoint, point: Point) {
    let grouped = find(results, endpoint, point, true);
    let single = find(results, endpoint, point, false);
    writeln!(
        text,
        "| {} | {} | {} | {:.0} | {:.0} | {:.1}x | {:.2} | {:.2} | {:.2}x | {:.2} | {:.2} |",
        endpoint.name(),
        point.0.name(),
        point.1,
        grouped.rate(),
        single.rate(),
        grouped.rate() / single.rate(),
        grouped.p50,
        single.p50,
        grouped.p50 / single.p50,
        grouped.p99,
        single.p99,
    )
    .expect("writing to a string cannot fail");
}

fn sales(text: &mut String, results: &Results) {
    text.push_str(
        "\n| Flash sale | Buyers | Sold | Out of stock | Faults | Overloaded | Seconds |\n|---|---|---|---|---|---|---|\n",
    );
    for sale in &results.flash_sales {
        let side = if sale.grouped { "grouped" } else { "single" };
        writeln!(
            text,
            "| {side} | {} | {} | {} | {} | {} | {:.1} |",
            sale.buyers, sale.sold, sale.out_of_stock, sale.faults, sale.overloaded, sale.seconds
        )
        .expect("writing to a string cannot fail");
    }
}

fn stream(text: &mut String, stream: &crate::stream::Outcome) {
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
    .expect("writing to a string cannot fail");
}

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 220.0;
const BAR: f64 = 28.0;

/// Panels of bars, a row of them for each way to order. Its greys can be read on light and on dark.
fn plot(results: &Results) -> String {
    let rates = results.orders.iter().map(Outcome::rate);
    let most = rates.fold(1.0, f64::max);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 580\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#808080\">\n\
         <text x=\"20\" y=\"18\" font-size=\"14\">Orders a second: group commit (blue) and a transaction each (grey)</text>\n",
    );
    for (top, endpoint) in [30.0, 310.0].into_iter().zip(Endpoint::ALL) {
        for (left, demand) in [20.0, 390.0].into_iter().zip(Demand::ALL) {
            let mut bars = Bars {
                x: left + 12.0,
                floor: top + HEIGHT,
                most,
            };
            for clients in CLIENTS {
                bars.pair(
                    &mut svg,
                    clients,
                    [true, false]
                        .map(|grouped| find(results, endpoint, (demand, clients), grouped).rate()),
                );
            }
            let below = format!("clients, {}, {}", endpoint.name(), demand.name());
            floor(&mut svg, left, top + HEIGHT, &below);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where the next bar stands.
struct Bars {
    x: f64,
    floor: f64,
    /// The rate that has the full height.
    most: f64,
}

impl Bars {
    /// Both sides of a number of clients: grouped, then single.
    fn pair(&mut self, svg: &mut String, clients: usize, rates: [f64; 2]) {
        for (rate, colour) in rates.into_iter().zip(["#3b82f6", "#9ca3af"]) {
            let height = rate / self.most * (HEIGHT - 20.0);
            let top = self.floor - height;
            writeln!(
                svg,
                "<rect x=\"{:.0}\" y=\"{top:.1}\" width=\"{BAR}\" height=\"{height:.1}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{rate:.0}</text>",
                self.x,
                self.x + BAR / 2.0,
                top - 4.0
            )
            .expect("writing to a string cannot fail");
            self.x += BAR + 2.0;
        }
        writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{clients}</text>",
            self.x - BAR - 2.0,
            self.floor + 16.0
        )
        .expect("writing to a string cannot fail");
        self.x += 26.0;
    }
}

fn floor(svg: &mut String, left: f64, y: f64, below: &str) {
    writeln!(
        svg,
        "<line x1=\"{left}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" stroke=\"#808080\"/>\n\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{below}</text>",
        left + WIDTH - 10.0,
        left + WIDTH / 2.0,
        y + 34.0,
    )
    .expect("writing to a string cannot fail");
}
