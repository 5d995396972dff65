//! The services as the launcher uses them: real programs, free ports, a temporary state folder.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod kafka;
mod orphans;
mod postgres;
