//! Who may read which type's fields and run which root field. A type that stands here nowhere fails the run.

/// Who is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// Everybody, also without a token.
    Anyone,
    /// Whoever has a valid token.
    User,
    /// The one whom the order belongs to, and operators; to others it looks like a missing one.
    Owner,
    /// Operators.
    Operator,
}

use Policy::{Anyone, Operator, Owner, User};

/// How a type's fields are reached: the operation, with the field in place of `%` and the owner's order in place of `ORDER`.
#[rustfmt::skip] // one type, one line
pub(super) const TYPES: [(&str, Policy, &str); 29] = [
    ("User", User, "{ me { % } }"),
    ("Product", Anyone, r#"{ product(sku: "1076963") { % } }"#),
    ("ProductConnection", Anyone, "{ products(first: 1) { % } }"),
    ("ProductEdge", Anyone, "{ products(first: 1) { edges { % } } }"),
    ("PageInfo", Anyone, "{ products(first: 1) { pageInfo { % } } }"),
    ("Money", Anyone, r#"{ product(sku: "1076963") { price { % } } }"#),
    ("Stock", Anyone, r#"{ stock(sku: "1076963") { % } }"#),
    ("Cart", User, "{ me { cart { % } } }"),
    ("CartLine", User, "{ me { cart { lines { % } } } }"),
    ("Order", Owner, "{ order(id: ORDER) { % } }"),
    ("OrderLine", Owner, "{ order(id: ORDER) { lines { % } } }"),
    ("OrderStatusChange", Owner, "{ order(id: ORDER) { history { % } } }"),
    ("OrderConnection", User, "{ me { orders(first: 1) { % } } }"),
    ("OrderEdge", User, "{ me { orders(first: 1) { edges { % } } } }"),
    ("Comment", Anyone, r#"{ comments(sku: "1076963", first: 1) { nodes { % } } }"#),
    ("CommentConnection", Anyone, r#"{ comments(sku: "1076963", first: 1) { % } }"#),
    ("CommentEdge", Anyone, r#"{ comments(sku: "1076963", first: 1) { edges { % } } }"#),
    ("RateLimit", Anyone, "{ rateLimit { % } }"),
    ("CartPayload", User, "mutation { clearCart { % } }"),
    ("CheckoutPayload", User, "mutation { checkout { % } }"),
    ("OrderPayload", User, r#"mutation { payOrder(input: {orderId: "9223372036854775807"}) { % } }"#),
    ("CommentPayload", User, r#"mutation { editComment(input: {id: "7", text: "x"}) { % } }"#),
    ("StockPayload", Operator, r#"mutation { setStock(input: {sku: "4465995", total: 300}) { % } }"#),
    ("UserError", User, r#"mutation { payOrder(input: {orderId: "9223372036854775807"}) { userErrors { % } } }"#),
    ("Shortage", User, r#"mutation { createOrder(input: {lines: [{sku: "139819069", count: 1}]}) { userErrors { shortage { % } } } }"#),
    ("OrderEvent", User, "subscription { myOrderEvents { % } }"),
    ("StockEvent", Anyone, r#"subscription { stockEvents(sku: "1076963") { % } }"#),
    ("Query", Anyone, "{ % }"),
    ("Mutation", User, "mutation { % }"),
];

/// Fields with a policy of their own, or with arguments that they need: `Type.field`, policy, the field's text.
#[rustfmt::skip] // one field, one line
pub(super) const FIELDS: [(&str, Policy, &str); 27] = [
    ("Query.me", User, "me { id }"),
    ("Query.user", User, r#"user(id: "1") { id }"#),
    ("Query.product", Anyone, r#"product(sku: "1076963") { sku }"#),
    ("Query.order", Owner, "order(id: ORDER) { id }"),
    ("Query.orders", Operator, "orders(first: 1) { __typename }"),
    ("Query.stock", Anyone, r#"stock(sku: "1076963") { available }"#),
    ("Query.comment", Anyone, r#"comment(id: "7") { id }"#),
    ("Query.comments", Anyone, r#"comments(sku: "1076963") { __typename }"#),
    ("Query.orderEventsCursor", Anyone, "orderEventsCursor"),
    ("Stock.total", Operator, "total"),
    ("Stock.reserved", Operator, "reserved"),
    ("Mutation.addToCart", User, r#"addToCart(input: {sku: "1076963", count: 1}) { __typename }"#),
    ("Mutation.removeFromCart", User, r#"removeFromCart(input: {sku: "1076963"}) { __typename }"#),
    ("Mutation.clearCart", User, "clearCart { __typename }"),
    ("Mutation.checkout", User, "checkout { __typename }"),
    ("Mutation.createOrder", User, r#"createOrder(input: {lines: [{sku: "139275865", count: 1}]}) { __typename }"#),
    ("Mutation.payOrder", User, r#"payOrder(input: {orderId: "9223372036854775807"}) { __typename }"#),
    ("Mutation.cancelOrder", User, r#"cancelOrder(input: {orderId: "9223372036854775807"}) { __typename }"#),
    ("Mutation.setStock", Operator, r#"setStock(input: {sku: "4465995", total: 300}) { __typename }"#),
    ("Mutation.addComment", User, r#"addComment(input: {sku: "1076963", text: "x"}) { __typename }"#),
    ("Mutation.editComment", User, r#"editComment(input: {id: "7", text: "x"}) { __typename }"#),
    ("Subscription.orderEvents", Owner, "orderEvents(orderId: ORDER) { orderId }"),
    ("Subscription.myOrderEvents", User, "myOrderEvents { orderId }"),
    ("Subscription.allOrderEvents", Operator, "allOrderEvents { orderId }"),
    ("Subscription.stockEvents", Anyone, r#"stockEvents(sku: "1076963") { sku }"#),
    ("Comment.author", Anyone, "author { id }"),
    ("Order.user", Owner, "user { id }"),
];

/// Fields with arguments that narrow what is read: nobody sees more by them. Name, policy, operation.
#[rustfmt::skip] // one operation, one line
pub(super) const NARROWED: [(&str, Policy, &str); 4] = [
    ("Subscription.myOrderEvents(status:)", User, "subscription { myOrderEvents(status: PAID) { orderId } }"),
    ("Subscription.allOrderEvents(status:)", Operator, "subscription { allOrderEvents(status: PAID) { orderId } }"),
    ("Subscription.allOrderEvents(sku:)", Operator, r#"subscription { allOrderEvents(sku: "1076963") { orderId } }"#),
    ("Subscription.allOrderEvents(userId:)", Operator, r#"subscription { allOrderEvents(userId: "1") { orderId } }"#),
];
