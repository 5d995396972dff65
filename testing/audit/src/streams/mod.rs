//! Black-box cases of GraphQL's live transports: WebSocket, server-sent events in both modes, multipart; how streams begin and
//! end, who gets which event, and what a client loses when something breaks.
//!
//! Nothing is known of the router but its URLs and a few texts ([`Texts`]), so any other can be audited by them.
//! Source of the rules: graphql-ws PROTOCOL.md and its server's tests; graphql-sse PROTOCOL.md and its handler's tests; Apollo's
//! multipart protocol for subscriptions; for `resume` docs/streams.md.

mod case;
mod events;
mod groups;
mod parts;
mod report;
mod router;
mod run;
mod single;
mod socket;
mod stream;
mod target;

pub use self::{
    case::Group,
    report::{Finding, Report, Verdict},
    router::{Own, RouterProcess},
    run::{Choice, list, run},
    target::{Router, Target, Texts},
};
