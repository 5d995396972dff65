//! What must become of an abuse, and what became of it.

use std::{fmt, time::Duration};

use reqwest::{Response, StatusCode};
use serde_json::Value;

/// What a refusal may cost: less than what it refuses.
const REFUSAL_MAX: Duration = Duration::from_millis(2);
/// What planning and validating a document within the limits may cost.
const ACCEPTED_MAX: Duration = Duration::from_millis(5);
/// What a response may cost that holds as much as a response may.
const WORK_MAX: Duration = Duration::from_millis(100);

/// What must become of an abuse.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expected {
    /// One of these codes or statuses; `cut` is what a sender may see of a body that is not read to its end.
    Refused(&'static [&'static str]),
    /// Over this limit, which the refusal names, with the most that would pass.
    Over(&'static str),
    /// It is within every limit, and served.
    Accepted,
    /// It is served, and dear because it holds much: its caller pays for what it holds.
    Served,
    /// As dear, and cut at this limit while it is put together.
    Cut(&'static str),
}

impl Expected {
    pub(super) fn is_met(self, answer: &Answer) -> bool {
        let code = answer.code.as_str();
        match self {
            Self::Refused(codes) => codes.contains(&code),
            Self::Over(limit) | Self::Cut(limit) => {
                let is_known = matches!(code, "LIMIT_EXCEEDED" | "PAYLOAD_TOO_LARGE");
                is_known && answer.limit == limit && answer.says_what_would_pass
            }
            Self::Accepted | Self::Served => code == "served",
        }
    }

    /// Whether its cost is that of what its response holds.
    pub(super) const fn is_dear(self) -> bool {
        matches!(self, Self::Served | Self::Cut(_))
    }

    /// The processor time that one may take.
    pub(super) const fn cost_max(self) -> Duration {
        match self {
            Self::Refused(_) | Self::Over(_) => REFUSAL_MAX,
            Self::Accepted => ACCEPTED_MAX,
            Self::Served | Self::Cut(_) => WORK_MAX,
        }
    }
}

/// What became of an abuse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The code, else the status, else `served`.
    code: String,
    /// The limit that it names, or nothing.
    limit: String,
    /// Whether the most that would pass stands in the message and beside the limit.
    says_what_would_pass: bool,
}

impl Answer {
    /// The connection ended: a body that is too large is not read to its end, and its sender may see no more than that.
    pub(super) fn cut() -> Self {
        Self {
            code: "cut".to_owned(),
            ..Self::default()
        }
    }

    pub(super) async fn read(response: Response) -> Self {
        let status = response.status();
        let body = response.bytes().await.unwrap_or_default();
        Self::of(status, &serde_json::from_slice(&body).unwrap_or_default())
    }

    fn of(status: StatusCode, body: &Value) -> Self {
        let error = &body["errors"][0];
        let extensions = &error["extensions"];
        let max = extensions["max"].as_u64().map(|max| max.to_string());
        let message = error["message"].as_str().unwrap_or_default();
        let payloads = body["data"].as_object().into_iter().flatten();
        let refusals = payloads.filter_map(|(_, it)| it["userErrors"][0]["code"].as_str());
        let codes = [extensions["code"].as_str(), body["code"].as_str()];
        let code = codes.into_iter().flatten().chain(refusals).next();
        Self {
            code: match code {
                Some(code) => code.to_owned(),
                None if status == StatusCode::OK => "served".to_owned(),
                None => status.as_u16().to_string(),
            },
            limit: extensions["limit"].as_str().unwrap_or_default().to_owned(),
            says_what_would_pass: max.is_some_and(|max| message.contains(&max)),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        match (self.limit.as_str(), self.says_what_would_pass) {
            ("", _) => Ok(()),
            (limit, true) => write!(f, " {limit}"),
            (limit, false) => write!(f, " {limit}, without what would pass"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn over(limit: &str, message: &str) -> Answer {
        let extensions = json!({"code": "LIMIT_EXCEEDED", "limit": limit, "max": 30});
        let body = json!({"errors": [{"message": message, "extensions": extensions}]});
        Answer::of(StatusCode::BAD_REQUEST, &body)
    }

    /// Seen red with the code alone: an abuse that another limit caught stood as refused.
    #[test]
    fn a_refusal_names_the_limit_that_the_abuse_is_over_and_what_would_pass() {
        let told = over("aliases", "aliases 600 is over the limit of 30");
        assert!(Expected::Over("aliases").is_met(&told));
        assert!(!Expected::Over("tokens").is_met(&told), "another limit");
        assert!(!Expected::Over("aliases").is_met(&over("aliases", "too many aliases")));
        assert!(!Expected::Accepted.is_met(&told));
    }

    #[test]
    fn a_refusal_of_the_shop_is_no_service() {
        let body = json!({"data": {"createOrder": {"userErrors": [{"code": "INVALID_ARGUMENT"}]}}});
        let refused = Answer::of(StatusCode::OK, &body);
        assert!(Expected::Refused(&["INVALID_ARGUMENT"]).is_met(&refused));
        assert!(!Expected::Served.is_met(&refused));
        let body = json!({"data": {"createOrder": {"userErrors": []}}});
        assert!(Expected::Served.is_met(&Answer::of(StatusCode::OK, &body)));
    }
}
