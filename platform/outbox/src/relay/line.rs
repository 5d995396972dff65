//! What one sender sends: a shard of the order events, or all events of another topic.

use schema::event;

/// First key of the advisory locks: "outb" in ASCII. The second key is the shard.
const ORDERS_LOCK: i32 = 0x6f75_7462;
/// The same of other topics: "outt". The second key is the topic's.
const TOPICS_LOCK: i32 = 0x6f75_7474;

/// One of `of` parts of the outbox of order events, by order id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub(crate) number: u32,
    pub(crate) of: u32,
}

/// What one sender sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Line {
    /// Of the table `outbox`.
    Orders(Shard),
    /// The rows of the table `topic_outbox` that name this topic.
    Topic(&'static str),
}

impl Line {
    /// The two keys of the lock that its sender holds.
    pub(crate) fn lock(self) -> (i32, i32) {
        match self {
            Self::Orders(shard) => {
                let number = i32::try_from(shard.number).unwrap_or(i32::MAX);
                (ORDERS_LOCK, number)
            }
            Self::Topic(name) => (TOPICS_LOCK, hash(name)),
        }
    }

    /// The topic, by its name in the contracts.
    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Orders(_) => event::TOPIC,
            Self::Topic(name) => name,
        }
    }

    /// Its name in metrics and logs.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Orders(shard) => shard.number.to_string(),
            Self::Topic(name) => name.to_owned(),
        }
    }
}

/// The same in every process and release. Source: FNV-1a, 32 bits (RFC 9923).
fn hash(name: &str) -> i32 {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two releases that run side by side must agree on who sends.
    #[test]
    fn a_lines_lock_is_a_contract() {
        let shard = Shard { number: 3, of: 4 };
        assert_eq!(Line::Orders(shard).lock(), (0x6f75_7462, 3));
        assert_eq!(hash("a"), 0xe40c_292c_u32.cast_signed());
        let topic = Line::Topic(event::STOCK_TOPIC);
        assert_ne!(topic.lock(), Line::Topic("another").lock());
    }
}
