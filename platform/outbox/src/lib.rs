//! The transactional outbox: an order event is a row in the order's own transaction, and a relay sends it.
//!
//! [`append`] writes the rows, [`Relay`] sends them to the topic. Invariant: an event reaches the topic at
//! least once if and only if its transaction committed, and the first copies of one order's events stand in
//! version order. Whoever reads the topic drops repeats by (order id, version).

mod append;
pub mod relay;
mod retention;
mod send_again;
mod statements;

pub use append::append;
pub use relay::{Relay, RelayHandle};
pub use retention::retire;
pub use send_again::send_again;
pub use statements::statements;
