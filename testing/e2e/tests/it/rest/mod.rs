//! The contract of existing REST clients as a table of cases, over sockets alone.
//!
//! Nothing here knows the implementation: `CART`, `LOMS` and `COMMENTS` (base URLs) point the same cases at any
//! member of the family, see `make contract`. A case is one row of docs/contracts.md; the table of results is printed.
//! Cases run one after another, so that a case may compare stock before and after.

mod cart;
mod client;
mod comments;
mod documented;
mod exchange;
mod loms;
mod table;

pub(crate) use self::client::Bases;
use self::{client::Shop, table::Table};

/// Runs every case and returns the table; a case that fails is a line of it, never a panic.
pub(crate) async fn run(bases: Bases) -> Table {
    let shop = Shop::new(bases);
    let mut table = Table::default();
    exchange::run(&shop, &mut table).await;
    cart::run(&shop, &mut table).await;
    loms::run(&shop, &mut table).await;
    comments::run(&shop, &mut table).await;
    let documented = documented::check(&table);
    table
        .case(
            "all",
            "the contract's page names only tests that exist",
            async { documented },
        )
        .await;
    table
}
