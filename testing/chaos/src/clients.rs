//! The clients of every protocol: each retries a mutation until its outcome is known, and reports it in the same terms.

use std::time::Duration;

use load::{CANCEL, Client, Operation, PAY, Reply, Response, TRY_LIMIT, until_known};
use schema::code::ErrorCode;
use schema::proto::loms::loms_client::LomsClient;
use schema::proto::loms::{Item, OrderCancelRequest, OrderCreateRequest, OrderPayRequest};
use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use url::Url;
use uuid::Uuid;

use crate::mutation::{Mutation, Protocol, Work};

const ADD: &str = "mutation($sku: ID!, $count: Int!, $key: String!) {
    addToCart(input: {sku: $sku, count: $count, idempotencyKey: $key}) { userErrors { code } } }";
const CHECKOUT: &str = "mutation($key: String!) { checkout(input: {idempotencyKey: $key}) {
    order { id } userErrors { code } } }";
const CREATE: &str = "mutation($lines: [OrderLineInput!]!, $key: String!) {
    createOrder(input: {lines: $lines, idempotencyKey: $key}) {
        order { id status version } userErrors { code } } }";
const KEY: &str = "idempotency-key";
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The clients of one marketplace. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    pub(crate) graphql: Client,
    cart: Url,
    gateway: Url,
    grpc: LomsClient<Channel>,
}

impl Clients {
    /// Clients of the router behind `graphql`, of its REST listeners, and of the order service.
    ///
    /// # Errors
    /// When `grpc` is no URL of a server.
    pub(crate) fn new(
        graphql: Client,
        cart: Url,
        gateway: Url,
        grpc: &Url,
    ) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(grpc.to_string())?.connect_timeout(CONNECT_LIMIT);
        Ok(Self {
            graphql,
            cart,
            gateway,
            grpc: LomsClient::new(endpoint.connect_lazy()),
        })
    }

    /// Sends a mutation until its response is known, or until patience ends.
    pub(crate) async fn run(&self, mutation: &Mutation) -> Response {
        let patience = self.graphql.patience();
        let (reply, retried) = match mutation.protocol {
            Protocol::Graphql => {
                let operation = operation(mutation);
                return self.graphql.run(&mutation.token, &operation).await;
            }
            Protocol::Rest => until_known(patience, || self.ask_rest(mutation)).await,
            Protocol::Grpc => until_known(patience, || self.ask_grpc(mutation)).await,
        };
        Response {
            reply,
            retried,
            trace: Uuid::nil(),
        }
    }

    async fn ask_rest(&self, mutation: &Mutation) -> Reply {
        let user = mutation.user;
        let (base, path, body) = match &mutation.work {
            Work::Add { sku, count } => {
                let path = format!("/user/{user}/cart/{sku}");
                (&self.cart, path, json!({ "count": count }))
            }
            Work::Checkout => (&self.cart, format!("/checkout/{user}"), json!({})),
            Work::Create(lines) => {
                let body = json!({ "userId": user.to_string(), "items": listed(lines) });
                (&self.gateway, "/order/create".to_owned(), body)
            }
            Work::Pay(order) => {
                let body = json!({ "orderId": order.to_string() });
                (&self.gateway, "/order/pay".to_owned(), body)
            }
            Work::Cancel(order) => {
                let body = json!({ "orderId": order.to_string() });
                (&self.gateway, "/order/cancel".to_owned(), body)
            }
        };
        let mut url = base.clone();
        url.set_path(&path);
        let request = self.graphql.http().post(url).json(&body).timeout(TRY_LIMIT);
        match request.header(KEY, &mutation.key).send().await {
            Ok(response) => {
                let done = response.status().is_success();
                // An add is answered without a body.
                match response.text().await {
                    Ok(text) => read_rest(&mutation.work, done, &text),
                    Err(_) => Reply::Failed("NO_ANSWER".into()),
                }
            }
            Err(_) => Reply::Failed("NO_ANSWER".into()),
        }
    }

    async fn ask_grpc(&self, mutation: &Mutation) -> Reply {
        let mut client = self.grpc.clone();
        let answered = match &mutation.work {
            Work::Create(lines) => {
                let items = lines.iter().map(|&(sku, count)| Item {
                    sku,
                    count,
                    unit_price: None,
                });
                let order = OrderCreateRequest {
                    user_id: mutation.user,
                    items: items.collect(),
                };
                let created = client.order_create(request(order, &mutation.key)).await;
                created.map(|created| made(created.into_inner().order_id))
            }
            Work::Pay(order) => {
                let pay = OrderPayRequest { order_id: *order };
                let paid = client.order_pay(request(pay, &mutation.key)).await;
                paid.map(|_| json!({}))
            }
            Work::Cancel(order) => {
                let cancel = OrderCancelRequest { order_id: *order };
                let cancelled = client.order_cancel(request(cancel, &mutation.key)).await;
                cancelled.map(|_| json!({}))
            }
            Work::Add { .. } | Work::Checkout => Err(Status::unimplemented("gRPC has no carts")),
        };
        match answered {
            Ok(value) => Reply::Done(value),
            Err(status) => read_status(&mutation.work, i64::from(i32::from(status.code()))),
        }
    }
}

fn operation(mutation: &Mutation) -> Operation {
    let key = &mutation.key;
    let (text, field, variables) = match &mutation.work {
        Work::Add { sku, count } => {
            let variables = json!({ "sku": sku.to_string(), "count": count, "key": key });
            (ADD, "addToCart", variables)
        }
        Work::Checkout => (CHECKOUT, "checkout", json!({ "key": key })),
        Work::Create(lines) => {
            let variables = json!({ "lines": listed(lines), "key": key });
            (CREATE, "createOrder", variables)
        }
        Work::Pay(order) => {
            let variables = json!({ "id": order.to_string(), "key": key });
            (PAY, "payOrder", variables)
        }
        Work::Cancel(order) => {
            let variables = json!({ "id": order.to_string(), "key": key });
            (CANCEL, "cancelOrder", variables)
        }
    };
    Operation {
        text,
        field,
        variables,
    }
}

/// Lines as GraphQL and the gateway both read them.
fn listed(lines: &[(i64, u32)]) -> Value {
    let lines = lines.iter();
    lines
        .map(|(sku, count)| json!({ "sku": sku.to_string(), "count": count }))
        .collect()
}

fn request<M>(message: M, key: &str) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(TRY_LIMIT);
    let key = MetadataValue::try_from(key).expect("a UUID is plain ASCII");
    request.metadata_mut().insert(KEY, key);
    request
}

/// An order that was made, as GraphQL says it.
fn made(order: i64) -> Value {
    json!({ "order": { "id": order.to_string() } })
}

/// The cart's refusals have a code of docs/errors.md, the gateway's that of gRPC. Source: docs/contracts.md, 1 and 3.
fn read_rest(work: &Work, done: bool, text: &str) -> Reply {
    let body: Value = match (text, work) {
        ("", Work::Add { .. }) => json!({}),
        _ => serde_json::from_str(text).unwrap_or_default(),
    };
    if done {
        let order = match work {
            Work::Checkout => body["order_id"].as_i64(),
            Work::Create(_) => body["orderId"].as_str().and_then(|id| id.parse().ok()),
            Work::Add { .. } | Work::Pay(_) | Work::Cancel(_) if body.is_object() => {
                return Reply::Done(json!({}));
            }
            Work::Add { .. } | Work::Pay(_) | Work::Cancel(_) => None,
        };
        return order.map_or_else(
            || Reply::Failed("NO_BODY".into()),
            |id| Reply::Done(made(id)),
        );
    }
    match &body["code"] {
        Value::String(code) if work.may_be_refused(code) => Reply::Refused(code.clone()),
        Value::String(code) => Reply::Failed(code.clone()),
        Value::Number(code) => read_status(work, code.as_i64().unwrap_or_default()),
        _ => Reply::Failed("NO_ANSWER".into()),
    }
}

/// Source: docs/errors.md and docs/contracts.md, 3.
fn read_status(work: &Work, code: i64) -> Reply {
    let failed = |code: ErrorCode| Reply::Failed(code.as_str().to_owned());
    match code {
        9 => Reply::Refused(
            match work {
                Work::Create(_) => "OUT_OF_STOCK",
                Work::Pay(_) => "ORDER_NOT_PAYABLE",
                Work::Cancel(_) => "ORDER_NOT_CANCELLABLE",
                Work::Add { .. } | Work::Checkout => "FAILED_PRECONDITION",
            }
            .to_owned(),
        ),
        4 => failed(ErrorCode::DeadlineExceeded),
        8 => failed(ErrorCode::Overloaded),
        10 => failed(ErrorCode::IdempotencyKeyInFlight),
        13 => failed(ErrorCode::Internal),
        14 => failed(ErrorCode::Unavailable),
        // What a client says by itself of a connection that broke.
        1 | 2 => Reply::Failed("NO_ANSWER".into()),
        other => Reply::Failed(format!("GRPC_{other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_says_the_same_of_the_same() {
        let (create, add) = (Work::Create(vec![(9, 1)]), Work::Add { sku: 9, count: 1 });
        let order = Reply::Done(made(7));
        assert_eq!(read_rest(&Work::Checkout, true, r#"{"order_id":7}"#), order);
        assert_eq!(read_rest(&create, true, r#"{"orderId":"7"}"#), order);
        assert_eq!(read_rest(&add, true, ""), Reply::Done(json!({})));
        assert_eq!(read_rest(&Work::Pay(7), true, "{}"), Reply::Done(json!({})));
        let short = Reply::Refused("OUT_OF_STOCK".into());
        let body = r#"{"code":"OUT_OF_STOCK","message":"m"}"#;
        assert_eq!(read_rest(&Work::Checkout, false, body), short);
        assert_eq!(read_rest(&create, false, r#"{"code":9}"#), short);
        assert_eq!(read_status(&create, 9), short);
    }

    #[test]
    fn an_answer_that_was_cut_is_no_answer() {
        let cut = |work: &Work| read_rest(work, true, "");
        for work in [Work::Checkout, Work::Pay(7), Work::Create(Vec::new())] {
            assert_eq!(cut(&work), Reply::Failed("NO_BODY".into()), "{work:?}");
        }
        let none = Reply::Failed("NO_ANSWER".into());
        assert_eq!(read_rest(&Work::Pay(7), false, "<html>"), none);
        assert_eq!(read_status(&Work::Pay(7), 2), none);
    }
}
