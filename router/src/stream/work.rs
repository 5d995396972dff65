//! What is to be completed: an event of the log, or what a subgraph says of its own.

use bytes::Bytes;
use federation::{Engine, GraphResponse, Prepared, RequestContext};
use serde_json::Map;

use super::pending::PendingFrame;

/// The member of a frame's extensions that says that events before it may be missing.
const MAY_BE_MISSING: &str = "eventsMayBeMissing";

/// One frame to be completed.
#[derive(Debug)]
pub(super) enum Work<'a> {
    /// A frame of the log's events.
    Event(&'a PendingFrame),
    /// A response of a subgraph's subscription.
    Live {
        response: Bytes,
        may_be_missing: bool,
    },
}

impl Work<'_> {
    /// Completes it once.
    pub(super) async fn run(
        &self,
        engine: &Engine,
        prepared: &Prepared,
        ctx: &RequestContext,
    ) -> GraphResponse {
        let mut extensions = Map::new();
        match self {
            Self::Event(pending) => {
                extensions.insert("cursor".to_owned(), pending.cursor.as_str().into());
                engine
                    .execute_event(prepared, pending.object(), extensions, ctx)
                    .await
            }
            Self::Live {
                response,
                may_be_missing,
            } => {
                if *may_be_missing {
                    extensions.insert(MAY_BE_MISSING.to_owned(), true.into());
                }
                engine
                    .execute_live(prepared, response.clone(), extensions, ctx)
                    .await
            }
        }
    }
}
