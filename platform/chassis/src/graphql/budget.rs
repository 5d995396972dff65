//! How many objects a response may hold, so that a subgraph stops before it makes more than its caller takes in.
//!
//! The router says how many in the header `x-response-objects-max`, or by [`ResponseBudget`] in this process. Objects are
//! counted as they are about to be resolved; with the first that is too many the whole response is one error.

use std::{
    any::TypeId,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_graphql::{
    ErrorExtensions as _, Pos, Request, Response, ServerError, ServerResult, Value,
    extensions::{
        Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextRequest,
        NextResolve, ResolveInfo,
    },
};
use schema::code::ErrorCode;

use crate::fault::{self, Coded};

/// The header that carries the budget to a subgraph of another process.
pub const RESPONSE_OBJECTS_MAX: &str = "x-response-objects-max";

/// By this name of the limit the caller knows that its own was reached.
const LIMIT: &str = "response_objects";

/// The objects that a response may hold where the caller does not say, and the most that a caller may say.
const DEFAULT_MAX: u64 = 100_000;

/// How many objects the response to this request may hold; put into the request's data by the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseBudget(pub u64);

impl ResponseBudget {
    /// The budget of a header's value; none when it is not a number.
    #[must_use]
    pub fn from_header(value: &[u8]) -> Option<Self> {
        std::str::from_utf8(value).ok()?.parse().ok().map(Self)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the response would hold more than {0} objects")]
struct TooMany(u64);

impl Coded for TooMany {
    fn code(&self) -> ErrorCode {
        ErrorCode::LimitExceeded
    }
}

/// The schema extension that counts.
#[derive(Debug)]
pub(super) struct BudgetExtension;

impl ExtensionFactory for BudgetExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OfRequest {
            max: AtomicU64::new(DEFAULT_MAX),
            spent: AtomicU64::new(0),
        })
    }
}

struct OfRequest {
    max: AtomicU64,
    spent: AtomicU64,
}

impl OfRequest {
    fn exceeded(&self) -> Option<ServerError> {
        let max = self.max.load(Ordering::Relaxed);
        let is_over = self.spent.load(Ordering::Relaxed) > max;
        is_over.then(|| {
            let error = fault::graphql(TooMany(max)).extend_with(|_, extensions| {
                extensions.set("limit", LIMIT);
                extensions.set("max", max);
            });
            error.into_server_error(Pos::default())
        })
    }
}

#[async_trait::async_trait]
impl Extension for OfRequest {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        let budget = request.data.get(&TypeId::of::<ResponseBudget>());
        if let Some(ResponseBudget(max)) = budget.and_then(|budget| budget.downcast_ref()) {
            self.max.store((*max).min(DEFAULT_MAX), Ordering::Relaxed);
        }
        next.run(ctx, request).await
    }

    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let response = next.run(ctx).await;
        match self.exceeded() {
            Some(error) => Response::from_errors(vec![error]),
            None => response,
        }
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // A list is no object; each of its items is resolved by itself.
        let is_object =
            !info.field.selection_set.node.items.is_empty() && !info.return_type.starts_with('[');
        if is_object {
            self.spent.fetch_add(1, Ordering::Relaxed);
            if let Some(error) = self.exceeded() {
                return Err(error);
            }
        }
        next.run(ctx, info).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_graphql::{Context, EmptyMutation, Object, SimpleObject};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::graphql::schema;

    struct Query;

    #[derive(SimpleObject)]
    struct Line {
        count: i32,
    }

    struct Order;

    #[Object]
    impl Query {
        async fn orders(&self) -> Vec<Order> {
            vec![Order, Order, Order]
        }
    }

    #[Object]
    impl Order {
        async fn lines(&self, ctx: &Context<'_>) -> Vec<Line> {
            ctx.data_unchecked::<AtomicUsize>()
                .fetch_add(1, Ordering::Relaxed);
            (0..1_000).map(|count| Line { count }).collect()
        }
    }

    async fn run(budget: Option<u64>) -> (Json, usize) {
        let schema = schema(Query, EmptyMutation)
            .data(AtomicUsize::new(0))
            .finish();
        let mut request = Request::new("{ orders { lines { count } } }");
        if let Some(max) = budget {
            request = request.data(ResponseBudget(max));
        }
        let response = schema.execute(request).await;
        let loaded = schema.data::<AtomicUsize>().unwrap();
        (
            serde_json::to_value(response).unwrap(),
            loaded.load(Ordering::Relaxed),
        )
    }

    /// Seen red with lists counted as objects, and with items left out.
    #[tokio::test]
    async fn a_response_holds_what_its_caller_takes_in_and_not_one_object_more() {
        for enough in [None, Some(3_003), Some(u64::MAX)] {
            let (response, _) = run(enough).await;
            assert_eq!(response["data"]["orders"].as_array().unwrap().len(), 3);
            assert_eq!(response.get("errors"), None);
        }
        for (less, loads) in [(3_002, 3), (10, 3), (2, 2)] {
            let (response, loaded) = run(Some(less)).await;
            assert_eq!(response["data"], Json::Null);
            let errors = response["errors"].as_array().unwrap();
            assert_eq!(errors.len(), 1);
            let named =
                json!({ "code": "LIMIT_EXCEEDED", "limit": "response_objects", "max": less });
            assert_eq!(errors[0]["extensions"], named);
            assert!(
                loaded <= loads,
                "{loaded} lists were made for {less} objects"
            );
        }
    }

    #[test]
    fn a_header_that_is_no_number_says_nothing() {
        assert_eq!(ResponseBudget::from_header(b"12"), Some(ResponseBudget(12)));
        for wrong in [&b"-1"[..], b"", b"many", b"\xff"] {
            assert_eq!(ResponseBudget::from_header(wrong), None);
        }
    }
}
