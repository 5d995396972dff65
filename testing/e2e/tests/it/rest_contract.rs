//! The user with an existing REST client.

use crate::rest::{self, Bases};
use crate::shop::{self, Arrangement, Shop};

/// Source: docs/contracts.md, all REST sections. `CART`, `LOMS` and `COMMENTS` point the cases elsewhere.
#[tokio::test]
async fn every_row_of_the_rest_contract_holds() {
    shop::install_tls();
    // A marketplace of its own: the cases compare stocks, which no other test may move meanwhile.
    let (bases, shop) = match Bases::from_environment() {
        Some(bases) => (bases, None),
        None => {
            let shop = Shop::start(Arrangement::Together).await;
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
        shop.stop().await;
    }
    assert_eq!(table.failed(), Vec::<&str>::new());
}
