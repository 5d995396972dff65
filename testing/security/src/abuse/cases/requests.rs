//! Everything around a document: pages, variables, bodies, tokens, ports.

use serde_json::{Value, json};

use super::{Abuse, Expected, anonymous, as_user, bomb, post};

const NOBODY: Expected = Expected::Refused(&["UNAUTHENTICATED"]);

pub(super) const ALL: [Abuse; 13] = [
    Abuse {
        name: "orders with all lines, a hundred a page",
        expected: Expected::Served,
        request: |stack, customers, number| {
            let query = "{ me { orders(first: 100) { nodes { lines { product { sku name price { amount } } count } } } } }";
            as_user(
                stack,
                &customers.token,
                &json!({"query": format!("{query} #{number}")}),
            )
        },
    },
    Abuse {
        name: "the same page under nine aliases",
        expected: Expected::Served,
        request: |stack, customers, number| {
            let pages: String = (0..9)
                .map(|it| format!("p{it}: orders(first: 100) {{ nodes {{ lines {{ count }} }} }} "))
                .collect();
            as_user(
                stack,
                &customers.token,
                &json!({"query": format!("{{ me {{ {pages} }} }} #{number}")}),
            )
        },
    },
    Abuse {
        name: "a page of a hundred orders of 100 lines",
        expected: Expected::Cut("response_objects"),
        request: |stack, customers, number| {
            let query =
                "{ me { orders(first: 100) { nodes { lines { product { sku } count } } } } }";
            as_user(
                stack,
                &customers.token_of_much,
                &json!({"query": format!("{query} #{number}")}),
            )
        },
    },
    Abuse {
        name: "a page of 100,000",
        expected: Expected::Over("cost"),
        request: |stack, customers, number| {
            as_user(
                stack,
                &customers.token,
                &json!({"query": format!("{{ me {{ orders(first: 100000) {{ nodes {{ id }} }} }} }} #{number}")}),
            )
        },
    },
    Abuse {
        name: "a variable of 900 KB",
        expected: Expected::Over("value_bytes"),
        request: |stack, _, number| {
            let query = "query ($sku: ID!) { product(sku: $sku) { sku } }";
            post(
                stack,
                &json!({"query": query, "variables": {"sku": format!("{number}{}", "9".repeat(900_000))}}),
            )
        },
    },
    Abuse {
        name: "a batch of 1,000",
        expected: Expected::Refused(&["BAD_REQUEST"]),
        request: |stack, _, _| {
            let one = json!({"query": "{ __typename }"});
            post(stack, &Value::Array(vec![one; 1_000]))
        },
    },
    Abuse {
        name: "a body of 1.1 MB",
        expected: Expected::Refused(&["PAYLOAD_TOO_LARGE", "cut"]),
        request: |stack, _, _| {
            stack
                .http
                .post(format!("{}/graphql", stack.url(4000)))
                .header("content-type", "application/json")
                .body("x".repeat(1_100_000))
        },
    },
    Abuse {
        name: "JSON 100,000 deep",
        expected: Expected::Refused(&["BAD_REQUEST"]),
        request: |stack, _, _| {
            stack
                .http
                .post(format!("{}/graphql", stack.url(4000)))
                .header("content-type", "application/json")
                .body("[".repeat(100_000))
        },
    },
    Abuse {
        name: "a token of 100 KB",
        expected: Expected::Refused(&["431", "cut"]),
        request: |stack, _, _| anonymous(stack, "{ __typename }").bearer_auth("a.".repeat(50_000)),
    },
    Abuse {
        name: "a token of 16 KB",
        expected: Expected::Refused(&["UNAUTHENTICATED"]),
        request: |stack, _, _| anonymous(stack, "{ __typename }").bearer_auth("a.".repeat(8_000)),
    },
    Abuse {
        name: "a subgraph's own port, no token",
        expected: NOBODY,
        request: |stack, _, _| {
            let body = json!({"query": "{ __typename }"});
            stack
                .http
                .post(format!("{}/graphql", stack.url(4101)))
                .json(&body)
        },
    },
    Abuse {
        name: "a subgraph's own port, a user's token, fragments that double",
        expected: NOBODY,
        request: |stack, customers, _| {
            let body = json!({"query": bomb(25)});
            stack
                .http
                .post(format!("{}/graphql", stack.url(4102)))
                .bearer_auth(&customers.token)
                .json(&body)
        },
    },
    Abuse {
        name: "an order of 1,001 lines",
        expected: Expected::Refused(&["INVALID_ARGUMENT"]),
        request: |stack, customers, _| {
            let lines: Vec<Value> = (1..=1_001)
                .map(|sku| json!({"sku": sku.to_string(), "count": 1}))
                .collect();
            let query = "mutation ($lines: [OrderLineInput!]!) { createOrder(input: {lines: $lines}) { order { id } userErrors { code } } }";
            as_user(
                stack,
                &customers.token,
                &json!({"query": query, "variables": {"lines": lines}}),
            )
        },
    },
];
