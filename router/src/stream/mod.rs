//! Live subscriptions: from the logs of events to frames that any transport can carry.
//!
//! In: a prepared subscription, the caller, and where to resume. Out: frames, each with the cursor just behind it, and
//! one end. In the order of reading: `hub` decides who may read what and from where (`field`, `resume`, `snapshot`; for topics beside the order events `topic`, `state`),
//! `subscription` reads its stream (`source`), `pending` is an event as the schema shows it, `complete` has it
//! completed (`shared`, for all streams: `groups` are those whose frames are alike, `rights` and `identity` say as whom entities
//! are read, `verdict` whether a frame may be shown), `frame` is what a transport gets, `heartbeat` what it gets when there is none,
//! `lag` how late; `closing` ends
//! streams, with `drain` or with their `credentials`.
//! `live` is the other kind: a stream of a subgraph of others, without cursors; `opened` is either.
//! Invariant: a stream ends rather than skip an event; whoever resumes with its last cursor sees each version once.

mod closing;
mod complete;
mod credentials;
mod described;
mod drain;
mod field;
mod frame;
mod groups;
mod heartbeat;
mod hub;
mod identity;
mod lag;
mod live;
mod log;
mod metrics;
mod opened;
mod pending;
mod resume;
mod rights;
mod shared;
mod snapshot;
mod source;
mod spread;
mod state;
mod subscription;
mod topic;
mod verdict;
mod work;

pub(crate) use closing::Closing;
pub(crate) use credentials::Credentials;
pub(crate) use described::read;
pub(crate) use drain::Drain;
pub(crate) use frame::{End, Interruption};
pub(crate) use heartbeat::{Heartbeats, together};
pub(crate) use hub::Hub;
pub(crate) use log::EventLog;
pub(crate) use opened::Subscription;
pub(crate) use resume::ResumeHints;
pub(crate) use spread::Share;
