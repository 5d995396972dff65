//! Every field of the graph, for every caller, over every transport that carries it.

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::{
    caller::{Caller, Person},
    cell::{CONCURRENCY, Cell},
    policy::{FIELDS, NARROWED, Policy, TYPES},
    transport::{Seen, Transport},
};
use crate::stack::Stack;

const INTROSPECTION: &str = "{ __schema { types { kind name fields { name type { ...T } } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// One row: a field with its policy.
#[derive(Debug)]
struct Row {
    name: String,
    policy: Policy,
    text: String,
    is_query: bool,
    is_stream: bool,
}

/// Tries every cell.
///
/// # Errors
/// When a type has no policy, or the owner's order cannot be made.
pub(super) async fn run(stack: &Stack, persons: &[Person]) -> anyhow::Result<Vec<Cell>> {
    let owner = persons.iter().find(|it| it.caller == Caller::Owner);
    let owner = owner.context("nobody owns anything")?;
    let order = create_order(stack, &owner.token).await?;
    let rows = rows(stack, &order).await?;
    let mut cells = Vec::new();
    for row in &rows {
        let carries = |it: &Transport| it.carries(row.is_query, row.is_stream);
        for transport in Transport::ALL.into_iter().filter(carries) {
            cells.extend(persons.iter().map(|person| (row, transport, person)));
        }
    }
    let tried = futures::stream::iter(cells).map(|(row, transport, person)| async move {
        let seen = transport.send(stack, &person.token, &row.text).await;
        let is_right = match transport {
            // Nobody has business there, whatever the token.
            Transport::Subgraph => seen == Seen::Unauthenticated,
            _ => is_right(row.policy, person.caller, seen),
        };
        Cell::new(transport.name(), is_right, || {
            format!(
                "{}, {}, {transport:?}: {seen:?}, policy {:?}",
                row.name, person.name, row.policy
            )
        })
    });
    Ok(tried.buffer_unordered(CONCURRENCY).collect().await)
}

/// Whether a caller saw what the policy allows.
const fn is_right(policy: Policy, caller: Caller, seen: Seen) -> bool {
    match (policy, caller) {
        (_, Caller::Forged) => matches!(seen, Seen::Unauthenticated),
        (Policy::Anyone, _) | (_, Caller::Operator) => matches!(seen, Seen::Served | Seen::Hidden),
        (Policy::User | Policy::Operator | Policy::Owner, Caller::Nobody) => {
            matches!(seen, Seen::Unauthenticated | Seen::Forbidden)
        }
        (Policy::User, Caller::Owner | Caller::Stranger) => {
            matches!(seen, Seen::Served | Seen::Hidden)
        }
        (Policy::Owner, Caller::Owner) => matches!(seen, Seen::Served),
        (Policy::Owner, Caller::Stranger) => matches!(seen, Seen::Hidden | Seen::Forbidden),
        (Policy::Operator, Caller::Owner | Caller::Stranger) => matches!(seen, Seen::Forbidden),
    }
}

async fn create_order(stack: &Stack, token: &str) -> anyhow::Result<String> {
    let query = r#"mutation { createOrder(input: {lines: [{sku: "139275865", count: 1}]}) { order { id } } }"#;
    let request = stack.http.post(format!("{}/graphql", stack.url(4000)));
    let answer = request
        .bearer_auth(token)
        .json(&json!({"query": query}))
        .send()
        .await?;
    let answer: Value = answer.json().await?;
    let id = answer["data"]["createOrder"]["order"]["id"].as_str();
    Ok(format!(
        "{:?}",
        id.with_context(|| format!("no order: {answer}"))?
    ))
}

/// A row for each field of each object type.
async fn rows(stack: &Stack, order: &str) -> anyhow::Result<Vec<Row>> {
    let request = stack.http.post(format!("{}/graphql", stack.url(4000)));
    let answer = request
        .json(&json!({"query": INTROSPECTION}))
        .send()
        .await?;
    let answer: Value = answer.json().await?;
    let types = answer["data"]["__schema"]["types"]
        .as_array()
        .context("no schema")?;
    let narrowed = NARROWED.iter().map(|(name, policy, text)| Row {
        name: (*name).to_owned(),
        policy: *policy,
        text: (*text).to_owned(),
        is_query: false,
        is_stream: true,
    });
    let mut rows: Vec<_> = narrowed.collect();
    for ty in types.iter().filter(|ty| ty["kind"] == "OBJECT") {
        let name = ty["name"].as_str().unwrap_or_default();
        if name.starts_with("__") {
            continue;
        }
        for field in ty["fields"].as_array().into_iter().flatten() {
            let field_name = field["name"].as_str().unwrap_or_default();
            rows.push(row(name, field_name, is_composite(&field["type"]), order)?);
        }
    }
    Ok(rows)
}

fn row(ty: &str, field: &str, is_composite: bool, order: &str) -> anyhow::Result<Row> {
    let name = format!("{ty}.{field}");
    let own = FIELDS.iter().find(|(known, _, _)| *known == name);
    let entry = TYPES.iter().find(|(known, _, _)| *known == ty);
    let (policy, frame) = match (own, entry) {
        (Some((_, policy, _)), Some((_, _, frame))) => (*policy, *frame),
        (Some((_, policy, _)), None) => (*policy, "subscription { % }"),
        (None, Some((_, policy, frame))) => (*policy, *frame),
        (None, None) => anyhow::bail!("{name} has no policy: add it to the matrix"),
    };
    let text = match own {
        Some((_, _, text)) => (*text).to_owned(),
        None if is_composite => format!("{field} {{ __typename }}"),
        None => field.to_owned(),
    };
    let text = frame.replace('%', &text).replace("ORDER", order);
    Ok(Row {
        name,
        policy,
        is_query: text.starts_with('{'),
        is_stream: text.starts_with("subscription"),
        text,
    })
}

fn is_composite(ty: &Value) -> bool {
    let mut ty = ty;
    while ty["ofType"].is_object() {
        ty = &ty["ofType"];
    }
    matches!(ty["kind"].as_str(), Some("OBJECT" | "INTERFACE" | "UNION"))
}
