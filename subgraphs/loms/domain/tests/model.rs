//! The ledger and the status machine against a model that only counts orders.

#![expect(
    clippy::unwrap_used,
    reason = "a broken fixture may stop the test at once"
)]

use std::collections::BTreeMap;

use loms_domain::{
    lines::{Line, Lines},
    order::{self, OrderError, StockEffect, Transition},
    stock::{StockRow, StockRows},
};
use proptest::prelude::*;
use schema::{
    event::OrderStatus,
    id::{Quantity, Sku},
};

/// The over-reserved SKU starts illegal, as one row of the seed does.
const STARTS: [(i64, i64, i64); 4] = [(1, 10, 0), (2, 5, 5), (3, 8, 2), (4, 3, 4)];

#[derive(Debug, Clone)]
enum Step {
    Create(Vec<(i64, u32)>),
    Pay(usize),
    Cancel(usize),
    Expire(usize),
}

fn step() -> impl Strategy<Value = Step> {
    // SKU 5 has no stock row.
    let lines = prop::collection::vec((1..=5_i64, 1..=4_u32), 1..4);
    prop_oneof![
        3 => lines.prop_map(Step::Create),
        2 => (0..12_usize).prop_map(Step::Pay),
        2 => (0..12_usize).prop_map(Step::Cancel),
        1 => (0..12_usize).prop_map(Step::Expire),
    ]
}

fn lines(pairs: &[(i64, u32)]) -> Lines {
    let line = |(sku, count): &(i64, u32)| Line {
        sku: Sku::try_from(*sku).unwrap(),
        quantity: Quantity::try_from(*count).unwrap(),
        unit_price: None,
    };
    Lines::new(pairs.iter().map(line).collect()).unwrap()
}

fn start() -> StockRows {
    STARTS
        .into_iter()
        .map(|(sku, total, reserved)| StockRow {
            sku: Sku::try_from(sku).unwrap(),
            total,
            reserved,
        })
        .collect()
}

struct Shop {
    stock: StockRows,
    orders: Vec<(OrderStatus, Lines)>,
}

impl Shop {
    fn create(&mut self, lines: Lines) {
        let (status, _) = match self.stock.reserve(&lines.needs()) {
            Ok(()) => order::RESERVED,
            Err(OrderError::OutOfStock(_)) => order::FAILED,
            Err(other) => panic!("a reservation is refused for stock alone: {other}"),
        };
        self.orders.push((status, lines));
    }

    fn change(
        &mut self,
        at: usize,
        decide: impl Fn(OrderStatus) -> Result<Transition, OrderError>,
    ) {
        let Some((status, lines)) = self.orders.get_mut(at) else {
            return;
        };
        if let Ok(Transition::To {
            status: next,
            stock,
        }) = decide(*status)
        {
            assert!(matches!(stock, StockEffect::Release | StockEffect::Deduct));
            self.stock
                .settle(stock, &lines.needs())
                .expect("the order holds its reservation");
            *status = next;
        }
    }

    /// What the orders alone say that the stock must be.
    fn model(&self) -> BTreeMap<i64, (i64, i64)> {
        let mut model: BTreeMap<_, _> = STARTS
            .into_iter()
            .map(|(sku, total, reserved)| (sku, (total, reserved)))
            .collect();
        for (status, lines) in &self.orders {
            for (sku, units) in lines.needs().iter() {
                match status {
                    OrderStatus::AwaitingPayment => model.get_mut(&sku.get()).unwrap().1 += units,
                    OrderStatus::Paid => model.get_mut(&sku.get()).unwrap().0 -= units,
                    OrderStatus::New | OrderStatus::Failed | OrderStatus::Cancelled => {}
                }
            }
        }
        model
    }
}

proptest! {
    /// Seen red with `release` adding to `total`, and with `reserve` looking at the first line alone.
    #[test]
    fn stock_is_always_what_the_orders_say(steps in prop::collection::vec(step(), 1..60)) {
        let mut shop = Shop { stock: start(), orders: Vec::new() };
        for step in steps {
            match step {
                Step::Create(pairs) => shop.create(lines(&pairs)),
                Step::Pay(at) => shop.change(at, order::pay),
                Step::Cancel(at) => shop.change(at, order::cancel),
                Step::Expire(at) => shop.change(at, |status| Ok(order::expire(status))),
            }
            for (sku, (total, reserved)) in shop.model() {
                let row = shop.stock.find(Sku::try_from(sku).unwrap()).unwrap();
                prop_assert_eq!((row.total, row.reserved), (total, reserved));
                let started_legal = sku != 4;
                prop_assert!(row.reserved >= 0 && (!started_legal || row.reserved <= row.total));
            }
        }
    }

    /// However large the counts, the answer is a refusal and never an overflow.
    #[test]
    fn no_count_overflows(counts in prop::collection::vec(1..=u32::MAX, 1..200)) {
        let pairs: Vec<_> = counts.iter().map(|count| (1, *count)).collect();
        let wanted: i128 = counts.iter().map(|count| i128::from(*count)).sum();
        let mut stock = start();
        let reserved = stock.reserve(&lines(&pairs).needs()).is_ok();
        prop_assert_eq!(reserved, wanted <= 10);
    }
}
