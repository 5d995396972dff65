//! Editing: who may, and until when.

use std::time::Duration;

use chassis::fault::Coded as _;
use schema::code::ErrorCode;

use crate::shop::{EDIT_WINDOW, Shop, id, sku, text, user};

#[tokio::test]
async fn an_author_edits_within_the_window_and_no_longer() {
    let shop = Shop::open().await;
    let added = shop.comments.add(user(1), sku(2), text("first")).await.unwrap();

    shop.clock.advance(EDIT_WINDOW);
    let edited = shop.comments.edit(user(1), added.id, text("second")).await.unwrap();
    assert_eq!((edited.text.as_str(), edited.created_at), ("second", added.created_at));
    assert_eq!(shop.comments.find(added.id).await.unwrap(), Some(edited.clone()));

    shop.clock.advance(Duration::from_millis(1));
    let late = shop.comments.edit(user(1), added.id, text("third")).await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::EditWindowOver);
    assert_eq!(shop.comments.find(added.id).await.unwrap(), Some(edited));
}

/// Exists, then author, then window. Seen red with the two checks in `Comment::check_edit` swapped.
/// Source: docs/contracts.md §6.
#[tokio::test]
async fn a_foreign_edit_is_refused_as_foreign_and_changes_nothing() {
    let shop = Shop::open().await;
    let added = shop.comments.add(user(1), sku(3), text("mine")).await.unwrap();
    shop.clock.advance(EDIT_WINDOW * 2);

    let foreign = shop.comments.edit(user(2), added.id, text("yours")).await.unwrap_err();
    assert_eq!(foreign.code(), ErrorCode::NotTheAuthor);
    assert_eq!(shop.comments.find(added.id).await.unwrap(), Some(added));

    let absent = shop.comments.edit(user(2), id(999_001), text("yours")).await.unwrap_err();
    assert_eq!(absent.code(), ErrorCode::NotFound);
}
