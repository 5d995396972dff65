//! What the console asks of the program that runs the services.

use std::fmt;

use futures::future::BoxFuture;
use serde::Serialize;

/// The program that runs the services.
pub trait Host: fmt::Debug + Send + Sync + 'static {
    /// Every service and store, as it is now.
    fn services(&self) -> BoxFuture<'_, Vec<Service>>;

    /// What each process answers at `/metrics`; one that does not answer is left out.
    fn metrics(&self) -> BoxFuture<'_, Vec<String>>;

    /// How many order events the broker has not acknowledged; none when the database does not say.
    fn backlog(&self) -> BoxFuture<'_, Option<u64>>;

    /// Checks the promises of the marketplace.
    ///
    /// # Errors
    /// Why nothing is known of them, in words for the operator.
    fn verify(&self) -> BoxFuture<'_, Result<Vec<Check>, String>>;
}

/// One service or store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its short name, as in `marketplace logs NAME`.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// Its process, where it has one on this machine.
    pub pid: Option<u32>,
    /// The version that runs, where it is known.
    pub version: Option<String>,
    /// The resident memory of its process.
    pub memory_bytes: Option<u64>,
    /// Whether other services share the process and its memory.
    pub shared: bool,
    /// Where it listens.
    pub ports: Vec<Port>,
    /// What is wrong, or how it is stored; in words.
    pub detail: Option<String>,
}

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It works.
    Up,
    /// It says that it does not work yet.
    Starting,
    /// It does not work, or does not answer.
    Down,
    /// Its process is halted and will go on.
    Stopped,
}

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// What is there.
    pub name: String,
    /// Its number.
    pub port: u16,
    /// Its address for a browser; none where no browser can look.
    pub url: Option<String>,
}

/// One promise that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its number and its words.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// How much was checked, and what breaks it.
    pub detail: String,
}
