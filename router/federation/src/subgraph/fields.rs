//! The subgraph that the router is itself: root fields of `events` that no other process could answer.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use serde_json::{Map, Value, json};

use crate::engine::{RequestContext, RouterFields};
use crate::error::GraphqlError;
use crate::subgraph::{FetchError, FetchRequest, Subgraph};

/// Answers from [`RouterFields`].
pub(crate) struct Own(pub(crate) Arc<dyn RouterFields>);

impl Subgraph for Own {
    fn fetch<'a>(
        &'a self,
        request: FetchRequest,
        ctx: &'a RequestContext,
    ) -> BoxFuture<'a, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let answers = request
                .fields
                .iter()
                .map(|(_, name)| self.0.resolve(name, ctx));
            let answers = join_all(answers).await;
            let mut data = Map::new();
            let mut errors = Vec::new();
            for ((key, name), answer) in request.fields.iter().zip(answers) {
                let value = match answer {
                    // The answer's object has no name of its own type, which the operation may ask for.
                    _ if name == "__typename" => Value::from("Query"),
                    Ok(value) => value,
                    Err(refused) => {
                        errors.extend(refused.errors().iter().map(|error| at(error, key)));
                        Value::Null
                    }
                };
                data.insert(key.clone(), value);
            }
            let mut answer = json!({ "data": data });
            if !errors.is_empty() {
                answer["errors"] = errors.into();
            }
            Ok(Bytes::from(answer.to_string()))
        })
    }
}

/// An error at a root field.
fn at(error: &GraphqlError, key: &str) -> Value {
    let mut error = error.to_json();
    error["path"] = json!([key]);
    error
}
