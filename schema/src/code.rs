//! The table of error codes: what one error is called and what it means on every transport.
//!
//! Each row gives the GraphQL name, the gRPC status, the HTTP status, whether the effect may have happened,
//! and whether a retry can help. Statuses that history fixed otherwise live in the REST shim alone.

/// What a caller may assume of the effect of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing happened.
    Refused,
    /// It may have happened: retry with the same idempotency key.
    Unknown,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $grpc:literal, $http:literal, $outcome:ident, $retry:literal, $summary:literal;)*) => {
        /// Every code that a client can meet. Source: docs/errors.md.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// All rows, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable name, as in `extensions.code`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The gRPC status number.
            #[must_use]
            pub const fn grpc(self) -> u8 {
                match self { $(Self::$name => $grpc,)* }
            }

            /// The HTTP status of a plain HTTP response.
            #[must_use]
            pub const fn http(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }

            /// Whether the effect may have happened.
            #[must_use]
            pub const fn outcome(self) -> Outcome {
                match self { $(Self::$name => Outcome::$outcome,)* }
            }

            /// Whether the same request may succeed later, unchanged.
            #[must_use]
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }

            /// One sentence for clients, without internal details.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Self::$name => $summary,)* }
            }

            /// Finds a row by its stable name.
            #[must_use]
            pub fn find(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }
        }
    };
}

codes! {
    /// An argument breaks its bounds.
    InvalidArgument, "INVALID_ARGUMENT", 3, 400, Refused, false, "an argument is out of its bounds";
    /// Absent, or not the caller's: both look the same.
    NotFound, "NOT_FOUND", 5, 404, Refused, false, "not found";
    /// The product service does not know the SKU.
    ProductNotFound, "PRODUCT_NOT_FOUND", 9, 412, Refused, false, "the catalogue does not know this product";
    /// Too little free stock.
    OutOfStock, "OUT_OF_STOCK", 9, 412, Refused, false, "too little free stock";
    /// Nothing to order.
    CartEmpty, "CART_EMPTY", 5, 404, Refused, false, "the cart is empty";
    /// The order does not await payment.
    OrderNotPayable, "ORDER_NOT_PAYABLE", 9, 409, Refused, false, "the order does not await payment";
    /// The order is final, or not yet reserved.
    OrderNotCancellable, "ORDER_NOT_CANCELLABLE", 9, 409, Refused, false, "the order cannot be cancelled any more";
    /// Somebody else wrote the comment.
    NotTheAuthor, "NOT_THE_AUTHOR", 7, 403, Refused, false, "only the author may change this";
    /// The comment is too old to be edited.
    EditWindowOver, "EDIT_WINDOW_OVER", 9, 409, Refused, false, "the time for editing is over";
    /// The stock changed since it was read.
    StaleStock, "STALE_STOCK", 10, 409, Refused, false, "the stock is not what was expected";
    /// The key came before with another input.
    IdempotencyKeyReused, "IDEMPOTENCY_KEY_REUSED", 6, 422, Refused, false, "this idempotency key belongs to another input";
    /// The first request with this key has not ended.
    IdempotencyKeyInFlight, "IDEMPOTENCY_KEY_IN_FLIGHT", 10, 409, Unknown, true, "the first request with this idempotency key has not ended";
    /// No token, or one that is not valid.
    Unauthenticated, "UNAUTHENTICATED", 16, 401, Refused, false, "a valid token is needed";
    /// The token's scopes do not allow this.
    Forbidden, "FORBIDDEN", 7, 403, Refused, false, "the token does not allow this";
    /// A dependency is out of reach.
    Unavailable, "UNAVAILABLE", 14, 503, Unknown, true, "a service is out of reach for the moment";
    /// The time that the request had is over.
    DeadlineExceeded, "DEADLINE_EXCEEDED", 4, 504, Unknown, true, "the request took too long";
    /// More requests than can be served now; nothing was done.
    Overloaded, "OVERLOADED", 8, 503, Refused, true, "too many requests for the moment";
    /// A fault of ours.
    Internal, "INTERNAL", 13, 500, Unknown, true, "an internal error";
    /// The operation's text is not GraphQL.
    GraphqlParseFailed, "GRAPHQL_PARSE_FAILED", 3, 400, Refused, false, "the operation cannot be parsed";
    /// The operation does not fit the schema.
    GraphqlValidationFailed, "GRAPHQL_VALIDATION_FAILED", 3, 400, Refused, false, "the operation does not fit the schema";
    /// `operationName` is missing or names nothing.
    OperationNotFound, "OPERATION_NOT_FOUND", 3, 400, Refused, false, "no such operation in the document";
    /// A variable does not fit its type.
    BadVariables, "BAD_VARIABLES", 3, 400, Refused, false, "a variable does not fit its type";
    /// A limit of depth, size, count, cost or rate.
    LimitExceeded, "LIMIT_EXCEEDED", 8, 400, Refused, false, "the operation is over a limit";
    /// The caller spent its cost budget for now.
    RateLimited, "RATE_LIMITED", 8, 429, Refused, true, "the budget of this window is spent";
    /// The persisted operation must be sent once in full.
    PersistedOperationNotFound, "PERSISTED_QUERY_NOT_FOUND", 5, 200, Refused, true, "PersistedQueryNotFound";
    /// Mutations need POST.
    MethodNotAllowed, "METHOD_NOT_ALLOWED", 12, 405, Refused, false, "this needs another HTTP method";
    /// A request that a foreign page could send without a preflight.
    CsrfRefused, "CSRF_REFUSED", 7, 403, Refused, false, "send content-type application/json or the header graphql-require-preflight";
    /// The body is over its limit.
    PayloadTooLarge, "PAYLOAD_TOO_LARGE", 8, 413, Refused, false, "the body is too large";
    /// The content type is not served.
    UnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", 3, 415, Refused, false, "send content-type application/json";
    /// Nothing that the client accepts is served.
    NotAcceptable, "NOT_ACCEPTABLE", 3, 406, Refused, false, "no media type of the accept header is served";
    /// The body is not a GraphQL request.
    BadRequest, "BAD_REQUEST", 3, 400, Refused, false, "the request is malformed";
    /// The server is shutting down: resume elsewhere with the cursor.
    ServerDraining, "SERVER_DRAINING", 14, 503, Refused, true, "this server is shutting down; resume with the last cursor";
    /// The stream's token has ended.
    TokenExpired, "TOKEN_EXPIRED", 16, 401, Refused, false, "the token has ended; resume with a new one";
    /// The client took nothing for too long.
    SlowConsumer, "SLOW_CONSUMER", 8, 429, Refused, true, "the client took no frame for too long; resume with the last cursor";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_as_the_table_has_it() {
        let page = include_str!("../../docs/errors.md");
        for code in ErrorCode::ALL {
            let start = format!("| `{}` | ", code.as_str());
            let row = page.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("docs/errors.md has no row for {code:?}"));
            let outcome = match code.outcome() {
                Outcome::Refused => "refused",
                Outcome::Unknown => "unknown",
            };
            let retry = if code.retryable() { "yes" } else { "no" };
            let facts = format!(
                "| {} | {} | {outcome} | {retry} |",
                code.http(),
                code.grpc()
            );
            assert!(row.contains(&facts), "{row} should say {facts}");
        }
    }

    #[test]
    fn a_name_finds_its_row() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::find(code.as_str()), Some(*code));
        }
    }
}
