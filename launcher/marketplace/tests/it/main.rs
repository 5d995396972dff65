//! The launcher's own promises, with every service in this process.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod clients;
mod doctor;
mod durability;
mod held;
mod kubernetes;
mod leaks;
mod statements;
