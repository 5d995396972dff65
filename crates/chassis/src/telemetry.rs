//! Logs and metrics of a process.
//!
//! Metrics are statics in Prometheus' default registry, so that a test may start a service twice.

use std::io::IsTerminal as _;

use prometheus::TextEncoder;
use serde::{Deserialize, Serialize};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How a process logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A filter as `tracing` reads it, for instance `info,loms=debug`.
    pub log_filter: String,
    /// `text` for people, `json` for machines.
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line an event.
    Text,
    /// One JSON object an event.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            // librdkafka reports the end of a partition as an error; our own code tells what matters.
            log_filter: "info,sqlx=warn,sea_orm_migration=warn,rdkafka::client=off".into(),
            log_format: LogFormat::Text,
        }
    }
}

/// A log filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.log_filter cannot be read: {0}")]
pub struct Error(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging to standard error. A second call in one process changes nothing.
///
/// # Errors
/// [`Error`] when the filter cannot be read.
pub fn init(config: &Config, service: &'static str) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&config.log_filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match config.log_format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_target(true),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    if started.is_ok() {
        tracing::debug!(service, "logging started");
    }
    Ok(())
}

/// All metrics of this process in Prometheus' text form.
#[must_use]
pub fn metrics_text() -> String {
    TextEncoder::new()
        .encode_to_string(&prometheus::gather())
        .unwrap_or_default()
}
