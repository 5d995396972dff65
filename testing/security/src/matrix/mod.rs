//! The authorisation matrix: every field of the graph, for every kind of caller, over every transport; and the ports that users have
//! no business at.
//!
//! The fields come from the schema as it describes itself, so a new field is tried without a line here, under the policy of its
//! type; a type without a policy fails the run.

mod policy;
mod transport;

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use chassis::{
    clock::Clock,
    principal::{Scopes, Signer},
};
use futures::StreamExt as _;
use serde_json::{Value, json};

use self::{
    policy::{FIELDS, Policy, TYPES},
    transport::{Seen, Transport},
};
use crate::{output::print, stack::Stack};

/// Cells that are tried at once.
const CONCURRENCY: usize = 16;

const INTROSPECTION: &str = "{ __schema { types { kind name fields { name type { ...T } } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    Nobody,
    Owner,
    Stranger,
    Operator,
    /// A token that no interface may believe.
    Forged,
}

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
/// When a caller sees what the policy does not allow, or does not see what it allows; when a type has no policy.
pub(crate) async fn run(stack: &Stack) -> anyhow::Result<()> {
    let (owner, stranger) = (5_001, 5_002);
    let owners = stack.token(owner, false).await?;
    let order = create_order(stack, &owners).await?;
    let tokens: Vec<(Caller, &str, String)> = [
        (Caller::Nobody, "nobody", String::new()),
        (Caller::Owner, "owner", owners.clone()),
        (
            Caller::Stranger,
            "stranger",
            stack.token(stranger, false).await?,
        ),
        (
            Caller::Operator,
            "operator",
            stack.token(5_003, true).await?,
        ),
    ]
    .into_iter()
    .chain(forged(stack, &owners))
    .collect();
    let rows = rows(stack, &order).await?;
    let mut cells = Vec::new();
    for row in &rows {
        let carries = |it: &Transport| it.carries(row.is_query, row.is_stream);
        for transport in Transport::ALL.into_iter().filter(carries) {
            cells.extend(tokens.iter().map(|token| (row, transport, token)));
        }
    }
    let tried = futures::stream::iter(cells)
        .map(|(row, transport, (caller, name, token))| async move {
            let seen = transport.send(stack, token, &row.text).await;
            let fault = match transport {
                // Nobody has business there, whatever the token.
                Transport::Subgraph => {
                    (seen != Seen::Unauthenticated).then_some("a subgraph answered")
                }
                _ => fault(row.policy, *caller, &seen),
            };
            (
                transport,
                fault
                    .map(|fault| format!("{}, {name}, {transport:?}: {fault}, {seen:?}", row.name)),
            )
        })
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let mut counts: BTreeMap<Transport, usize> = BTreeMap::new();
    for (transport, _) in &tried {
        *counts.entry(*transport).or_default() += 1;
    }
    for (transport, count) in &counts {
        print(&format!("{count:>7} cells over {transport:?}"))?;
    }
    let faults: Vec<&String> = tried
        .iter()
        .filter_map(|(_, fault)| fault.as_ref())
        .collect();
    for fault in faults.iter().take(40) {
        print(fault)?;
    }
    ensure!(
        faults.is_empty(),
        "{} of {} cells are not as the policy has them",
        faults.len(),
        tried.len()
    );
    print(&format!(
        "{} cells of {} fields, all as the policy has them",
        tried.len(),
        rows.len()
    ))
}

/// What is wrong with what a caller saw.
fn fault(policy: Policy, caller: Caller, seen: &Seen) -> Option<&'static str> {
    let is_right = match (policy, caller) {
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
    };
    (!is_right).then_some("not as the policy has it")
}

/// Tokens that look like one and are none.
fn forged(stack: &Stack, real: &str) -> Vec<(Caller, &'static str, String)> {
    let stranger = Signer::generate(Clock::system());
    let user = 5_001_i64.try_into().expect("above 0");
    let minute = std::time::Duration::from_secs(60);
    let signed = stranger.user_token(user, Scopes::OPS, minute);
    let parts: Vec<&str> = real.split('.').collect();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let service = stack
        .service_token()
        .and_then(|(_, value)| value.to_str().ok().map(str::to_owned));
    let tokens = [
        ("of an unknown key", signed.expose().to_owned()),
        ("without a signature", format!("{none}.{}.", parts[1])),
        (
            "with another's claims",
            format!("{}.{}x.{}", parts[0], parts[1], parts[2]),
        ),
        ("of a service", service.unwrap_or_default()),
        ("of nonsense", "a.b.c".to_owned()),
    ];
    tokens
        .into_iter()
        .map(|(name, token)| (Caller::Forged, name, token))
        .collect()
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
    let mut rows = Vec::new();
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
