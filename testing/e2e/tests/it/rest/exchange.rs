//! Cases that are one request and one answer: the table is the test.
//!
//! `{user}` in a path or body becomes a user without a past.

use anyhow::ensure;
use reqwest::Method;
use serde_json::Value;

use super::{
    client::{Shop, Surface},
    table::Table,
};

/// What the answer must be.
#[derive(Debug, Clone, Copy)]
enum Expect {
    /// This status, whatever the body.
    Status(u16),
    /// This status and an empty body.
    Empty(u16),
    /// A gateway's error with this status and gRPC code.
    Code(u16, u8),
    /// 200 and exactly this JSON.
    Json(&'static str),
}

use Expect::{Code, Empty, Json, Status};
use Surface::{Cart, Comments, Loms};

type Exchange = (
    &'static str,
    &'static str,
    Surface,
    &'static str,
    &'static str,
    Option<&'static str>,
    Expect,
);

const ONE: Option<&str> = Some(r#"{"count":1}"#);

#[rustfmt::skip] // one case, one line
const EXCHANGES: &[Exchange] = &[
    ("§1", "a count of 0 is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":0}"#), Status(400)),
    ("§1", "a negative count is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":-1}"#), Status(400)),
    ("§1", "a missing count is refused", Cart, "POST", "/user/{user}/cart/1076963", Some("{}"), Status(400)),
    ("§1", "a null count is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":null}"#), Status(400)),
    ("§1", "a count in quotes is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":"1"}"#), Status(400)),
    ("§1", "a fractional count is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":1.0}"#), Status(400)),
    ("§1", "a count over int32 is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":2147483648}"#), Status(400)),
    ("§1", "a count over uint32 is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":4294967296}"#), Status(400)),
    ("§1", "a count over int64 is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":99999999999999999999}"#), Status(400)),
    ("§1", "no body is refused", Cart, "POST", "/user/{user}/cart/1076963", None, Status(400)),
    ("§1", "a body that is no JSON is refused", Cart, "POST", "/user/{user}/cart/1076963", Some("count=1"), Status(400)),
    ("§1", "a body that breaks off is refused", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":1"#), Status(400)),
    ("§1", "a list as body is refused", Cart, "POST", "/user/{user}/cart/1076963", Some("[1]"), Status(400)),
    ("§1", "unknown keys beside the count are ignored", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":1,"x":[]}"#), Status(200)),
    ("§1", "an add answers 200 without a body", Cart, "POST", "/user/{user}/cart/1076963", ONE, Empty(200)),
    ("§1", "user 0 is refused on add", Cart, "POST", "/user/0/cart/1076963", ONE, Status(400)),
    ("§1", "a negative user is refused on add", Cart, "POST", "/user/-1/cart/1076963", ONE, Status(400)),
    ("§1", "the least int64 as user is refused on add", Cart, "POST", "/user/-9223372036854775808/cart/1076963", ONE, Status(400)),
    ("§1", "a user over int64 is refused on add", Cart, "POST", "/user/9223372036854775808/cart/1076963", ONE, Status(400)),
    ("§1", "a user that is no number is refused on add", Cart, "POST", "/user/abc/cart/1076963", ONE, Status(400)),
    ("§1", "SKU 0 is refused", Cart, "POST", "/user/{user}/cart/0", ONE, Status(400)),
    ("§1", "a negative SKU is refused", Cart, "POST", "/user/{user}/cart/-1", ONE, Status(400)),
    ("§1", "the least int64 as SKU is refused", Cart, "POST", "/user/{user}/cart/-9223372036854775808", ONE, Status(400)),
    ("§1", "a SKU over int64 is refused", Cart, "POST", "/user/{user}/cart/9223372036854775808", ONE, Status(400)),
    ("§1", "a SKU that is no number is refused", Cart, "POST", "/user/{user}/cart/1.5", ONE, Status(400)),
    ("§1", "the greatest int64 as SKU reaches the catalogue: 412", Cart, "POST", "/user/{user}/cart/9223372036854775807", ONE, Status(412)),
    ("§1", "a SKU that the catalogue does not know is 412", Cart, "POST", "/user/{user}/cart/1076963000", ONE, Status(412)),
    ("§5", "the SKU of the older examples is not in the catalogue: 412", Cart, "POST", "/user/{user}/cart/773297411", ONE, Status(412)),
    ("§1", "a product without a stock row is 412", Cart, "POST", "/user/{user}/cart/5097510", ONE, Status(412)),
    ("§4", "a fully reserved SKU is 412", Cart, "POST", "/user/{user}/cart/139819069", ONE, Status(412)),
    ("§4", "an over-reserved SKU is 412", Cart, "POST", "/user/{user}/cart/139818428", ONE, Status(412)),
    ("§1", "a count beyond any stock is 412", Cart, "POST", "/user/{user}/cart/1076963", Some(r#"{"count":2147483647}"#), Status(412)),
    ("§1", "taking out what is not in the cart is 204", Cart, "DELETE", "/user/{user}/cart/1076963", None, Empty(204)),
    ("§1", "taking out an unknown SKU is 204", Cart, "DELETE", "/user/{user}/cart/9223372036854775807", None, Empty(204)),
    ("§1", "user 0 is refused on taking out", Cart, "DELETE", "/user/0/cart/1076963", None, Status(400)),
    ("§1", "SKU 0 is refused on taking out", Cart, "DELETE", "/user/{user}/cart/0", None, Status(400)),
    ("§1", "a SKU that is no number is refused on taking out", Cart, "DELETE", "/user/{user}/cart/x", None, Status(400)),
    ("§1", "clearing an empty cart is 204", Cart, "DELETE", "/user/{user}/cart", None, Empty(204)),
    ("§1", "user 0 is refused on clearing", Cart, "DELETE", "/user/0/cart", None, Status(400)),
    ("§1", "a user that is no number is refused on clearing", Cart, "DELETE", "/user/x/cart", None, Status(400)),
    ("§1", "the list of an empty cart is 404", Cart, "GET", "/user/{user}/cart", None, Status(404)),
    ("§1", "user 0 is refused on list", Cart, "GET", "/user/0/cart", None, Status(400)),
    ("§1", "the least int64 as user is refused on list", Cart, "GET", "/user/-9223372036854775808/cart", None, Status(400)),
    ("§1", "a user over int64 is refused on list", Cart, "GET", "/user/9223372036854775808/cart", None, Status(400)),
    ("§1", "a user that is no number is refused on list", Cart, "GET", "/user/x/cart", None, Status(400)),
    ("§1", "the checkout of an empty cart is 404", Cart, "POST", "/checkout/{user}", None, Status(404)),
    ("§1", "user 0 is refused on checkout", Cart, "POST", "/checkout/0", None, Status(400)),
    ("§1", "a negative user is refused on checkout", Cart, "POST", "/checkout/-1", None, Status(400)),
    ("§1", "a user that is no number is refused on checkout", Cart, "POST", "/checkout/x", None, Status(400)),
    ("§9", "the older checkout of an empty cart is 404", Cart, "POST", "/cart/checkout", Some(r#"{"user":{user}}"#), Status(404)),
    ("§9", "the older checkout refuses user 0", Cart, "POST", "/cart/checkout", Some(r#"{"user":0}"#), Status(400)),
    ("§9", "the older checkout refuses an empty body", Cart, "POST", "/cart/checkout", None, Status(400)),
    ("§1", "another method on a line is 405", Cart, "PUT", "/user/{user}/cart/1076963", ONE, Status(405)),
    ("§1", "another method on a cart is 405", Cart, "POST", "/user/{user}/cart", ONE, Status(405)),
    ("§1", "another method on checkout is 405", Cart, "GET", "/checkout/{user}", None, Status(405)),
    ("§1", "an unknown path is 404", Cart, "GET", "/nowhere", None, Status(404)),
    ("§1", "metrics are served", Cart, "GET", "/metrics", None, Status(200)),
    ("§1", "the index of profiles is served", Cart, "GET", "/debug/pprof/", None, Status(200)),
    ("§1", "a profile over a minute is refused", Cart, "GET", "/debug/pprof/profile?seconds=3600", None, Status(400)),

    ("§3", "an order without a user is code 3", Loms, "POST", "/order/create", Some(r#"{"items":[{"sku":"1076963","count":1}]}"#), Code(400, 3)),
    ("§3", "an order for user 0 is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"0","items":[{"sku":"1076963","count":1}]}"#), Code(400, 3)),
    ("§3", "an order for a negative user is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"-1","items":[{"sku":"1076963","count":1}]}"#), Code(400, 3)),
    ("§3", "an order without lines is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}"}"#), Code(400, 3)),
    ("§3", "an order with no line is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[]}"#), Code(400, 3)),
    ("§3", "a line with SKU 0 is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"0","count":1}]}"#), Code(400, 3)),
    ("§3", "a line with a negative SKU is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"-1","count":1}]}"#), Code(400, 3)),
    ("§3", "a line without a count is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"1076963"}]}"#), Code(400, 3)),
    ("§3", "a line of 0 units is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"1076963","count":0}]}"#), Code(400, 3)),
    ("§3", "a line of negative units is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"1076963","count":-1}]}"#), Code(400, 3)),
    ("§3", "a count over uint32 is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"1076963","count":4294967296}]}"#), Code(400, 3)),
    ("§3", "a user over int64 is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"9223372036854775808","items":[{"sku":"1076963","count":1}]}"#), Code(400, 3)),
    ("§3", "an empty body is code 3", Loms, "POST", "/order/create", None, Code(400, 3)),
    ("§3", "a body that breaks off is code 3", Loms, "POST", "/order/create", Some(r#"{"userId":"#), Code(400, 3)),
    ("§3", "a SKU without a stock row is code 9", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"1076963000","count":1}]}"#), Code(400, 9)),
    ("§4", "a fully reserved SKU is code 9", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"139819069","count":1}]}"#), Code(400, 9)),
    ("§4", "an over-reserved SKU is code 9", Loms, "POST", "/order/create", Some(r#"{"userId":"{user}","items":[{"sku":"139818428","count":1}]}"#), Code(400, 9)),
    ("§3", "order 0 is code 3 on info", Loms, "GET", "/order/info?orderId=0", None, Code(400, 3)),
    ("§3", "a negative order is code 3 on info", Loms, "GET", "/order/info?orderId=-1", None, Code(400, 3)),
    ("§3", "no order is code 3 on info", Loms, "GET", "/order/info", None, Code(400, 3)),
    ("§3", "an order that is no number is code 3 on info", Loms, "GET", "/order/info?orderId=x", None, Code(400, 3)),
    ("§3", "an unknown order is code 5 on info", Loms, "GET", "/order/info?orderId=9223372036854775001", None, Code(404, 5)),
    ("§9", "info reads the proto name of the id", Loms, "GET", "/order/info?orderID=9223372036854775001", None, Code(404, 5)),
    ("§9", "info reads the snake case name of the id", Loms, "GET", "/order/info?order_id=9223372036854775001", None, Code(404, 5)),
    ("§3", "order 0 is code 3 on pay", Loms, "POST", "/order/pay", Some(r#"{"orderId":"0"}"#), Code(400, 3)),
    ("§3", "a negative order is code 3 on pay", Loms, "POST", "/order/pay", Some(r#"{"orderId":"-1"}"#), Code(400, 3)),
    ("§3", "no order is code 3 on pay", Loms, "POST", "/order/pay", Some("{}"), Code(400, 3)),
    ("§3", "an unknown order is code 5 on pay", Loms, "POST", "/order/pay", Some(r#"{"orderId":"9223372036854775001"}"#), Code(404, 5)),
    ("§9", "pay reads a number under the proto name", Loms, "POST", "/order/pay", Some(r#"{"orderID":9223372036854775001}"#), Code(404, 5)),
    ("§3", "order 0 is code 3 on cancel", Loms, "POST", "/order/cancel", Some(r#"{"orderId":"0"}"#), Code(400, 3)),
    ("§3", "a negative order is code 3 on cancel", Loms, "POST", "/order/cancel", Some(r#"{"orderId":"-1"}"#), Code(400, 3)),
    ("§3", "an unknown order is code 5 on cancel", Loms, "POST", "/order/cancel", Some(r#"{"orderId":"9223372036854775001"}"#), Code(404, 5)),
    ("§9", "cancel reads a number under the snake case name", Loms, "POST", "/order/cancel", Some(r#"{"order_id":9223372036854775001}"#), Code(404, 5)),
    ("§3", "SKU 0 is code 3 on stock", Loms, "GET", "/stock/info?sku=0", None, Code(400, 3)),
    ("§3", "a negative SKU is code 3 on stock", Loms, "GET", "/stock/info?sku=-1", None, Code(400, 3)),
    ("§3", "no SKU is code 3 on stock", Loms, "GET", "/stock/info", None, Code(400, 3)),
    ("§3", "a SKU without a stock row is code 5", Loms, "GET", "/stock/info?sku=999999999", None, Code(404, 5)),
    ("§4", "a fully reserved SKU has 0 free", Loms, "GET", "/stock/info?sku=139819069", None, Json(r#"{"count":0}"#)),
    ("§4", "an over-reserved SKU has 0 free and not less", Loms, "GET", "/stock/info?sku=139818428", None, Json(r#"{"count":0}"#)),
    ("§4", "stock is kept of a SKU that the catalogue does not know", Loms, "GET", "/stock/info?sku=30816475", None, Status(200)),
    ("§3", "an unknown path is code 5", Loms, "GET", "/nowhere", None, Code(404, 5)),
    ("§3", "GET on a POST call is 501, code 12", Loms, "GET", "/order/pay", None, Code(501, 12)),
    ("§3", "POST on a GET call is 501, code 12", Loms, "POST", "/stock/info", Some("{}"), Code(501, 12)),
    ("§3", "Swagger UI is served", Loms, "GET", "/docs/", None, Status(200)),

    ("§6", "a comment without a user is code 3", Comments, "POST", "/comment/add", Some(r#"{"sku":"1","comment":"x"}"#), Code(400, 3)),
    ("§6", "a comment of user 0 is code 3", Comments, "POST", "/comment/add", Some(r#"{"user_id":"0","sku":"1","comment":"x"}"#), Code(400, 3)),
    ("§6", "a comment on SKU 0 is code 3", Comments, "POST", "/comment/add", Some(r#"{"user_id":"1","sku":"0","comment":"x"}"#), Code(400, 3)),
    ("§6", "a comment without text is code 3", Comments, "POST", "/comment/add", Some(r#"{"user_id":"1","sku":"1"}"#), Code(400, 3)),
    ("§6", "an empty comment is code 3", Comments, "POST", "/comment/add", Some(r#"{"user_id":"1","sku":"1","comment":""}"#), Code(400, 3)),
    ("§6", "a comment that is no text is code 3", Comments, "POST", "/comment/add", Some(r#"{"user_id":"1","sku":"1","comment":5}"#), Code(400, 3)),
    ("§6", "comment 0 is code 3", Comments, "POST", "/comment/get-by-id", Some(r#"{"id":"0"}"#), Code(400, 3)),
    ("§6", "a negative comment is code 3", Comments, "POST", "/comment/get-by-id", Some(r#"{"id":-1}"#), Code(400, 3)),
    ("§6", "an unknown comment is code 5", Comments, "POST", "/comment/get-by-id", Some(r#"{"id":"9000000000000000000"}"#), Code(404, 5)),
    ("§6", "an id that names no shard is code 5", Comments, "POST", "/comment/get-by-id", Some(r#"{"id":"7"}"#), Code(404, 5)),
    ("§6", "editing an unknown comment is code 5", Comments, "POST", "/comment/edit", Some(r#"{"user_id":"1","comment_id":"1","new_comment":"x"}"#), Code(404, 5)),
    ("§6", "editing an id that names no shard is code 5", Comments, "POST", "/comment/edit", Some(r#"{"user_id":"1","comment_id":"7","new_comment":"x"}"#), Code(404, 5)),
    ("§6", "editing to nothing is code 3", Comments, "POST", "/comment/edit", Some(r#"{"user_id":"1","comment_id":"1000","new_comment":""}"#), Code(400, 3)),
    ("§6", "editing as user 0 is code 3", Comments, "POST", "/comment/edit", Some(r#"{"user_id":"0","comment_id":"1000","new_comment":"x"}"#), Code(400, 3)),
    ("§6", "the list of SKU 0 is code 3", Comments, "POST", "/comment/list-by-sku", Some(r#"{"sku":"0"}"#), Code(400, 3)),
    ("§6", "the list of user 0 is code 3", Comments, "POST", "/comment/list-by-user", Some(r#"{"user_id":"0"}"#), Code(400, 3)),
    ("§6", "a SKU without comments has an empty list", Comments, "POST", "/comment/list-by-sku", Some(r#"{"sku":"9223372036854775807"}"#), Json(r#"{"comments":[]}"#)),
    ("§6", "a user without comments has an empty list", Comments, "POST", "/comment/list-by-user", Some(r#"{"user_id":"{user}"}"#), Json(r#"{"comments":[]}"#)),
    ("§6", "the list of a user reads the other key case", Comments, "POST", "/comment/list-by-user", Some(r#"{"userId":{user}}"#), Json(r#"{"comments":[]}"#)),
    ("§6", "GET on a comment's call is 501, code 12", Comments, "GET", "/comment/add", None, Code(501, 12)),
    ("§6", "an unknown path is code 5 here too", Comments, "POST", "/nowhere", Some("{}"), Code(404, 5)),
];

pub(super) async fn run(shop: &Shop, table: &mut Table) {
    for exchange in EXCHANGES {
        table
            .case(exchange.0, exchange.1, check(shop, exchange))
            .await;
    }
}

async fn check(shop: &Shop, exchange: &Exchange) -> anyhow::Result<()> {
    let (_, _, surface, method, path, body, expect) = *exchange;
    let user = shop.user().to_string();
    let path = path.replace("{user}", &user);
    let body = body.map(|body| body.replace("{user}", &user));
    let answer = shop
        .send(surface, Method::from_bytes(method.as_bytes())?, &path, body)
        .await?;
    match expect {
        Status(status) => answer.is(status).map(drop),
        Empty(status) => {
            ensure!(
                answer.is(status)?.text.is_empty(),
                "a body: {}",
                answer.text
            );
            Ok(())
        }
        Code(status, code) => answer.is_code(status, code),
        Json(text) => {
            let expected: Value = serde_json::from_str(text)?;
            let found = answer.is(200)?.json()?;
            ensure!(found == expected, "{found} instead of {expected}");
            Ok(())
        }
    }
}
