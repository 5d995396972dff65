//! Where comments live, and what a shard that is down takes with it.

use chassis::fault::Coded as _;
use comments::comment::{Error, PageRequest};
use schema::code::ErrorCode;

use crate::shop::{PAGE, Shop, id, sku, text, user};

/// Source: docs/contracts.md §6, "first ids 1000, 1001".
#[tokio::test]
async fn the_first_ids_are_1000_and_1001() {
    let shop = Shop::open().await;
    let even = shop.add(1, 2, "a").await;
    let odd = shop.add(1, 3, "b").await;
    let next = shop.add(1, 4, "c").await;
    assert_eq!(
        [even.id.get(), odd.id.get(), next.id.get()],
        [1000, 1001, 2000]
    );
    assert_eq!(shop.comments.find(odd.id).await.unwrap(), Some(odd));
}

/// One of the family crashed on id 7. Source: docs/contracts.md §6.
#[tokio::test]
async fn an_id_of_an_impossible_shard_is_an_absent_one() {
    let shop = Shop::open().await;
    assert_eq!(shop.comments.find(id(7)).await.unwrap(), None);
    let edit = shop.edit(1, id(7), "x").await.unwrap_err();
    assert_eq!(edit.code(), ErrorCode::NotFound);
}

/// The family's column was an int32 and its table cut texts at 250. Source: docs/contracts.md §6.
#[tokio::test]
async fn the_largest_sku_and_the_longest_text_are_kept() {
    let shop = Shop::open().await;
    let longest = "я".repeat(255);
    let added = shop.add(i64::MAX, i64::MAX, &longest).await;
    let found = shop.comments.find(added.id).await.unwrap().unwrap();
    assert_eq!(
        (found.text.as_str(), found.sku.get()),
        (longest.as_str(), i64::MAX)
    );
}

#[tokio::test]
async fn a_shard_that_is_down_leaves_the_other_in_service() {
    let shop = Shop::with_second_shard_down().await;
    shop.add(1, 2, "still here").await;

    let mut pages = shop.comments.list_by_skus(&[sku(2), sku(3)], &PAGE).await;
    assert_eq!(pages.remove(&sku(2)).unwrap().unwrap().comments.len(), 1);
    assert_eq!(
        pages.remove(&sku(3)).unwrap().unwrap_err().code(),
        ErrorCode::Unavailable
    );

    let add = shop
        .comments
        .add(user(1), sku(3), text("lost"), None)
        .await
        .unwrap_err();
    assert_eq!(add.code(), ErrorCode::Unavailable);
    let by_author = shop
        .comments
        .list_by_authors(&[user(1)], &PAGE)
        .await
        .unwrap_err();
    assert!(
        matches!(by_author, Error::Store(_)),
        "half a list is no list: {by_author:?}"
    );
}

#[tokio::test]
async fn a_page_of_nobody_asks_nothing() {
    let shop = Shop::with_second_shard_down().await;
    let page = PageRequest {
        first: 1,
        after: None,
    };
    assert!(shop.comments.list_by_skus(&[], &page).await.is_empty());
    assert!(shop.comments.find_many(&[]).await.unwrap().is_empty());
}
