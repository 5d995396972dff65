//! A caller who leaves: what waits for it ends with it, and what it left behind has not happened.

use std::time::Duration;

use chassis::{deadline, fault::Coded as _};
use schema::code::ErrorCode;
use tokio::time::Instant;

use crate::shop::{SKU, Shop, buyer, keyed, lines, user};

/// Far less than a lock is waited for, or a call may take.
const PATIENCE: Duration = Duration::from_millis(300);

fn soon() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

/// Asks for an order while another transaction has the stock row, then looks at what became of it.
async fn leaves_while_its_row_is_held(shop: Shop) {
    let holder = shop.hold(SKU).await;
    let (caller, wanted) = (keyed(1, "left"), lines(&[(SKU, 1)]));
    let order = shop.orders.create(&caller, user(1), &wanted);
    let refused = deadline::until(soon(), order).await.unwrap_err();
    let code = refused.code();
    assert!(
        matches!(code, ErrorCode::DeadlineExceeded | ErrorCode::Unavailable),
        "{refused:?}"
    );
    holder.rollback().await.unwrap();
    assert_eq!(shop.stock(SKU).await, (10, 0), "nothing was reserved");
    // The same request, by a caller with patience.
    let made = shop.orders.create(&caller, user(1), &wanted).await.unwrap();
    assert!(!made.replayed && made.value.refusal.is_none());
    assert_eq!(shop.stock(SKU).await, (10, 1));
}

/// The holder keeps the row until the caller has gone: without the deadline the order would be refused for the lock, after
/// `lock_timeout`. Seen red with a database that waits on for callers who have left.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_for_a_lock_ends_when_its_caller_leaves() {
    let shop = Shop::alone(&[(SKU, 10)]).await;
    let holder = shop.hold(SKU).await;
    let wanted = lines(&[(SKU, 1)]);
    let caller = buyer(1);
    let order = shop.orders.create(&caller, user(1), &wanted);
    let refused = deadline::until(soon(), order).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::DeadlineExceeded, "{refused:?}");
    holder.rollback().await.unwrap();
    assert_eq!(shop.stock(SKU).await, (10, 0), "nothing was reserved");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_left_behind_has_not_happened_and_may_be_asked_again() {
    leaves_while_its_row_is_held(Shop::alone(&[(SKU, 10)]).await).await;
    leaves_while_its_row_is_held(Shop::grouped(64, &[(SKU, 10)]).await).await;
}

/// Seen red with a database that is asked for callers who have left.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_for_a_caller_who_has_left() {
    for shop in [
        Shop::alone(&[(SKU, 10)]).await,
        Shop::grouped(64, &[(SKU, 10)]).await,
    ] {
        let wanted = lines(&[(SKU, 1)]);
        let caller = buyer(1);
        let order = shop.orders.create(&caller, user(1), &wanted);
        let gone = Some(Instant::now());
        let (statements, refused) = shop.statements(deadline::until(gone, order)).await;
        assert_eq!(refused.unwrap_err().code(), ErrorCode::DeadlineExceeded);
        assert_eq!(statements, 0);
        assert_eq!(shop.stock(SKU).await, (10, 0));
    }
}
