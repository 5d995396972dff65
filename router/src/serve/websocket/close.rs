//! Why a socket is closed, and with which code. Codes below 4000 are WebSocket's own.
//!
//! Source: graphql-ws PROTOCOL.md; RFC 6455, 7.4. After 1012, 1013, 4290 and 4403 its clients connect again by themselves.

use schema::code::ErrorCode;
use tungstenite::{
    Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

/// What a close frame's reason may hold, in bytes. Source: RFC 6455, 5.5.
const REASON_MAX: usize = 123;

/// Why the server closes a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Close {
    /// The client is gone, or closed the socket itself.
    Gone,
    /// 1000: no operation ran for too long.
    Idle,
    /// 1009: a message is over the body limit.
    TooBig,
    /// Its subscriptions stop before their end: connect again and resume. 1012 at shutdown, 4290 for a client that takes
    /// nothing, 4403 for a token that has ended, 1013 for anything else that passes.
    Interrupted {
        code: ErrorCode,
        /// Where to resume, if one subscription was all that ran.
        cursor: Option<String>,
    },
    /// 4400: a message that the protocol does not know.
    BadMessage(String),
    /// 4401: an operation before the connection was acknowledged.
    Unauthorized,
    /// 4403: the token is not good.
    Forbidden(&'static str),
    /// 4406: the client does not offer the subprotocol.
    Subprotocol,
    /// 4408: no `connection_init` in time.
    InitTimeout,
    /// 4409: the id belongs to a running operation.
    Duplicate(String),
    /// 4429: a second `connection_init`.
    TooManyInits,
}

impl Close {
    /// The server stops, or does not serve this socket any more, without a place to go on from.
    pub(super) const fn interrupted(code: ErrorCode) -> Self {
        Self::Interrupted { code, cursor: None }
    }

    /// The close frame; `None` when there is nobody to send it to.
    pub(super) fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Idle => (
                1000,
                "No operation for too long: connect again for the next".to_owned(),
            ),
            Self::TooBig => (1009, "Message too big".to_owned()),
            Self::Interrupted { code, cursor } => (number(*code), resume(*code, cursor.as_deref())),
            Self::BadMessage(why) => (4400, why.clone()),
            Self::Unauthorized => (4401, "Unauthorized".to_owned()),
            Self::Forbidden(why) => (4403, (*why).to_owned()),
            Self::Subprotocol => (
                4406,
                "Subprotocol not acceptable: this is graphql-transport-ws".to_owned(),
            ),
            Self::InitTimeout => (4408, "Connection initialisation timeout".to_owned()),
            Self::Duplicate(id) => (4409, format!("Subscriber for {id} already exists")),
            Self::TooManyInits => (4429, "Too many initialisation requests".to_owned()),
        };
        Some(CloseFrame {
            code: CloseCode::from(code),
            reason: Utf8Bytes::from(shorten(reason)),
        })
    }
}

const fn number(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::ServerDraining => 1012,
        ErrorCode::SlowConsumer => 4290,
        ErrorCode::TokenExpired => 4403,
        _ => 1013,
    }
}

/// `CODE: resume after CURSOR`; half a cursor would be none.
fn resume(code: ErrorCode, cursor: Option<&str>) -> String {
    let with = cursor.map(|cursor| format!("{code}: resume after {cursor}", code = code.as_str()));
    with.filter(|reason| reason.len() <= REASON_MAX)
        .unwrap_or_else(|| format!("{}: resume with the last cursor", code.as_str()))
}

fn shorten(mut reason: String) -> String {
    let mut end = reason.len().min(REASON_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_reason_fits_its_frame() {
        let frame = Close::BadMessage("ü".repeat(200)).frame().unwrap();
        assert!(frame.reason.len() <= REASON_MAX);
    }

    #[test]
    fn each_reason_to_come_back_has_its_number() {
        let numbers = [
            (ErrorCode::ServerDraining, 1012),
            (ErrorCode::SlowConsumer, 4290),
            (ErrorCode::TokenExpired, 4403),
            (ErrorCode::Unavailable, 1013),
        ];
        for (code, number) in numbers {
            let frame = Close::interrupted(code).frame().unwrap();
            assert_eq!(u16::from(frame.code), number, "{code:?}");
        }
    }

    #[test]
    fn the_reason_has_the_cursor_whole_or_not_at_all() {
        let reason = |cursor: &str| {
            let close = Close::Interrupted {
                code: ErrorCode::ServerDraining,
                cursor: Some(cursor.to_owned()),
            };
            let frame = close.frame().unwrap();
            assert_eq!(u16::from(frame.code), 1012);
            frame.reason.to_string()
        };
        assert_eq!(reason("c1"), "SERVER_DRAINING: resume after c1");
        assert_eq!(
            reason(&"c".repeat(100)),
            "SERVER_DRAINING: resume with the last cursor"
        );
    }
}
