//! The authorisation matrix: every field of the graph, every route of the REST documents and every method of the gRPC descriptors, for
//! every kind of caller, over every transport; and the ports that users have no business at.
//!
//! Nothing is listed by hand that the product describes itself, so what is new is tried under the policy that it must be given:
//! a type, a route or a method without one fails the run. REST and gRPC believe callers on loopback that they do not believe
//! beyond it, so both are tried, the second on a marketplace of its own.

mod caller;
mod cell;
mod graph;
mod grpc;
mod policy;
mod rest;
mod transport;

use std::{collections::BTreeMap, path::Path};

use anyhow::ensure;

use self::cell::Cell;
use crate::{output::print, stack::Stack};

/// Listeners that other machines reach: gRPC without the setting that believes them, REST, which has no tokens, with its own.
const BEYOND_LOOPBACK: [(&str, u16); 6] = [
    ("loms.grpc_listen", 8083),
    ("comments.grpc_listen", 8085),
    ("router.rest.cart_listen", 8080),
    ("router.rest.loms_listen", 8084),
    ("router.rest.loms_old_listen", 8081),
    ("router.rest.comments_listen", 8086),
];

/// Tries every cell; `binary` is what is started once more, to be tried beyond loopback. Seen red
/// with `loms.beyond_loopback_enabled=true` there, and with a route and a method left out of the policies.
///
/// # Errors
/// When a caller sees what the policy does not allow, or does not see what it allows; when something has no policy.
pub(crate) async fn run(stack: &Stack, binary: &Path) -> anyhow::Result<()> {
    let persons = caller::persons(stack, 5_001).await?;
    let mut cells = graph::run(stack, &persons).await?;
    cells.extend(doors(stack, true).await?);
    let offset = testkit::free_offset();
    // A port that is named is not moved by the offset.
    let listens = BEYOND_LOOPBACK.map(|(name, port)| format!("{name}=0.0.0.0:{}", port + offset));
    let mut settings: Vec<&str> = listens.iter().map(String::as_str).collect();
    settings.push("router.rest.beyond_loopback_enabled=true");
    let beyond = Stack::start(binary, offset, &settings, None).await?;
    cells.extend(doors(&beyond, false).await?);
    beyond.check_processes()?;
    beyond.check_log()?;
    beyond.stop().await?;
    judge(&cells)
}

/// REST and gRPC.
async fn doors(stack: &Stack, is_loopback: bool) -> anyhow::Result<Vec<Cell>> {
    let mut cells = rest::run(stack, is_loopback).await?;
    cells.extend(grpc::run(stack, is_loopback).await?);
    Ok(cells)
}

fn judge(cells: &[Cell]) -> anyhow::Result<()> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.over).or_default() += 1;
    }
    for (transport, count) in &counts {
        print(&format!("{count:>7} cells over {transport}"))?;
    }
    let faults: Vec<&String> = cells.iter().filter_map(|it| it.fault.as_ref()).collect();
    for fault in faults.iter().take(40) {
        print(fault)?;
    }
    ensure!(
        faults.is_empty(),
        "{} of {} cells are not as the policy has them",
        faults.len(),
        cells.len()
    );
    print(&format!(
        "{} cells over {} transports, all as the policy has them",
        cells.len(),
        counts.len()
    ))
}
