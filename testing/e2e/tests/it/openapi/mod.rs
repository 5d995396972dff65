//! What strangers' generators make of the OpenAPI documents: it compiles, and its calls are answered.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::shop::{Arrangement, Shop};

/// A folder in which `npm install typescript @types/node openapi-typescript openapi-fetch @hey-api/openapi-ts` ran. Without it the
/// test says that it was skipped: the network is no part of a test.
const TOOLS: &str = "OPENAPI_TOOLS";

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "not a setting of the product")]
async fn clients_of_two_generators_compile_and_are_answered() {
    let Some(tools) = std::env::var_os(TOOLS).map(PathBuf::from) else {
        eprintln!("SKIPPED: {TOOLS} names no folder with the generators");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shop = Shop::start(Arrangement::Together).await;
    let answered = Command::new("node")
        .arg(root.join("tests/it/openapi/generate.mjs"))
        .arg(root.join("../../schema/openapi").canonicalize().unwrap())
        .arg(tools.canonicalize().unwrap())
        .env("CART", shop.url(8080))
        .env("LOMS", shop.url(8084))
        .env("COMMENTS", shop.url(8086))
        .env("PRODUCT", shop.url(8082))
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&answered.stdout);
    let complained = String::from_utf8_lossy(&answered.stderr);
    assert!(answered.status.success(), "{said}{complained}");
    shop.stop().await;
}
