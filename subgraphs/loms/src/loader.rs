//! Loads what the fields of concurrent requests ask for together: one statement for any number of orders or SKUs.

use std::{error::Error, fmt, sync::Arc};

use ::schema::code::ErrorCode;
use async_graphql::dataloader::DataLoader;
use chassis::{fault::Coded, tasks::Tasks};
use tracing::Instrument as _;

/// A loader over `source`; its batches run as tasks that a drain waits for.
pub(crate) fn loader<T>(source: T, tasks: &Tasks) -> DataLoader<T> {
    let tasks = tasks.clone();
    DataLoader::new(source, move |batch| {
        tasks.spawn("loms batch", batch.in_current_span())
    })
}

/// An error that all fields of a batch share.
#[derive(Debug)]
pub struct LoadError<E>(Arc<E>);

impl<E> Clone for LoadError<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E> From<E> for LoadError<E> {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: Error> Error for LoadError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl<E: Coded> Coded for LoadError<E> {
    fn code(&self) -> ErrorCode {
        self.0.code()
    }
}
