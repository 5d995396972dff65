//! How a case was answered.

/// What became of one case.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The interface.
    pub(super) interface: &'static str,
    /// How it was answered, for the count.
    pub(super) answer: String,
    /// What is wrong with the answer, with what was sent.
    pub(super) fault: Option<String>,
}

impl Outcome {
    /// An answer with no fault found yet.
    pub(super) fn new(interface: &'static str, answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self {
            interface,
            answer,
            fault: None,
        }
    }

    /// The same with a fault, if there is one and none was found before.
    pub(super) fn fault(mut self, is_fault: bool, told: impl FnOnce() -> String) -> Self {
        if is_fault && self.fault.is_none() {
            self.fault = Some(told());
        }
        self
    }
}
