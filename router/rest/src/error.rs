//! The one table of the shim: each error code and what it looks like to a REST client.
//!
//! The graph speaks codes; existing clients know statuses that history chose. [`row`] joins the two, and every line
//! of it cites the section of docs/contracts.md that fixes it. A code that a client cannot cause through the shim is
//! a fault of ours: 500 with one masked sentence.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chassis::{admission::Refusal, budget::Spent};
use schema::code::ErrorCode;
use serde_json::json;

use super::json::Malformed;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub(super) struct Problem {
    /// The graph's code, or the shim's own in the same words.
    pub(super) code: ErrorCode,
    message: String,
    /// Nothing behind the shim failed: it took nothing more itself, or its client did not wait.
    is_own: bool,
    /// When to come again, in seconds, where that is asked of the client.
    retry_after: u64,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            is_own: true,
            retry_after: refusal.retry_after.as_secs(),
            ..Self::masked(ErrorCode::Overloaded)
        }
    }
}

impl From<Spent> for Problem {
    fn from(spent: Spent) -> Self {
        Self {
            is_own: true,
            retry_after: spent.retry_after.as_secs(),
            ..Self::refused(ErrorCode::RateLimited, spent.to_string())
        }
    }
}

impl Problem {
    /// A refusal that tells the client what to correct.
    pub(super) fn refused(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            is_own: false,
            retry_after: 1,
        }
    }

    /// An argument that is out of its bounds.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::refused(ErrorCode::InvalidArgument, message)
    }

    /// The code's own sentence and nothing of the cause.
    pub(super) fn masked(code: ErrorCode) -> Self {
        Self::refused(code, code.summary())
    }

    /// The client said how long it waits, and that time is over. Source: docs/contracts.md §9.
    pub(super) fn client_left() -> Self {
        Self {
            is_own: true,
            ..Self::masked(ErrorCode::DeadlineExceeded)
        }
    }

    /// The response of the cart surface: a status, and a free-form body that names the code.
    pub(super) fn cart(&self) -> Response {
        let row = row(self.code);
        let body = json!({"code": self.code.as_str(), "message": self.shown(row.cart)});
        self.finish(row.cart, Json(body).into_response())
    }

    /// The response of cart's list: what fails there is a look-up behind it, so 502 where a retry can help.
    /// Source: docs/contracts.md §1, row "GET when a product lookup fails".
    pub(super) fn cart_list(&self) -> Response {
        let mut response = self.cart();
        let behind = matches!(
            self.code,
            ErrorCode::Unavailable
                | ErrorCode::DeadlineExceeded
                | ErrorCode::Overloaded
                | ErrorCode::ProductNotFound
        );
        if behind && !self.is_own {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        response
    }

    /// The response of a gateway: gRPC's code, a message and no details. Source: docs/contracts.md §3.
    pub(super) fn gateway(&self) -> Response {
        let row = row(self.code);
        let body = json!({"code": row.grpc, "message": self.shown(row.gateway), "details": []});
        self.finish(row.gateway, Json(body).into_response())
    }

    fn finish(&self, status: u16, mut response: Response) -> Response {
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if status == 415 {
            let plain = HeaderValue::from_static("identity");
            headers.insert(header::ACCEPT_ENCODING, plain);
        }
        if status == 503 || status == 429 {
            headers.insert(header::RETRY_AFTER, self.retry_after.into());
        }
        response
    }

    /// What the client may read: why it was refused, and nothing about a fault.
    fn shown(&self, status: u16) -> &str {
        match (status, row(self.code).own_fault) {
            (_, true) => ErrorCode::Internal.summary(),
            (500 | 503 | 504, false) => self.code.summary(),
            (_, false) => &self.message,
        }
    }
}

/// A problem in the form of the cart surface.
#[derive(Debug)]
pub(super) struct CartProblem(Problem);

impl<E: Into<Problem>> From<E> for CartProblem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for CartProblem {
    fn into_response(self) -> Response {
        self.0.cart()
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        Self::invalid(malformed.to_string())
    }
}

/// What one code is on each surface.
struct Row {
    cart: u16,
    grpc: u8,
    gateway: u16,
    own_fault: bool,
}

const fn shown(cart: u16, grpc: u8, gateway: u16) -> Row {
    Row {
        cart,
        grpc,
        gateway,
        own_fault: false,
    }
}

/// Statuses of a code: cart's, the gateways' gRPC code, the gateways' own.
fn row(code: ErrorCode) -> Row {
    use ErrorCode as Code;
    match code {
        Code::InvalidArgument | Code::BadRequest => shown(400, 3, 400), // §1 "400 bad ...", §3 and §6 code 3
        Code::NotFound => shown(404, 5, 404), // §1 "no cart", §3 code 5, §6 unknown id
        Code::CartEmpty => shown(404, 5, 404), // §1 checkout and list of an empty cart
        Code::ProductNotFound => shown(412, 9, 400), // §1 unknown SKU
        Code::OutOfStock => shown(412, 9, 400), // §1 "412 requested count > free stock", §3 code 9 is 400
        Code::OrderNotPayable => shown(412, 9, 400), // §3 pay: status not awaiting payment
        Code::OrderNotCancellable => shown(412, 9, 400), // §3 cancel: status paid or failed
        Code::EditWindowOver => shown(412, 9, 400), // §6 "9/400 edit window over"
        Code::NotTheAuthor => shown(403, 7, 403), // §6 "7/403 not the author"
        Code::StaleStock => shown(409, 10, 409), // no old call sets stock; §3, gateway's statuses
        Code::IdempotencyKeyReused => shown(422, 6, 409), // §9, header Idempotency-Key
        Code::IdempotencyKeyInFlight => shown(409, 10, 409), // §9, header Idempotency-Key
        Code::Unavailable => shown(503, 14, 503), // §2 after exhaustion, §3 gateway's statuses
        Code::DeadlineExceeded => shown(503, 4, 504), // §2 after exhaustion, §3 gateway's statuses
        Code::Overloaded => shown(503, 8, 503), // §2 cart must not say 429; §9, a caller that is asked to come again
        Code::RateLimited => shown(429, 8, 429), // §3, gateway's statuses; §9, a caller that has spent its budget
        Code::PayloadTooLarge => shown(413, 8, 413), // §9, bound of a body
        Code::UnsupportedMediaType => shown(415, 3, 415), // §9, a compressed body
        Code::MethodNotAllowed => shown(405, 12, 501), // §1 "405", §3 "501 code 12"
        Code::CsrfRefused => shown(403, 7, 403), // §9, calls that a foreign page makes
        Code::Internal => shown(500, 13, 500),   // §1 "500 other", §3 code 13
        // The shim signs its own tokens and writes its own operations: none of these is the client's doing.
        Code::Unauthenticated
        | Code::Forbidden
        | Code::GraphqlParseFailed
        | Code::GraphqlValidationFailed
        | Code::OperationNotFound
        | Code::BadVariables
        | Code::LimitExceeded
        | Code::PersistedOperationNotFound
        | Code::NotAcceptable
        | Code::ServerDraining
        | Code::TokenExpired
        | Code::SlowConsumer => Row {
            cart: 500,
            grpc: 13,
            gateway: 500,
            own_fault: true,
        }, // §1, §3 "500 other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/contracts.md §3: a gateway's status follows from its code. Seen red with 412 for code 9.
    #[test]
    fn a_gateways_status_follows_from_its_code() {
        for code in ErrorCode::ALL {
            let row = row(*code);
            let expected: &[u16] = match row.grpc {
                3 => &[400, 415],
                9 => &[400],
                4 => &[504],
                5 => &[404],
                6 | 10 => &[409],
                7 => &[403],
                8 => &[503, 413, 429],
                12 => &[501],
                13 => &[500],
                14 => &[503],
                other => panic!("{code:?} has gRPC code {other}"),
            };
            assert!(expected.contains(&row.gateway), "{code:?}: {}", row.gateway);
        }
    }

    /// Nothing behind a list has failed when its client does not wait for it. Seen red with 502.
    #[test]
    fn a_client_that_leaves_is_late_on_every_surface() {
        let late = Problem::client_left();
        let (cart, gateway) = ([late.cart(), late.cart_list()], late.gateway());
        for response in cart {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
        assert_eq!(gateway.status(), StatusCode::GATEWAY_TIMEOUT);
        let behind = Problem::masked(ErrorCode::DeadlineExceeded).cart_list();
        assert_eq!(behind.status(), StatusCode::BAD_GATEWAY);
    }

    #[tokio::test]
    async fn a_fault_gives_nothing_away() {
        for code in [
            ErrorCode::Internal,
            ErrorCode::Forbidden,
            ErrorCode::Unavailable,
        ] {
            for response in [
                Problem::refused(code, "select * from secrets").cart(),
                Problem::refused(code, "select * from secrets").gateway(),
            ] {
                assert!(response.status().is_server_error());
                let body = axum::body::to_bytes(response.into_body(), 1024)
                    .await
                    .unwrap();
                assert!(!String::from_utf8_lossy(&body).contains("secrets"));
            }
        }
    }
}
