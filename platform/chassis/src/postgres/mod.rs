//! Connections to Postgres through SeaORM, and what its errors mean.
//!
//! Nothing waits for the server without end: [`within`] bounds what the process waits, session options bound what the
//! server lets the process hold, and [`Probe`] knows whether the server answers at all.

mod address;
mod config;
mod error;
mod link;
mod pool;
pub(crate) mod primary;
mod probe;
pub mod sql;
pub(crate) mod time;
mod within;

pub use sea_orm::{DatabaseConnection, DatabaseTransaction};

pub use self::{
    address::{Address, AddressError},
    config::Config,
    error::{
        DISK_FULL, StoreError, constraint, is_lock_wait, is_retryable, is_unavailable, sqlstate,
    },
    pool::{connect, connect_for_reports, watch},
    primary::primary_url,
    probe::{Probe, moved},
    time::{now, server_now},
    within::within,
};
