//! The list. `number` makes each request a text that no cache has seen.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::stack::Stack;

/// What must become of an abuse.
#[derive(Debug)]
pub(super) enum Expected {
    /// One of these codes or statuses; `served` among them is what is within the limits and bounded while it is answered,
    /// `cut` what its sender may see of a body that is not read to its end.
    Refused(&'static [&'static str]),
    /// It is within every limit, and served.
    Accepted,
}

impl Expected {
    pub(super) fn is_met(&self, answer: &str) -> bool {
        match self {
            Self::Refused(codes) => codes.contains(&answer),
            Self::Accepted => answer == "served",
        }
    }
}

/// A request that should cost its sender more than us.
pub(super) struct Abuse {
    pub(super) name: &'static str,
    pub(super) expected: Expected,
    pub(super) request: fn(&Stack, &str, u64) -> RequestBuilder,
}

const TOO_MUCH: Expected = Expected::Refused(&["LIMIT_EXCEEDED"]);
const NOT_VALID: Expected = Expected::Refused(&["GRAPHQL_VALIDATION_FAILED"]);
const NOT_PARSED: Expected = Expected::Refused(&["GRAPHQL_PARSE_FAILED"]);
const TOO_LARGE: Expected = Expected::Refused(&["PAYLOAD_TOO_LARGE", "LIMIT_EXCEEDED", "cut"]);
const NOBODY: Expected = Expected::Refused(&["UNAUTHENTICATED"]);

pub(super) const ALL: [Abuse; 30] = [
    Abuse {
        name: "an ordinary query",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"1076963\") {{ sku stock {{ available }} }} }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "a text of 1 MB in an argument",
        expected: TOO_LARGE,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"{number}{}\") {{ sku }} }}",
                    "9".repeat(1_000_000)
                ),
            )
        },
    },
    Abuse {
        name: "a text of 1 MB of padding",
        expected: TOO_LARGE,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ __typename }} #{number}{}", " ".repeat(1_000_000)),
            )
        },
    },
    Abuse {
        name: "a text of 60 KB of padding",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ __typename }} #{number}{}", " ".repeat(60_000)),
            )
        },
    },
    Abuse {
        name: "one field 1,985 times",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"1\") {{ {} }} }} #{number}",
                    "sku ".repeat(1_985)
                ),
            )
        },
    },
    Abuse {
        name: "one field 950 times in two lists",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "served"]),
        request: |stack, _, number| {
            let ids = "id ".repeat(950);
            let half = format!("comments {{ nodes {{ {ids} }} }}");
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {half} {half} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "60 fragments of 20 fields",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "served"]),
        request: |stack, _, number| {
            let spreads: String = (0..60).map(|it| format!("...f{it} ")).collect();
            let fragments: String = (0..60)
                .map(|it| format!("fragment f{it} on Product {{ {} }} ", "sku ".repeat(20)))
                .collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {spreads} }} }} {fragments} #{number}"),
            )
        },
    },
    Abuse {
        name: "fragments that double 25 times",
        expected: TOO_MUCH,
        request: |stack, _, number| anonymous(stack, &format!("{} #{number}", bomb(25))),
    },
    Abuse {
        name: "10,000 aliases",
        expected: TOO_MUCH,
        request: |stack, _, number| {
            let aliases: String = (0..2_000).map(|it| format!("a{it}: __typename ")).collect();
            anonymous(stack, &format!("{{ {aliases} }} #{number}"))
        },
    },
    Abuse {
        name: "selection sets 200 deep",
        expected: TOO_MUCH,
        request: |stack, _, number| {
            let (open, close) = ("{ user ".repeat(200), "}".repeat(200));
            anonymous(stack, &format!("{open} {close} #{number}"))
        },
    },
    Abuse {
        name: "lists in lists 5,000 deep",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "GRAPHQL_PARSE_FAILED"]),
        request: |stack, _, number| {
            let (open, close) = ("[".repeat(900), "]".repeat(900));
            anonymous(
                stack,
                &format!("{{ product(sku: {open}{close}) {{ sku }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "1,900 directives",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED"]),
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ __typename {} }} #{number}", "@x ".repeat(900)),
            )
        },
    },
    Abuse {
        name: "600 variables",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "GRAPHQL_VALIDATION_FAILED"]),
        request: |stack, _, number| {
            let variables: String = (0..400).map(|it| format!("$v{it}: ID ")).collect();
            anonymous(
                stack,
                &format!("query ({variables}) {{ __typename }} #{number}"),
            )
        },
    },
    Abuse {
        name: "900 unknown fields",
        expected: NOT_VALID,
        request: |stack, _, number| {
            let fields: String = (0..900).map(|it| format!("unknown{it} ")).collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {fields} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "fragments in a circle",
        expected: NOT_VALID,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ ...a }} fragment a on Query {{ ...b }} fragment b on Query {{ ...a }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "an object for an id",
        expected: NOT_VALID,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ product(sku: {{a: 1}}) {{ sku }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "no GraphQL",
        expected: NOT_PARSED,
        request: |stack, _, number| anonymous(stack, &format!("}}{number}")),
    },
    Abuse {
        name: "the whole schema by introspection",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ __schema {{ types {{ name fields {{ name args {{ name }} type {{ name }} }} }} }} }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "introspection, a dozen times the whole schema",
        expected: TOO_MUCH,
        request: |stack, _, number| {
            let types = "types { name description fields { name description args { name description type { name } } type { name } } }";
            let all: String = (0..20)
                .map(|it| format!("s{it}: __schema {{ {types} }} "))
                .collect();
            anonymous(stack, &format!("{{ {all} }} #{number}"))
        },
    },
    Abuse {
        name: "orders with all lines, a hundred a page",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "served"]),
        request: |stack, token, number| {
            let query = "{ me { orders(first: 100) { nodes { lines { product { sku name price { amount } } count } } } } }";
            as_user(
                stack,
                token,
                &json!({"query": format!("{query} #{number}")}),
            )
        },
    },
    Abuse {
        name: "the same page under nine aliases",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "served"]),
        request: |stack, token, number| {
            let pages: String = (0..9)
                .map(|it| format!("p{it}: orders(first: 100) {{ nodes {{ lines {{ count }} }} }} "))
                .collect();
            as_user(
                stack,
                token,
                &json!({"query": format!("{{ me {{ {pages} }} }} #{number}")}),
            )
        },
    },
    Abuse {
        name: "a page of 100,000",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "INVALID_ARGUMENT"]),
        request: |stack, token, number| {
            as_user(
                stack,
                token,
                &json!({"query": format!("{{ me {{ orders(first: 100000) {{ nodes {{ id }} }} }} }} #{number}")}),
            )
        },
    },
    Abuse {
        name: "a variable of 900 KB",
        expected: TOO_MUCH,
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
        expected: Expected::Refused(&["INVALID_ARGUMENT", "BAD_REQUEST"]),
        request: |stack, _, _| {
            let one = json!({"query": "{ __typename }"});
            post(stack, &Value::Array(vec![one; 1_000]))
        },
    },
    Abuse {
        name: "a body of 1.1 MB",
        expected: TOO_LARGE,
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
        expected: Expected::Refused(&["INVALID_ARGUMENT", "BAD_REQUEST", "cut"]),
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
        expected: Expected::Refused(&["UNAUTHENTICATED", "431"]),
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
        expected: Expected::Refused(&["UNAUTHENTICATED", "FORBIDDEN"]),
        request: |stack, token, _| {
            let body = json!({"query": bomb(25)});
            stack
                .http
                .post(format!("{}/graphql", stack.url(4102)))
                .bearer_auth(token)
                .json(&body)
        },
    },
    Abuse {
        name: "an order of 1,001 lines",
        expected: Expected::Refused(&["LIMIT_EXCEEDED", "INVALID_ARGUMENT", "served"]),
        request: |stack, token, _| {
            let lines: Vec<Value> = (1..=1_001)
                .map(|sku| json!({"sku": sku.to_string(), "count": 1}))
                .collect();
            let query = "mutation ($lines: [OrderLineInput!]!) { createOrder(input: {lines: $lines}) { order { id } userErrors { code } } }";
            as_user(
                stack,
                token,
                &json!({"query": query, "variables": {"lines": lines}}),
            )
        },
    },
];

fn post(stack: &Stack, body: &Value) -> RequestBuilder {
    stack
        .http
        .post(format!("{}/graphql", stack.url(4000)))
        .json(body)
}

fn anonymous(stack: &Stack, query: &str) -> RequestBuilder {
    post(stack, &json!({"query": query}))
}

fn as_user(stack: &Stack, token: &str, body: &Value) -> RequestBuilder {
    post(stack, body).bearer_auth(token)
}

/// Fragments each of which is the one before, twice.
fn bomb(levels: u32) -> String {
    let doubled = (1..=levels).map(|it| {
        format!(
            "fragment f{it} on Query {{ ...f{} ...f{} }} ",
            it - 1,
            it - 1
        )
    });
    let doubled: String = doubled.collect();
    format!("{{ ...f{levels} }} fragment f0 on Query {{ __typename }} {doubled}")
}
