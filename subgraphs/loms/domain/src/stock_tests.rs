//! Examples of the ledger; the sums over many orders are in `tests/model.rs`.

use super::*;

fn sku(value: i64) -> Sku {
    Sku::try_from(value).unwrap()
}

fn row(sku_value: i64, total: i64, reserved: i64) -> StockRow {
    StockRow {
        sku: sku(sku_value),
        total,
        reserved,
    }
}

fn needs(lines: &[(i64, i64)]) -> Needs {
    lines
        .iter()
        .map(|(sku_value, units)| (sku(*sku_value), *units))
        .collect()
}

fn short(id: i64, wanted: i64, free: i64) -> OrderError {
    let sku = sku(id);
    OrderError::OutOfStock(Shortage { sku, wanted, free })
}

/// Seen red with the check of free units removed.
#[test]
fn one_short_line_reserves_nothing() {
    let mut rows: StockRows = [row(1, 10, 0), row(2, 10, 9)].into_iter().collect();
    let before = rows.clone();
    let refused = rows.reserve(&needs(&[(1, 5), (2, 2)]));
    assert_eq!(refused, Err(short(2, 2, 1)));
    assert_eq!(rows, before);
}

#[test]
fn a_sku_without_a_row_is_out_of_stock() {
    let mut rows = StockRows::default();
    let refused = rows.reserve(&needs(&[(7, 1)]));
    assert_eq!(refused, Err(short(7, 1, 0)));
}

/// Source: docs/contracts.md §4, SKU 139818428.
#[test]
fn an_over_reserved_row_has_nothing_free() {
    assert_eq!(row(139_818_428, 100, 101).free(), 0);
}

#[test]
fn paying_takes_the_reserved_units_out_of_the_total() {
    let mut rows: StockRows = [row(1, 10, 4)].into_iter().collect();
    rows.settle(StockEffect::Deduct, &needs(&[(1, 3)])).unwrap();
    assert_eq!(rows.changed(), [row(1, 7, 1)]);
}

#[test]
fn cancelling_frees_the_reserved_units() {
    let mut rows: StockRows = [row(1, 10, 4)].into_iter().collect();
    rows.settle(StockEffect::Release, &needs(&[(1, 3)]))
        .unwrap();
    assert_eq!(rows.changed(), [row(1, 10, 1)]);
}

#[test]
fn a_row_that_holds_less_than_its_orders_is_a_fault_and_stays_as_it_is() {
    let mut rows: StockRows = [row(1, 10, 4), row(2, 5, 1)].into_iter().collect();
    let before = rows.clone();
    assert_eq!(
        rows.release(&needs(&[(1, 1), (2, 2)])),
        Err(LedgerBroken { sku: sku(2) })
    );
    assert_eq!(
        rows.deduct(&needs(&[(1, 1), (3, 2)])),
        Err(LedgerBroken { sku: sku(3) })
    );
    assert_eq!(rows, before);
}

#[test]
fn a_total_is_set_only_over_the_total_that_was_read() {
    let mut rows: StockRows = [row(1, 10, 4)].into_iter().collect();
    let stale = rows.set_total(sku(1), 20, Some(9));
    assert_eq!(stale, Err(SetTotalError::Stale { actual: 10 }));
    assert_eq!(rows.set_total(sku(1), 20, Some(10)), Ok(row(1, 20, 4)));
}

#[test]
fn a_total_never_falls_below_what_orders_hold() {
    let mut rows: StockRows = [row(1, 10, 4)].into_iter().collect();
    let refused = rows.set_total(sku(1), 3, None);
    assert_eq!(refused, Err(SetTotalError::BelowReserved { reserved: 4 }));
    assert_eq!(rows.set_total(sku(1), 4, None), Ok(row(1, 4, 4)));
}

#[test]
fn a_total_is_bounded_and_a_new_sku_gets_a_row() {
    let mut rows = StockRows::default();
    assert_eq!(
        rows.set_total(sku(5), -1, None),
        Err(SetTotalError::OutOfRange)
    );
    assert_eq!(
        rows.set_total(sku(5), MAX_UNITS + 1, None),
        Err(SetTotalError::OutOfRange)
    );
    assert_eq!(rows.set_total(sku(5), 8, None), Ok(row(5, 8, 0)));
}
