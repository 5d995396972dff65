//! Server-sent events, read from the chunks of a body. Source: the event-stream format of the HTML standard.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

/// Received bytes that are not yet a whole event.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    buffer: Vec<u8>,
}

impl Frames {
    /// Takes a chunk; the events that it completes. Comments, which are heartbeats, give none.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            events.extend(event(&String::from_utf8_lossy(&block)));
        }
        events
    }
}

fn event(block: &str) -> Option<Event> {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" if event.data.is_empty() => value.clone_into(&mut event.data),
            "data" => {
                event.data.push('\n');
                event.data.push_str(value);
            }
            _ => {}
        }
    }
    (!event.name.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_body_is_cut() {
        let body =
            b":\n\nid: c1\nevent: next\ndata: {\"a\":\ndata: 1}\n\nevent: complete\ndata:\n\n";
        let whole = Frames::default().push(body);
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].id, "c1");
        assert_eq!(whole[0].data, "{\"a\":\n1}");
        assert_eq!(whole[1].name, "complete");
        let mut frames = Frames::default();
        let pieces: Vec<Event> = body.chunks(1).flat_map(|byte| frames.push(byte)).collect();
        assert_eq!(pieces, whole);
    }
}
