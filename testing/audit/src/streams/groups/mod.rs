//! The cases, a file for each group.

mod disruption;
mod fan_out;
mod life_cycle;
mod malformed;
mod multipart;
mod resume;
mod sse_distinct;
mod sse_single;
mod transport_ws;

use super::case::{Case, Group};

/// The cases of a group.
pub(super) fn of(group: Group) -> Vec<Case> {
    match group {
        Group::TransportWs => [transport_ws::cases(), malformed::cases()].concat(),
        Group::SseDistinct => sse_distinct::cases(),
        Group::SseSingle => sse_single::cases(),
        Group::Multipart => multipart::cases(),
        Group::LifeCycle => life_cycle::cases(),
        Group::FanOut => fan_out::cases(),
        Group::Disruption => disruption::cases(),
        Group::Resume => resume::cases(),
    }
}
