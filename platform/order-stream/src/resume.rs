//! The cursor as clients hold it: a place, and what a snapshot has shown beyond it.
//!
//! To the log's own cursor it adds, after a snapshot, which version that showed: `<cursor>.<entity>-<version>`. The log's end
//! is taken before the snapshot is read, so an event that the snapshot already shows may lie behind the cursor; the mark
//! makes a client that resumes right there skip it too, on every interface that gives out cursors. Before the snapshot was
//! sent the version is 0: whoever resumes there gets one. A place that was given before anything was asked for is marked
//! `<cursor>.0`: of no entity anything was shown.

use std::{fmt, str::FromStr};

use crate::cursor::{Cursor, CursorError};

/// A version that the client has seen in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The entity that the snapshot showed, above 0: an order's id, or what [`number_of`] makes of a topic's key.
    pub entity: i64,
    /// Its version then.
    pub version: u32,
}

/// Where a stream resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResumePoint {
    /// The place.
    pub cursor: Cursor,
    /// What a snapshot has shown beyond it.
    pub seen: Option<Seen>,
    /// Whether it is before the first event of any stream.
    before_anything: bool,
}

/// The mark of such a place.
const BEFORE_ANYTHING: &str = "0";

impl ResumePoint {
    /// A place, and what a snapshot has shown beyond it.
    #[must_use]
    pub const fn new(cursor: Cursor, seen: Option<Seen>) -> Self {
        Self {
            cursor,
            seen,
            before_anything: false,
        }
    }

    /// A place for a client that has asked for nothing yet.
    #[must_use]
    pub const fn before_anything(cursor: Cursor) -> Self {
        Self {
            cursor,
            seen: None,
            before_anything: true,
        }
    }

    /// Whether a client that resumes here has seen nothing of the entity, not even its state.
    #[must_use]
    pub fn shows_nothing_of(&self, entity: i64) -> bool {
        self.before_anything || self.seen == Some(Seen::nothing(entity))
    }

    /// Whether it was given before anything was asked for. It is then a place among the order events.
    #[must_use]
    pub const fn is_before_anything(&self) -> bool {
        self.before_anything
    }
}

impl Seen {
    fn parse(text: &str) -> Option<Self> {
        let (entity, version) = text.split_once('-')?;
        Some(Self {
            entity: entity.parse().ok().filter(|entity| *entity > 0)?,
            version: version.parse().ok()?,
        })
    }

    /// That this version of the entity was shown.
    #[must_use]
    pub const fn of(entity: i64, version: u32) -> Self {
        Self { entity, version }
    }

    /// That nothing of the entity was shown yet.
    #[must_use]
    pub const fn nothing(entity: i64) -> Self {
        Self::of(entity, 0)
    }

    /// Whether the snapshot has shown this event.
    #[must_use]
    pub const fn covers(self, entity: i64, version: u32) -> bool {
        entity == self.entity && version <= self.version
    }

    /// Whether no later event of the stream can be one that the snapshot showed: versions only grow.
    #[must_use]
    pub const fn is_passed_by(self, entity: i64, version: u32) -> bool {
        entity == self.entity && version > self.version
    }
}

/// The number that stands for a topic's key in a cursor's mark: the key's own where it is one, as ids are.
///
/// Source: FNV-1a, 64 bits (RFC 9923). Two keys of one number would matter to a client only that resumes in another stream.
#[must_use]
pub fn number_of(key: &str) -> i64 {
    if let Some(id) = key.parse::<i64>().ok().filter(|id| *id > 0) {
        return id;
    }
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 1).cast_signed().max(1)
}

impl FromStr for ResumePoint {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let Some((cursor, mark)) = text.split_once('.') else {
            return Ok(Self::new(text.parse()?, None));
        };
        let cursor = cursor.parse()?;
        if mark == BEFORE_ANYTHING {
            return Ok(Self::before_anything(cursor));
        }
        let seen = Seen::parse(mark).ok_or(CursorError::Malformed)?;
        Ok(Self::new(cursor, Some(seen)))
    }
}

impl fmt::Display for ResumePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cursor)?;
        if let Some(seen) = self.seen {
            write!(f, ".{}-{}", seen.entity, seen.version)?;
        } else if self.before_anything {
            write!(f, ".{BEFORE_ANYTHING}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Format 1, the nil epoch, no partition: the start of an empty topic.
    const START: &str = "AQAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_place_survives_its_text_form() {
        for mark in ["", ".7-3", ".7-0", ".0"] {
            let text = format!("{START}{mark}");
            assert_eq!(text.parse::<ResumePoint>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn only_who_was_shown_something_goes_on_without_the_state() {
        let shows_nothing = |mark: &str, id| {
            let point = format!("{START}{mark}").parse::<ResumePoint>().unwrap();
            point.shows_nothing_of(id)
        };
        assert!(shows_nothing(".0", 7) && shows_nothing(".7-0", 7));
        assert!(!shows_nothing("", 7) && !shows_nothing(".7-3", 7) && !shows_nothing(".8-0", 7));
    }

    #[test]
    fn a_text_that_is_no_cursor_is_refused() {
        for mark in [
            ".-7-1", ".", ".7", ".1", ".0-1", ".7-", ".7-x", ".7-1.7-1", ".0.0",
        ] {
            let text = format!("{START}{mark}");
            let refused = text.parse::<ResumePoint>();
            assert_eq!(refused, Err(CursorError::Malformed), "{text}");
        }
    }
}
