//! Posts each event to one receiver over HTTP, beside the line on standard output.
//!
//! The consumer never waits for the receiver: it writes a row in `webhook_queue` in the transaction of inbox and
//! effect, and the dispatcher here works the queue off. So a receiver that is away, slow or refuses holds up neither its
//! partition nor the other lines. Invariant: an event is in the queue until the receiver answered with 2xx, or until it
//! is parked in `dead_letters`; each request of one event has the same `webhook-id` and body.
//!
//! Order: only the lowest queued version of an order is sent, so a version follows when the one before it was taken or
//! parked. Several replicas share the queue: a dispatcher leases rows, and a lease that ran out, because its
//! process died, makes the row due again. The scheme of the headers is Standard Webhooks; docs/webhooks.md tells
//! receivers how to check them.

mod config;
mod dispatcher;
mod http_client;
mod queue;

pub use self::{config::Config, http_client::InvalidWebhook};
pub(crate) use self::{
    dispatcher::{Dispatcher, Wake, watch},
    queue::statements,
};
