//! A row of the table: what was measured, and what it should be.

use serde::Serialize;

/// One figure and its goal.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    /// What it should not be above; nothing where it stands for comparison.
    pub(crate) goal: Option<f64>,
}

impl Row {
    /// A figure that has a goal.
    pub(crate) fn goal(what: impl Into<String>, unit: &'static str, value: f64, goal: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            value,
            goal: Some(goal),
        }
    }

    /// A figure to compare others with.
    pub(crate) fn plain(what: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self {
            what: what.into(),
            unit,
            value,
            goal: None,
        }
    }

    /// How much of its goal it takes; more than 1 is a goal missed.
    pub(crate) fn share(&self) -> Option<f64> {
        self.goal
            .map(|goal| self.value / goal.max(f64::MIN_POSITIVE))
    }
}
