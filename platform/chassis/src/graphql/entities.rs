//! Entities one by one: an error of one stands at its place in `_entities`, and takes no other down.
//!
//! The library resolves all representations of an `_entities` field under the field's own path, so that an error names no
//! entity, and ends the whole field with the first resolver that fails. [`Entities`] gives each a path with its position.
//! Source: Apollo Federation's subgraph specification, `Query._entities`; GraphQL specification, 7.1.7 Path.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Pos, Positioned,
    QueryPathNode, QueryPathSegment, Request, ServerError, ServerResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest},
    parser::types::Field,
    registry::Registry,
    resolver_utils::resolve_container,
};
use parking_lot::Mutex;

/// A query type whose entities have a place each.
#[derive(Debug)]
pub struct Entities<Q>(pub(super) Q);

/// How many representations of each `_entities` field, by where it stands in the text, are at work. The library starts
/// them in their order.
#[derive(Debug, Default)]
struct Started(Mutex<HashMap<Pos, usize>>);

impl Started {
    fn next(&self, field: Pos) -> usize {
        let mut started = self.0.lock();
        let count = started.entry(field).or_default();
        *count += 1;
        *count - 1
    }
}

impl<Q: ObjectType> ContainerType for Entities<Q> {
    fn is_empty() -> bool {
        Q::is_empty()
    }

    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        self.0.resolve_field(ctx).await
    }

    /// Null with an error at its place where it cannot be found; never an error of the whole field.
    async fn find_entity(
        &self,
        ctx: &Context<'_>,
        representation: &Value,
    ) -> ServerResult<Option<Value>> {
        let started = ctx.data_unchecked::<Arc<Started>>();
        let mut place = ctx.clone();
        place.path_node = Some(QueryPathNode {
            parent: ctx.path_node.as_ref(),
            segment: QueryPathSegment::Index(started.next(ctx.item.pos)),
        });
        let error = match self.0.find_entity(&place, representation).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => ServerError::new(
                "no entity is found by such a representation",
                Some(ctx.item.pos),
            ),
            Err(error) => error,
        };
        if error.path.is_empty() {
            ctx.add_error(place.set_error_path(error));
        } else {
            ctx.add_error(error);
        }
        Ok(Some(Value::Null))
    }
}

impl<Q: ObjectType> OutputType for Entities<Q> {
    fn type_name() -> Cow<'static, str> {
        Q::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Q::create_type_info(registry)
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl<Q: ObjectType> ObjectType for Entities<Q> {}

/// The schema extension that gives each request its count.
#[derive(Debug)]
pub(super) struct EntitiesExtension;

impl ExtensionFactory for EntitiesExtension {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for EntitiesExtension {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        next.run(ctx, request.data(Arc::<Started>::default())).await
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, ID, Object, Result, Variables};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::graphql::schema;

    struct Query;
    struct Product(usize);
    struct Stock(usize);

    #[Object]
    impl Query {
        async fn ready(&self) -> bool {
            true
        }

        /// The later it stands, the sooner it is found; every third is a fault, `none` is nobody's.
        #[graphql(entity)]
        async fn find_product(&self, sku: ID) -> Result<Option<Product>> {
            let Ok(number) = sku.parse::<usize>() else {
                return Ok(None);
            };
            for _ in number..100 {
                tokio::task::yield_now().await;
            }
            if number.is_multiple_of(3) {
                return Err("lost".into());
            }
            Ok(Some(Product(number)))
        }
    }

    #[Object]
    impl Product {
        async fn sku(&self) -> ID {
            self.0.into()
        }

        async fn stock(&self) -> Stock {
            Stock(self.0)
        }
    }

    #[Object]
    impl Stock {
        async fn total(&self) -> Result<i32> {
            match self.0 % 3 {
                1 => Err("secret".into()),
                _ => Ok(7),
            }
        }

        async fn lines(&self) -> Vec<Product> {
            Vec::new()
        }
    }

    async fn entities(text: &str, representations: Vec<Json>) -> Json {
        let schema = schema(Query, EmptyMutation).finish();
        let variables = Variables::from_json(json!({ "r": representations }));
        let response = schema.execute(Request::new(text).variables(variables));
        serde_json::to_value(response.await).unwrap()
    }

    /// The paths of the errors as text, sorted.
    fn paths(response: &Json) -> Vec<String> {
        let errors = response["errors"].as_array().into_iter().flatten();
        let mut paths: Vec<_> = errors.map(|error| error["path"].to_string()).collect();
        paths.sort_unstable();
        paths
    }

    fn product(sku: impl ToString) -> Json {
        json!({ "__typename": "Product", "sku": sku.to_string() })
    }

    /// So many that the library polls them another way, and each is done in another turn. Seen red with the library's own
    /// path, and with every entity counted as the first.
    #[tokio::test]
    async fn an_error_stands_at_its_entity_and_its_neighbours_stay() {
        let text = "query($r: [_Any!]!) { a: _entities(representations: $r) { ... on Product { sku stock { all: total } } }
          b: _entities(representations: $r) { ... on Product { sku } } }";
        let response = entities(text, (0..90).map(product).collect()).await;
        let mut expected = Vec::new();
        for number in (0..90).step_by(3) {
            expected.push(json!(["a", number]).to_string());
            expected.push(json!(["a", number + 1, "stock", "all"]).to_string());
            expected.push(json!(["b", number]).to_string());
        }
        expected.sort_unstable();
        assert_eq!(paths(&response), expected);
        assert_eq!(response["data"]["a"][3], Json::Null);
        assert_eq!(response["data"]["a"][5]["stock"]["all"], 7);
        assert_eq!(
            response["data"]["b"].as_array().map(Vec::len),
            Some(90),
            "{response}"
        );
    }

    #[tokio::test]
    async fn a_representation_of_nothing_known_is_null_with_an_error_and_an_absent_entity_without()
    {
        let text =
            "query($r: [_Any!]!) { _entities(representations: $r) { ... on Product { sku } } }";
        let strange = [
            product(2),
            json!({ "__typename": "Order", "id": "1" }),
            json!({ "sku": "2" }),
            product("none"),
            product(2),
        ];
        let response = entities(text, strange.to_vec()).await;
        let found = json!({ "sku": "2" });
        assert_eq!(
            response["data"]["_entities"],
            json!([found, null, null, null, found])
        );
        assert_eq!(
            paths(&response),
            [r#"["_entities",1]"#, r#"["_entities",2]"#]
        );
    }
}
