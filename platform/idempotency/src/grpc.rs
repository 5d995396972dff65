//! gRPC: the key comes as metadata, and metadata marks a replay.

use tonic::{
    Response,
    metadata::{MetadataMap, MetadataValue},
};

use crate::{InvalidKey, KEY_HEADER, Key, Recorded};

/// The metadata name that marks a replay.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";

/// The key that a call came with, if any.
///
/// # Errors
/// [`InvalidKey`], also when the metadata is not ASCII, and when there are two.
pub fn key(metadata: &MetadataMap) -> Result<Option<Key>, InvalidKey> {
    let mut keys = metadata.get_all(KEY_HEADER).iter();
    let (first, None) = (keys.next(), keys.next()) else {
        return Err(InvalidKey);
    };
    let key = first.map(|key| {
        let text = key.to_str().map_err(|_| InvalidKey)?;
        Key::try_from(text.to_owned())
    });
    key.transpose()
}

/// Sends a key along with a call.
///
/// # Errors
/// [`InvalidKey`] when it is not plain ASCII, which is all that metadata can carry.
pub fn set_key(metadata: &mut MetadataMap, key: &Key) -> Result<(), InvalidKey> {
    let value = MetadataValue::try_from(key.as_str()).map_err(|_| InvalidKey)?;
    metadata.insert(KEY_HEADER, value);
    Ok(())
}

/// A response that says in its metadata whether it is a replay.
pub fn response<T>(recorded: Recorded<T>) -> Response<T> {
    let mut response = Response::new(recorded.value);
    if recorded.replayed {
        mark_replayed(response.metadata_mut());
    }
    response
}

/// Marks a response or a refusal as a replay.
pub fn mark_replayed(metadata: &mut MetadataMap) {
    metadata.insert(REPLAYED_HEADER, MetadataValue::from_static("true"));
}
