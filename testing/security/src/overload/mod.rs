//! Five times what there is room for, judged by counts: who is served, who is refused, and that what was refused was not done.
//!
//! The room is the same on every machine. There are a few places, and a request holds one for as long as the product service
//! keeps it waiting, by a fault that is set; nothing that is asserted depends on how fast anything else is.

mod answer;
mod grpc;
mod http;
mod stored;

use crate::stack::Stack;

/// Two places at the router, each held for 200 ms by a read or an order: ten a second. Four at LOMS over gRPC, where a call gives
/// its place back after 250 ms at most. Longer waits would count as failures with the breakers.
pub(crate) const SETTINGS: [&str; 17] = [
    "router.admission.places_min=2",
    "router.admission.places_max=2",
    "router.admission.place_time=1m",
    "router.admission.wait=200ms",
    "router.admission.burst_wait=200ms",
    "router.admission.payment_wait=10s",
    "router.engine.fetch.breaker_slow=20s",
    "product.faults.enabled=true",
    "product.faults.latency=200ms",
    "cart.product_cache_ttl=1ms",
    "cart.product_stale_ttl=0s",
    "cart.product_rate=10000",
    "cart.product_burst=10000",
    "cart.product_concurrency=64",
    "loms.product_cache_ttl=1ms",
    "loms.product_rate=10000",
    "loms.grpc_calls=4",
];

/// One round at each door.
///
/// # Errors
/// When something was not served that must be, a refusal is no proper one, something was served late, or what was refused was done.
pub(crate) async fn run(stack: &Stack) -> anyhow::Result<()> {
    http::run(stack).await?;
    grpc::run(stack).await
}
