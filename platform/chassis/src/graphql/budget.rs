//! How many objects a response may hold, so that a subgraph stops before it makes more than its caller takes in.
//!
//! The router says how many in the header `x-response-objects-max`, or by [`ResponseBudget`] in this process. Objects are
//! counted as they are about to be resolved, and the rows that they are made of when they are read, by [`ResponseCount`];
//! with the first that is too many the whole response is one error.

use std::{
    any::TypeId,
    hash::{Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_graphql::{
    Context, ErrorExtensions as _, Pos, Request, Response, ServerError, ServerResult, Value,
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

/// The response would hold more than its caller takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response would hold more than {0} objects")]
pub struct ResponseTooLarge(u64);

impl Coded for ResponseTooLarge {
    fn code(&self) -> ErrorCode {
        ErrorCode::LimitExceeded
    }
}

/// What one response holds and what was read for it. Clones are the same count, and equal to no other response's, so that a
/// batch over several requests can tell whose key is whose.
#[derive(Debug, Clone)]
pub struct ResponseCount(Arc<Count>);

#[derive(Debug)]
struct Count {
    max: AtomicU64,
    /// Objects that were about to be resolved.
    resolved: AtomicU64,
    /// Rows that were read, each to become an object.
    read: AtomicU64,
}

impl ResponseCount {
    fn up_to(max: u64) -> Self {
        Self(Arc::new(Count {
            max: AtomicU64::new(max),
            resolved: AtomicU64::new(0),
            read: AtomicU64::new(0),
        }))
    }

    /// The count of the request that is being answered.
    #[must_use]
    pub fn of(ctx: &Context<'_>) -> Self {
        let count = ctx.data_opt::<Self>().cloned();
        count.unwrap_or_else(|| Self::up_to(DEFAULT_MAX))
    }

    /// Counts rows that were read and that are to become objects.
    ///
    /// # Errors
    /// [`ResponseTooLarge`] as soon as the response cannot hold them: nothing more need be read for it.
    pub fn read(&self, rows: usize) -> Result<(), ResponseTooLarge> {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        self.0.read.fetch_add(rows, Ordering::Relaxed);
        self.check()
    }

    /// Whether something may still be read for the response.
    ///
    /// # Errors
    /// [`ResponseTooLarge`] when the response is refused anyway.
    pub fn check(&self) -> Result<(), ResponseTooLarge> {
        let max = self.0.max.load(Ordering::Relaxed);
        let resolved = self.0.resolved.load(Ordering::Relaxed);
        let largest = resolved.max(self.0.read.load(Ordering::Relaxed));
        if largest > max {
            return Err(ResponseTooLarge(max));
        }
        Ok(())
    }
}

impl PartialEq for ResponseCount {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ResponseCount {}

impl Hash for ResponseCount {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// The schema extension that counts.
#[derive(Debug)]
pub(super) struct BudgetExtension;

impl ExtensionFactory for BudgetExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(OfRequest(ResponseCount::up_to(DEFAULT_MAX)))
    }
}

struct OfRequest(ResponseCount);

impl OfRequest {
    fn exceeded(&self) -> Option<ServerError> {
        let error = self.0.check().err()?;
        let max = error.0;
        let error = fault::graphql(error).extend_with(|_, extensions| {
            extensions.set("limit", LIMIT);
            extensions.set("max", max);
        });
        Some(error.into_server_error(Pos::default()))
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
            let max = (*max).min(DEFAULT_MAX);
            self.0.0.max.store(max, Ordering::Relaxed);
        }
        next.run(ctx, request.data(self.0.clone())).await
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
            self.0.0.resolved.fetch_add(1, Ordering::Relaxed);
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
