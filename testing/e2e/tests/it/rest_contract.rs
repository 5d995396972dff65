//! The user with an existing REST client.

use tempfile::TempDir;

use crate::rest::{self, Bases};
use crate::shop::{self, Arrangement, Shop, free_offset};

/// Source: docs/contracts.md, all REST sections. `CART`, `LOMS` and `COMMENTS` point the cases elsewhere.
#[tokio::test]
async fn every_row_of_the_rest_contract_holds() {
    shop::install_tls();
    // A marketplace of its own: the cases compare stocks, which no other test may move meanwhile.
    let (bases, shop) = match Bases::from_environment() {
        Some(bases) => (bases, None),
        None => {
            let folder = TempDir::with_prefix("marketplace-e2e-").unwrap().keep();
            // A disk to which many write stands still for seconds, and commits with it; no case is about that.
            let patient = ["postgres.acquire_timeout=20s".to_owned()];
            let shop = Shop::start_in(&folder, Arrangement::Together, free_offset(), &patient);
            let shop = shop.await;
            let bases = Bases {
                cart: shop.url(8080),
                loms: shop.url(8084),
                comments: shop.url(8086),
            };
            (bases, Some(shop))
        }
    };
    let table = rest::run(bases).await;
    println!("{table}");
    if let Some(shop) = shop {
        let log = shop.output();
        let complaints = log.lines().filter(|line| line.contains("WARN"));
        complaints.for_each(|line| println!("{line}"));
        shop.stop().await;
    }
    assert_eq!(table.failed(), Vec::<&str>::new());
}
