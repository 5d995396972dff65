//! What every measurement needs: the shop, the processors, the sizes, and where its rows go.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bench::cores::Cores;
use indicatif::ProgressBar;

use crate::{
    crowd::Cost,
    page,
    row::Row,
    shop::Shop,
    sizes::Sizes,
    subscriber::{Wire, Wish},
};

/// What every measurement needs.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) cores: &'a Cores,
    pub(crate) sizes: Sizes,
    pub(crate) port_offset: u16,
    /// The buyer of orders that everybody sees.
    pub(crate) buyer: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) bar: ProgressBar,
}

impl Bench<'_> {
    /// Keeps a row, and shows it.
    pub(crate) fn add(&mut self, row: Row) {
        self.bar.println(page::row(&row));
        self.rows.push(row);
    }

    /// What events cost a crowd, beside the floor.
    pub(crate) fn compare(&mut self, name: &str, cost: Cost, floor: Cost) {
        for (what, value) in [("p50", cost.p50), ("p99", cost.p99)] {
            self.add(Row::plain(
                format!("{name}: one event, {what}"),
                "ms",
                value,
            ));
        }
        let late = cost.p99 / floor.p99;
        self.add(Row::goal(
            format!("{name}: one event, p99 over the floor's"),
            "x",
            late,
            1.3,
        ));
        self.add(Row::plain(
            format!("{name}: processor time a frame"),
            "µs",
            cost.a_frame,
        ));
        let work = cost.a_frame / floor.a_frame;
        self.add(Row::goal(
            format!("{name}: processor time a frame over the floor's"),
            "x",
            work,
            1.5,
        ));
    }

    /// A wish of somebody at the router.
    pub(crate) fn wish(
        &self,
        wire: Wire,
        query: &'static str,
        token: String,
    ) -> anyhow::Result<Wish> {
        Ok(Wish {
            address: self.shop.address()?,
            wire,
            query,
            token,
        })
    }

    /// Unpaid orders, whose own events have passed.
    pub(crate) async fn orders(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let mut orders = Vec::new();
        for _ in 0..count {
            let ordered = self.shop.order(&self.buyer).await?;
            orders.push(ordered.context("an order is refused")?);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(orders)
    }

    pub(crate) async fn pay(&self, order: &str) -> anyhow::Result<()> {
        let is_paid = self.shop.pay(&self.buyer, order).await?;
        ensure!(is_paid, "order {order} cannot be paid");
        Ok(())
    }
}
