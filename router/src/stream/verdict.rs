//! What a completed frame lacks, by its errors.
//!
//! A fault that passes, such as a service that restarts, is worth another try. What the graph answers for good, such as
//! another buyer's product or a defect, is shown as it is.

use schema::code::ErrorCode;
use serde::Deserialize;
use serde_json::Value;

/// Whether a frame may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is missing that another try could bring.
    Whole,
    /// Something below the frame's own objects could not be read for the moment.
    Holes,
    /// What the frame is about could not be read for the moment.
    Lost(ErrorCode),
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    data: Value,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(default)]
    path: Vec<Value>,
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
        let passing = response.errors.iter().filter_map(|fault| {
            let code = ErrorCode::find(&fault.extensions.code)?;
            passes(code).then_some((code, &fault.path))
        });
        let mut verdict = Self::Whole;
        for (code, path) in passing {
            if is_lost(&response.data, path) {
                return Self::Lost(code);
            }
            verdict = Self::Holes;
        }
        verdict
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

/// Whether a fault at `path` took the root field, or a field of it, with it.
fn is_lost(data: &Value, path: &[Value]) -> bool {
    let [Value::String(root), Value::String(field), ..] = path else {
        return true;
    };
    data[root][field].is_null()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(data: &Value, faults: &[(&str, Value)]) -> Verdict {
        let errors: Vec<Value> = faults
            .iter()
            .map(|(code, path)| json!({"message": "m", "path": path, "extensions": {"code": code}}))
            .collect();
        let body = json!({"data": data, "errors": errors}).to_string();
        Verdict::of(body.as_bytes(), errors.len())
    }

    #[test]
    fn an_order_that_is_missing_for_the_moment_is_lost_and_the_rest_is_a_hole() {
        let gone = json!({"f": {"kind": "CHANGE", "o": null}});
        let there = json!({"f": {"kind": "CHANGE", "o": {"lines": [{"product": {"name": null}}]}}});
        let lost = Verdict::Lost(ErrorCode::Unavailable);
        let name = json!(["f", "o", "lines", 0, "product", "name"]);
        assert_eq!(verdict(&gone, &[("UNAVAILABLE", json!(["f", "o"]))]), lost);
        // The fault's null went up to the order.
        assert_eq!(verdict(&gone, &[("UNAVAILABLE", name.clone())]), lost);
        assert_eq!(
            verdict(&json!(null), &[("UNAVAILABLE", json!(["f"]))]),
            lost
        );
        assert_eq!(verdict(&json!(null), &[("UNAVAILABLE", json!([]))]), lost);
        assert_eq!(
            verdict(&there, &[("OVERLOADED", name.clone())]),
            Verdict::Holes
        );
        let both = [
            ("DEADLINE_EXCEEDED", name),
            ("UNAVAILABLE", json!(["f", "o"])),
        ];
        assert_eq!(
            verdict(&gone, &both),
            Verdict::Lost(ErrorCode::DeadlineExceeded)
        );
    }

    #[test]
    fn what_no_other_try_can_bring_is_shown_as_it_is() {
        let gone = json!({"f": {"o": null}});
        for code in ["NOT_FOUND", "INTERNAL", "FORBIDDEN", "A_CODE_OF_TOMORROW"] {
            assert_eq!(verdict(&gone, &[(code, json!(["f", "o"]))]), Verdict::Whole);
        }
        assert_eq!(Verdict::of(b"{}", 0), Verdict::Whole);
    }
}
