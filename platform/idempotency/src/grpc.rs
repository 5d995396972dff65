//! Keys and marks in gRPC metadata: the key comes in, and an earlier answer goes out marked as one.

use tonic::{
    Response,
    metadata::{MetadataMap, MetadataValue},
};

use crate::{Answered, BadKey, KEY_HEADER, Key, REPLAYED_HEADER};

/// The key that a call came with, if any.
///
/// # Errors
/// [`BadKey`] when it is no text or has a wrong length.
pub fn key(metadata: &MetadataMap) -> Result<Option<Key>, BadKey> {
    let key = metadata.get(KEY_HEADER).map(|key| {
        let text = key.to_str().map_err(|_| BadKey)?;
        Key::try_from(text.to_owned())
    });
    key.transpose()
}

/// An answer, marked in its metadata when it is an earlier one.
pub fn answer<T>(answered: Answered<T>) -> Response<T> {
    let mut response = Response::new(answered.answer);
    if answered.replayed {
        mark_replayed(response.metadata_mut());
    }
    response
}

/// Marks an answer or a refusal as an earlier one.
pub fn mark_replayed(metadata: &mut MetadataMap) {
    metadata.insert(REPLAYED_HEADER, MetadataValue::from_static("true"));
}
