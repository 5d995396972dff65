//! Editing: who may, and until when.

use std::time::Duration;

use chassis::fault::Coded as _;
use schema::code::ErrorCode;

use crate::shop::{EDIT_WINDOW, Shop, id};

#[tokio::test]
async fn an_author_edits_within_the_window_and_no_longer() {
    let shop = Shop::open().await;
    let added = shop.add(1, 2, "first").await;

    shop.clock.advance(EDIT_WINDOW);
    let edited = shop.edit(1, added.id, "second").await.unwrap();
    assert_eq!(
        (edited.text.as_str(), edited.created_at),
        ("second", added.created_at)
    );
    assert_eq!(
        shop.comments.find(added.id).await.unwrap(),
        Some(edited.clone())
    );

    shop.clock.advance(Duration::from_millis(1));
    let late = shop.edit(1, added.id, "third").await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::EditWindowOver);
    assert_eq!(shop.comments.find(added.id).await.unwrap(), Some(edited));
}

/// Exists, then author, then window. Seen red with the two checks in `Comment::check_edit` swapped.
/// Source: docs/contracts.md §6.
#[tokio::test]
async fn a_foreign_edit_is_refused_as_foreign_and_changes_nothing() {
    let shop = Shop::open().await;
    let added = shop.add(1, 3, "mine").await;
    shop.clock.advance(EDIT_WINDOW * 2);

    let foreign = shop.edit(2, added.id, "yours").await.unwrap_err();
    assert_eq!(foreign.code(), ErrorCode::NotTheAuthor);
    assert_eq!(shop.comments.find(added.id).await.unwrap(), Some(added));

    let absent = shop.edit(2, id(999_001), "yours").await.unwrap_err();
    assert_eq!(absent.code(), ErrorCode::NotFound);
}
