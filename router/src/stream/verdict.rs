//! Whether a completed frame may be shown, by its errors.
//!
//! A fault that passes, such as a service that restarts, is worth another try wherever it stands in the frame: a client never
//! comes back to a frame that it has. What the graph answers for good, such as a product that the catalogue does not have, or a
//! defect, is shown as it is.

use schema::code::ErrorCode;
use serde::Deserialize;

/// Whether a frame may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is missing that another try could bring.
    Whole,
    /// Something could not be read for the moment, for this reason.
    Late(ErrorCode),
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    code: String,
}

impl Verdict {
    /// Reads a response that has so many errors.
    pub(super) fn of(body: &[u8], errors: usize) -> Self {
        if errors == 0 {
            return Self::Whole;
        }
        let Ok(response) = serde_json::from_slice::<Response>(body) else {
            return Self::Whole;
        };
        let codes = response.errors.iter();
        let mut codes = codes.filter_map(|fault| ErrorCode::find(&fault.extensions.code));
        let passing = codes.find(|code| passes(*code));
        passing.map_or(Self::Whole, Self::Late)
    }
}

/// Whether the same fetch may succeed in a moment.
const fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unavailable
            | ErrorCode::DeadlineExceeded
            | ErrorCode::Overloaded
            | ErrorCode::RateLimited
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(faults: &[&str]) -> Verdict {
        let errors = faults.iter().map(
            |code| json!({"message": "m", "path": ["f", "o", 0], "extensions": {"code": code}}),
        );
        let errors: Vec<_> = errors.collect();
        let body = json!({"data": {"f": {"o": [null]}}, "errors": errors}).to_string();
        Verdict::of(body.as_bytes(), errors.len())
    }

    #[test]
    fn what_another_try_may_bring_makes_a_frame_late_wherever_it_stands() {
        use ErrorCode::{DeadlineExceeded, Overloaded, RateLimited, Unavailable};
        for code in [Unavailable, DeadlineExceeded, Overloaded, RateLimited] {
            assert_eq!(verdict(&[code.as_str()]), Verdict::Late(code));
        }
        let mixed = verdict(&["NOT_FOUND", "OVERLOADED", "UNAVAILABLE"]);
        assert_eq!(mixed, Verdict::Late(Overloaded));
    }

    #[test]
    fn what_no_other_try_can_bring_is_shown_as_it_is() {
        for code in [
            "NOT_FOUND",
            "PRODUCT_NOT_FOUND",
            "INTERNAL",
            "FORBIDDEN",
            "A_CODE_OF_TOMORROW",
        ] {
            assert_eq!(verdict(&[code]), Verdict::Whole);
        }
        assert_eq!(Verdict::of(b"{}", 0), Verdict::Whole);
    }
}
