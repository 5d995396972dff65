//! The user with an existing REST client.

use crate::rest::{self, Bases};
use crate::shop::{self, Shop};

/// Source: docs/contracts.md, all REST sections. `CART`, `LOMS` and `COMMENTS` point the cases elsewhere.
#[tokio::test]
async fn every_row_of_the_rest_contract_holds() {
    shop::install_tls();
    let bases = match Bases::from_environment() {
        Some(bases) => bases,
        None => {
            let shop = Shop::shared().await;
            Bases {
                cart: shop.url(8080),
                loms: shop.url(8084),
                comments: shop.url(8086),
            }
        }
    };
    let table = rest::run(bases).await;
    println!("{table}");
    assert_eq!(table.failed(), Vec::<&str>::new());
}
