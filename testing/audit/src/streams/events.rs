//! One event stream. Source: the HTML standard, 9.2.6.

use anyhow::{Context as _, bail, ensure};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    case::{QUIET, WAIT},
    target::Caller,
};

/// What a client of event streams accepts.
pub(super) const ACCEPT: &str = "text/event-stream";

/// An open stream.
#[derive(Debug)]
pub(super) struct Events {
    response: Response,
    bytes: Vec<u8>,
    /// What would be sent as `Last-Event-ID` now.
    pub(super) last_id: Option<String>,
    /// Comments so far, those that say nothing too.
    pub(super) comments: Vec<String>,
    /// The last `retry:`, in milliseconds.
    pub(super) retry: Option<u64>,
}

/// One event.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    /// `None` where there is no data field, so that a browser drops the event.
    pub(super) data: Option<String>,
}

impl Event {
    /// The data as JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        let data = self.data.as_deref().unwrap_or_default();
        serde_json::from_str(data).with_context(|| format!("{data:?} is not JSON"))
    }
}

impl Events {
    /// Opens the stream of an operation.
    pub(super) async fn open(caller: &Caller, query: &str) -> anyhow::Result<Self> {
        Self::of(caller.post(ACCEPT, &json!({ "query": query })).await?)
    }

    /// The stream of a response, which must be one.
    pub(super) fn of(response: Response) -> anyhow::Result<Self> {
        let status = response.status();
        let kind = response.headers().get("content-type");
        let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
        ensure!(
            status == 200 && kind.starts_with(ACCEPT),
            "{status} and {kind:?} for an event stream"
        );
        Ok(Self {
            response,
            bytes: Vec::new(),
            last_id: None,
            comments: Vec::new(),
            retry: None,
        })
    }

    /// A header of the response.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next event; `None` at the body's orderly end.
    ///
    /// An error when the body broke off.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        timeout(WAIT, self.read()).await.context("no event came")?
    }

    async fn read(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            while let Some(block) = self.take_block() {
                if let Some(event) = self.read_block(&block) {
                    return Ok(Some(event));
                }
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    async fn more(&mut self) -> anyhow::Result<bool> {
        let chunk = self.response.chunk().await.context("the body broke off")?;
        let Some(chunk) = chunk else {
            return Ok(false);
        };
        self.bytes
            .extend(chunk.iter().filter(|byte| **byte != b'\r'));
        Ok(true)
    }

    fn take_block(&mut self) -> Option<String> {
        let end = self.bytes.windows(2).position(|two| two == b"\n\n")?;
        let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
        Some(String::from_utf8_lossy(&block).into_owned())
    }

    fn read_block(&mut self, block: &str) -> Option<Event> {
        let (mut name, mut data) = (String::new(), None::<String>);
        for line in block.lines().filter(|line| !line.is_empty()) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => self.comments.push(value.to_owned()),
                "id" => self.last_id = Some(value.to_owned()),
                "retry" => self.retry = value.parse().ok(),
                "event" => value.clone_into(&mut name),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                _ => {}
            }
        }
        (!name.is_empty() || data.is_some()).then_some(Event { name, data })
    }

    /// The next event, which must be `next`; its response.
    pub(super) async fn frame(&mut self) -> anyhow::Result<Value> {
        match self.next().await? {
            Some(event) if event.name == "next" => event.json(),
            other => bail!("{other:?} for next"),
        }
    }

    /// The next event, which must be `complete` with a data field, and after it the end of the body.
    pub(super) async fn ends(&mut self) -> anyhow::Result<()> {
        match self.next().await? {
            Some(Event {
                name,
                data: Some(_),
            }) if name == "complete" => {}
            other => bail!("{other:?} for complete"),
        }
        let more = self.next().await?;
        ensure!(more.is_none(), "{more:?} behind complete");
        Ok(())
    }

    /// Reads until there is a comment.
    pub(super) async fn comment(&mut self) -> anyhow::Result<()> {
        let before = self.comments.len();
        let read = async {
            loop {
                while let Some(block) = self.take_block() {
                    let event = self.read_block(&block);
                    ensure!(event.is_none(), "{event:?} for a comment");
                }
                if self.comments.len() > before {
                    return Ok(());
                }
                ensure!(self.more().await?, "the body ended");
            }
        };
        timeout(WAIT, read).await.context("no comment came")?
    }

    /// Looks that no event comes for a while.
    pub(super) async fn is_quiet(&mut self) -> anyhow::Result<()> {
        match timeout(QUIET, self.read()).await {
            Err(_) => Ok(()),
            Ok(came) => bail!("{:?} came where nothing may", came?),
        }
    }
}
