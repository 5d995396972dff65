//! schemathesis over every OpenAPI document: what it says must be what the interface does, and nothing may be a 5xx.

use std::{path::Path, process::Stdio};

use anyhow::ensure;
use tokio::process::Command;

use crate::{output::print, stack::Stack};

/// A document, and the port of the interface that it describes.
const DOCUMENTS: [(&str, u16); 4] = [
    ("schema/openapi/cart.json", 8080),
    ("schema/openapi/loms.json", 8084),
    ("schema/openapi/comments.json", 8086),
    ("schema/openapi/product.json", 8082),
];

/// A SKU or an order of a valid form may be unknown, and a method that no document has is the contract's 501.
const LEFT_OUT: &str =
    "positive_data_acceptance,use_after_free,ensure_resource_availability,unsupported_method";

/// Runs it where it is installed.
///
/// # Errors
/// When a document and its interface differ.
pub(crate) async fn run(stack: &Stack, examples: u32) -> anyhow::Result<()> {
    let asked = Command::new("schemathesis")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if asked.await.is_err() {
        return print("SKIPPED: schemathesis is not installed (pip install schemathesis)");
    }
    let mut failed = Vec::new();
    for (document, port) in DOCUMENTS {
        if !Path::new(document).exists() {
            failed.push(document);
            continue;
        }
        let mut command = Command::new("schemathesis");
        command.args(["--config-file", "testing/security/schemathesis.toml"]);
        command.args(["run", document, "--url", &stack.url(port)]);
        command.args(["--max-examples", &examples.to_string()]);
        // The product service wants its key.
        command.args(["-H", "X-API-KEY: testToken"]);
        command.args(["--checks", "all", "--exclude-checks", LEFT_OUT]);
        command.args(["--request-timeout", "30", "--seed", "1"]);
        if !command.status().await?.success() {
            failed.push(document);
        }
    }
    ensure!(
        failed.is_empty(),
        "schemathesis found differences: {failed:?}"
    );
    Ok(())
}
