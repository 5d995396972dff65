//! Relay connections by keyset: page sizes of 1 to 100 and opaque cursors.

use std::str::FromStr;

use async_graphql::{Context, SimpleObject};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use schema::code::ErrorCode;

use crate::fault::Coded;

/// Rows of a page when `first` is not given.
pub const DEFAULT_FIRST: u32 = 20;
/// The most rows of a page.
pub const MAX_FIRST: u32 = 100;
/// The longest cursor that is looked at.
const MAX_CURSOR: usize = 256;

/// Where a page is in its list.
#[derive(Debug, Clone, Default, SimpleObject)]
#[graphql(shareable)]
pub struct PageInfo {
    /// Whether rows follow this page.
    pub has_next_page: bool,
    /// Whether rows come before this page.
    pub has_previous_page: bool,
    /// The cursor of the first row; null on an empty page.
    pub start_cursor: Option<String>,
    /// The cursor of the last row: pass it as `after` for the next page; null on an empty page.
    pub end_cursor: Option<String>,
}

/// A page argument outside its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `first` is not 1 to 100.
    #[error("first must be 1 to {MAX_FIRST}")]
    First,
    /// `after` is not a cursor of this list.
    #[error("after is not a cursor of this list")]
    After,
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(vec![
            if *self == Self::First {
                "first"
            } else {
                "after"
            }
            .to_owned(),
        ])
    }
}

/// The page size: `first`, or [`DEFAULT_FIRST`].
///
/// # Errors
/// [`Error::First`] outside 1 to [`MAX_FIRST`].
pub fn first_or_default(first: Option<i32>) -> Result<u32, Error> {
    let first = first
        .map_or(Ok(DEFAULT_FIRST), u32::try_from)
        .map_err(|_| Error::First)?;
    if (1..=MAX_FIRST).contains(&first) {
        Ok(first)
    } else {
        Err(Error::First)
    }
}

/// Whether the rows of the page that is being resolved are asked for: not where the length of the whole list is all.
#[must_use]
pub fn is_read(ctx: &Context<'_>) -> bool {
    let asked = ctx.look_ahead();
    ["nodes", "edges", "pageInfo"]
        .iter()
        .any(|field| asked.field(field).exists())
}

/// Makes an opaque cursor of a row's key.
#[must_use]
pub fn encode_cursor(key: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key)
}

/// Reads the key out of a cursor.
///
/// # Errors
/// [`Error::After`] when it is not a cursor of this list.
pub fn decode_cursor<T: FromStr>(cursor: &str) -> Result<T, Error> {
    if cursor.len() > MAX_CURSOR {
        return Err(Error::After);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| Error::After)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::After)?;
    text.parse().map_err(|_| Error::After)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_100_rows() {
        assert_eq!(first_or_default(None), Ok(20));
        assert_eq!(first_or_default(Some(100)), Ok(100));
        for bad in [0, -1, 101] {
            assert_eq!(first_or_default(Some(bad)), Err(Error::First));
        }
    }

    #[test]
    fn a_cursor_reads_back_and_anything_else_is_refused() {
        assert_eq!(decode_cursor::<i64>(&encode_cursor("42")), Ok(42));
        for bad in ["", "!", "YQ", &"A".repeat(300)] {
            assert_eq!(decode_cursor::<i64>(bad), Err(Error::After), "{bad}");
        }
    }
}
