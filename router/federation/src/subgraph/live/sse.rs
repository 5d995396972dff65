//! A subscription as a stream of server-sent events, one HTTP request each.
//!
//! Source: graphql-sse PROTOCOL.md, distinct connections mode; the event-stream format of the HTML standard.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;

use crate::host::Credential;
use crate::subgraph::error::FetchError;
use crate::subgraph::live::protocol::{Asked, Protocol, Responses};
use crate::subgraph::pool::Pool;

/// The longest refusal that is read in place of a stream.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Opens event streams at one address.
pub(in crate::subgraph) struct Sse {
    pub(in crate::subgraph) uri: Uri,
    pub(in crate::subgraph) client: Arc<Pool>,
    /// The longest event that is read.
    pub(in crate::subgraph) bytes_max: usize,
    /// What proves this process, asked anew for each stream.
    pub(in crate::subgraph) credential: Option<Arc<dyn Credential>>,
}

impl Protocol for Sse {
    fn open(&self, asked: Asked) -> BoxFuture<'_, Result<Responses, FetchError>> {
        Box::pin(async move {
            let request = self
                .request(asked)
                .map_err(|error| FetchError::Response(error.to_string()))?;
            let response = self.client.open(request).await?;
            let kind = response.headers().get(header::CONTENT_TYPE);
            let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
            if kind.starts_with("text/event-stream") && response.status().is_success() {
                return Ok(events(response.into_body(), self.bytes_max));
            }
            let status = response.status();
            let body = Limited::new(response.into_body(), REFUSAL_BYTES)
                .collect()
                .await;
            match body.map(http_body_util::Collected::to_bytes) {
                // The subgraph says in the form of a response what is wrong with the operation.
                Ok(body) if body.first() == Some(&b'{') => {
                    Ok(stream::once(async move { Ok(body) }).boxed())
                }
                _ if status.is_success() => Err(FetchError::Response("no event stream".to_owned())),
                _ => Err(FetchError::Status(status.as_u16())),
            }
        })
    }
}

impl Sse {
    fn request(&self, asked: Asked) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::new(Full::new(asked.body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        for (name, value) in asked.headers {
            headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        if let Some(credential) = &self.credential {
            let (name, value) = credential.header();
            headers.insert(name, value);
        }
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("text/event-stream"),
        );
        Ok(request)
    }
}

fn events(body: Incoming, bytes_max: usize) -> Responses {
    let state = (body, Parser::new(bytes_max), VecDeque::new());
    let next = |(mut body, mut parser, mut ready): (Incoming, Parser, VecDeque<Said>)| async move {
        loop {
            match ready.pop_front() {
                Some(Said::Next(response)) => return Some((Ok(response), (body, parser, ready))),
                Some(Said::Complete) => return None,
                None => {}
            }
            let lost = match body.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.into_data().unwrap_or_default();
                    match parser.take(&data, &mut ready) {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Some(Err(error)) => FetchError::Lost(error.to_string()),
                None => FetchError::Lost("the event stream ended without `complete`".to_owned()),
            };
            // What follows is not read: the listener opens the stream again.
            return Some((Err(lost), (body, parser, ready)));
        }
    };
    stream::unfold(state, next).boxed()
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Next(Bytes),
    Complete,
}

/// Splits a stream of bytes into events.
struct Parser {
    line: Vec<u8>,
    kind: Vec<u8>,
    data: Option<Vec<u8>>,
    after_cr: bool,
    bytes_max: usize,
}

impl Parser {
    const fn new(bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            kind: Vec::new(),
            data: None,
            after_cr: false,
            bytes_max,
        }
    }

    fn take(&mut self, chunk: &[u8], ready: &mut VecDeque<Said>) -> Result<(), FetchError> {
        for byte in chunk {
            let follows_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if follows_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = *byte == b'\r';
                    self.end_line(ready);
                }
                byte => self.line.push(*byte),
            }
            let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
            if held > self.bytes_max {
                let bytes_max = self.bytes_max;
                return Err(FetchError::TooLong { bytes_max });
            }
        }
        Ok(())
    }

    fn end_line(&mut self, ready: &mut VecDeque<Said>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let kind = std::mem::take(&mut self.kind);
            let data = self.data.take();
            match (kind.as_slice(), data) {
                (b"complete", _) => ready.push_back(Said::Complete),
                (b"" | b"next" | b"message", Some(data)) => {
                    ready.push_back(Said::Next(data.into()))
                }
                _ => {}
            }
            return;
        }
        let (name, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.kind = value.to_vec(),
            b"data" => match &mut self.data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => self.data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(chunks: &[&str]) -> Vec<Said> {
        let mut parser = Parser::new(1_000);
        let mut ready = VecDeque::new();
        for chunk in chunks {
            parser.take(chunk.as_bytes(), &mut ready).unwrap();
        }
        ready.into()
    }

    #[test]
    fn events_are_read_whatever_their_line_ends_and_wherever_chunks_break() {
        let next = |text: &'static str| Said::Next(Bytes::from(text));
        let whole =
            "id: 1\nevent: next\ndata: {\"a\":\ndata: 1}\n\n:\n\nevent: complete\ndata:\n\n";
        let expected = [next("{\"a\":\n1}"), Said::Complete];
        assert_eq!(parsed(&[whole]), expected);
        assert_eq!(parsed(&[&whole.replace('\n', "\r\n")]), expected);
        assert_eq!(parsed(&[&whole.replace('\n', "\r")]), expected);
        let crlf = whole.replace('\n', "\r\n");
        let bytes: Vec<String> = crlf.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(parsed(&bytes), expected);
        assert_eq!(
            parsed(&["data:x\n\n", "event: ping\ndata: y\n\n", "event: next\n\n"]),
            [next("x")]
        );
    }

    #[test]
    fn an_event_without_end_is_refused_at_its_bound() {
        let mut parser = Parser::new(10);
        let refused = parser.take(b"data: 01234567890", &mut VecDeque::new());
        assert_eq!(refused, Err(FetchError::TooLong { bytes_max: 10 }));
    }
}
