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
            "the message is not the protobuf message of this method",
        ),
        Code::OutOfRange => (
            Code::ResourceExhausted,
            "the message is longer than the service takes (setting grpc_message_bytes)",
        ),
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
        let status = corrected(Status::out_of_range("decoded message length too large"));
        assert_eq!(status.code(), Code::ResourceExhausted);
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
