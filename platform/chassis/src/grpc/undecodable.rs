//! The statuses that the library gives to messages it cannot read, in the words of this product.
//!
//! The library says `INTERNAL`, with its decoder's text, of a message that is not protobuf, and `OUT_OF_RANGE` of one
//! that is too long. Both are the client's to mend. A service of ours says neither: its faults carry the masked sentence of
//! [`ErrorCode::Internal`], and no [`ErrorCode`] is `OUT_OF_RANGE`.

use http::{HeaderValue, Response};
use schema::code::ErrorCode;
use tonic::{Code, Status};

const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// Corrects the head of a response that is the library's refusal of a message.
pub(super) fn correct<B>(mut response: Response<B>) -> Response<B> {
    let Some(status) = Status::from_header_map(response.headers()) else {
        return response;
    };
    let (code, message) = match status.code() {
        Code::Internal if status.message() != ErrorCode::Internal.summary() => (
            Code::InvalidArgument,
            "the message is not the protobuf message of this method".to_owned(),
        ),
        Code::OutOfRange => (Code::ResourceExhausted, too_long(status.message())),
        _ => return response,
    };
    let headers = response.headers_mut();
    headers.insert(STATUS, HeaderValue::from(i32::from(code)));
    // A space is the one character of these sentences that the header's encoding changes.
    if let Ok(message) = HeaderValue::try_from(message.replace(' ', "%20")) {
        headers.insert(MESSAGE, message);
    }
    headers.remove("grpc-status-details-bin");
    response
}

/// The refusal of a message that is too long, with the numbers of the library's own: the bytes found, then the most.
fn too_long(theirs: &str) -> String {
    let words = theirs.split(|it: char| !it.is_ascii_digit());
    let numbers: Vec<&str> = words.filter(|it| !it.is_empty()).collect();
    match numbers[..] {
        [found, max] => format!(
            "the message has {found} bytes and the service takes {max} (setting grpc_message_bytes)"
        ),
        _ => "the message is longer than the service takes (setting grpc_message_bytes)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(status: Status) -> Status {
        let response = correct(status.into_http::<()>());
        Status::from_header_map(response.headers()).unwrap()
    }

    #[test]
    fn what_cannot_be_read_is_the_clients_to_mend_and_gives_no_decoder_away() {
        let status = corrected(Status::internal(
            "failed to decode Protobuf message: buffer",
        ));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(!status.message().contains("buffer") && status.message().contains("protobuf"));
    }

    #[test]
    fn a_message_that_is_too_long_is_told_how_long_it_may_be() {
        let theirs =
            "Error, decoded message length too large: found 70000 bytes, the limit is: 16384 bytes";
        let status = corrected(Status::out_of_range(theirs));
        assert_eq!(status.code(), Code::ResourceExhausted);
        let told =
            "the message has 70000 bytes and the service takes 16384 (setting grpc_message_bytes)";
        assert_eq!(status.message(), told);
        let status = corrected(Status::out_of_range("too large"));
        assert!(status.message().contains("grpc_message_bytes"));
    }

    #[test]
    fn a_fault_of_ours_and_every_refusal_stay() {
        let fault = corrected(Status::internal(ErrorCode::Internal.summary()));
        assert_eq!(fault.code(), Code::Internal);
        for code in [Code::NotFound, Code::Unimplemented, Code::Unavailable] {
            let status = corrected(Status::new(code, "as it was"));
            assert_eq!((status.code(), status.message()), (code, "as it was"));
        }
        let done = correct(Response::new(()));
        assert!(done.headers().is_empty());
    }
}
