//! Why the catalogue cannot be read, and what each reason is to a client.

use std::{sync::Arc, time::Duration};

use chassis::{breaker, fault::Coded};
use schema::code::ErrorCode;

/// Why the catalogue cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It failed again and again a moment ago, so it was not asked.
    #[error("the product service is not asked")]
    KnownToBeDown(#[from] breaker::Refused),
    /// No response came: the connection failed or broke, or one try took too long. Not retried.
    #[error("the product service is out of reach")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Still 420 or 429 after the last retry.
    #[error("the product service refuses more requests after {tries} tries")]
    Throttled {
        /// How often it was asked.
        tries: usize,
    },
    /// The look-up took too long in all.
    #[error("the product service took longer than {limit:?}")]
    TookTooLong {
        /// The time that it had.
        limit: Duration,
    },
    /// A status that the contract does not explain.
    #[error("the product service responded with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// The catalogue is too long to be searched.
    #[error("the catalogue has more than {most} products, and no more are searched")]
    TooLong {
        /// The most products.
        most: u32,
    },
    /// A response that breaks the contract.
    #[error("the product service gave a malformed response: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Whether the service is out of reach or overloaded, rather than there with a response that we do not understand.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::KnownToBeDown(_)
            | Self::Unreachable(_)
            | Self::Throttled { .. }
            | Self::TookTooLong { .. } => true,
            Self::Status { status } => *status >= 500,
            Self::Malformed { .. } | Self::TooLong { .. } => false,
        }
    }
}

impl Coded for Error {
    fn code(&self) -> ErrorCode {
        match self {
            Self::KnownToBeDown(_) | Self::Unreachable(_) | Self::Throttled { .. } => {
                ErrorCode::Unavailable
            }
            Self::TookTooLong { .. } => ErrorCode::DeadlineExceeded,
            Self::Status { status: 500.. } => ErrorCode::Unavailable,
            Self::Status { .. } | Self::Malformed { .. } | Self::TooLong { .. } => {
                ErrorCode::Internal
            }
        }
    }
}
