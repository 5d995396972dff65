//! A subgraph of this process that consists of a few root fields, resolved without parsing an operation.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use serde_json::{Map, Value, json};

use crate::request::{GraphqlError, RequestContext};
use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::{FetchRequest, Subgraph};

/// Resolves the root fields of a subgraph's Query.
pub trait RootFields: Send + Sync {
    /// Resolves one field to JSON by schema field names. An error is treated like one of any other subgraph.
    fn resolve<'a>(
        &'a self,
        field: &'a str,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Value, GraphqlError>>;
}

/// Calls [`RootFields`].
pub(super) struct Fields(pub(super) Arc<dyn RootFields>);

impl Subgraph for Fields {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let fields = request.fields.iter();
            let values = join_all(fields.map(|(_, name)| self.resolve(name, ctx))).await;
            let mut data = Map::new();
            let mut errors = Vec::new();
            for ((key, _), resolved) in request.fields.iter().zip(values) {
                let value = resolved.unwrap_or_else(|error| {
                    errors.push(at(&error, key));
                    Value::Null
                });
                data.insert(key.clone(), value);
            }
            let mut response = json!({ "data": data });
            if !errors.is_empty() {
                response["errors"] = errors.into();
            }
            Ok(Bytes::from(response.to_string()))
        })
    }
}

impl Fields {
    async fn resolve(&self, field: &str, ctx: &RequestContext) -> Result<Value, GraphqlError> {
        if field == "__typename" {
            return Ok(Value::from("Query"));
        }
        self.0.resolve(field, ctx).await
    }
}

/// An error at a root field.
fn at(error: &GraphqlError, key: &str) -> Value {
    let mut error = error.to_json();
    error["path"] = json!([key]);
    error
}
