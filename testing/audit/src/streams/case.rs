//! One case: what is tried, what it needs, and what is right.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::target::{Caller, Target};

/// How long something that must come may take. Long, because a slow machine is no fault.
pub(super) const WAIT: Duration = Duration::from_secs(30);
/// How long it is watched that nothing comes.
pub(super) const QUIET: Duration = Duration::from_millis(700);

/// What came, in a few words; an error says what came instead of what was right.
pub(super) type Outcome = anyhow::Result<String>;

/// The cases of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The subprotocol `graphql-transport-ws`.
    TransportWs,
    /// Server-sent events, a connection for each operation.
    SseDistinct,
    /// Server-sent events, one connection for many operations.
    SseSingle,
    /// `multipart/mixed;subscriptionSpec=1.0`.
    Multipart,
    /// How streams begin and end.
    LifeCycle,
    /// Many who look on at one event.
    FanOut,
    /// Connections and processes that end.
    Disruption,
    /// Going on behind a cursor.
    Resume,
}

impl Group {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 8] = [
        Self::TransportWs,
        Self::SseDistinct,
        Self::SseSingle,
        Self::Multipart,
        Self::LifeCycle,
        Self::Resume,
        Self::FanOut,
        Self::Disruption,
    ];

    /// Its name, the first half of a case's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TransportWs => "transport-ws",
            Self::SseDistinct => "sse-distinct",
            Self::SseSingle => "sse-single",
            Self::Multipart => "multipart",
            Self::LifeCycle => "life-cycle",
            Self::FanOut => "fan-out",
            Self::Disruption => "disruption",
            Self::Resume => "resume",
        }
    }

    /// Whether its cases must not run beside others.
    pub(super) const fn runs_alone(self) -> bool {
        matches!(self, Self::FanOut | Self::Disruption)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a target must have for a case to mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A mutation that causes events.
    Cause,
    /// A subscription that ends by itself.
    Finite,
    /// Callers that are told apart, and one who is refused.
    Callers,
    /// Cursors.
    Resume,
    /// The single connection mode.
    Single,
    /// A router whose process the audit may end.
    Router,
}

impl Need {
    /// Why a target without it skips the case.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Cause => "no --cause",
            Self::Finite => "no --finite",
            Self::Callers => "no callers of different rights",
            Self::Resume => "no standard; ours has it",
            Self::Single => "no --single",
            Self::Router => "not a router of the audit's own",
        }
    }

    pub(super) const fn is_met_by(self, target: &Target) -> bool {
        match self {
            Self::Cause => target.texts.cause.is_some(),
            Self::Finite => target.texts.finite.is_some() || target.is_marketplace(),
            Self::Callers | Self::Resume => target.is_marketplace(),
            Self::Single => target.single.is_some(),
            Self::Router => target.router.is_some(),
        }
    }
}

type Run = Arc<dyn Fn(Caller) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// One case.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What is right.
    pub(super) rule: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: Run,
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Case {
    pub(super) fn new<F>(
        name: &'static str,
        rule: &'static str,
        run: impl Fn(Caller) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self {
            name,
            rule,
            needs: &[],
            run: Arc::new(move |caller| Box::pin(run(caller))),
        }
    }

    pub(super) const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }
}
