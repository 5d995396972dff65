//! Shares out a span of time, so that a crowd does not do the same thing at once.

use std::{
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A share of a span: of a crowd that takes one each, none has another's, and any few of them lie far apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Share(f64);

impl Share {
    /// The next share, from 0 to just below 1.
    ///
    /// Source: multiplicative hashing by the golden ratio (Knuth, The Art of Computer Programming, 6.4).
    pub(crate) fn take() -> Self {
        let turn = NEXT.fetch_add(1, Relaxed).wrapping_mul(40_503);
        Self(f64::from(turn) / f64::from(u16::MAX) * 0.999)
    }

    /// The share's place in `span`.
    pub(crate) fn of(self, span: Duration) -> Duration {
        span.mul_f64(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_spread_over_the_whole_span() {
        let mut tenths = [0_u32; 10];
        for _ in 0..1_000 {
            let place = Share::take().of(Duration::from_secs(10)).as_secs();
            tenths[usize::try_from(place).unwrap()] += 1;
        }
        assert!(
            tenths.iter().all(|count| (90..=110).contains(count)),
            "{tenths:?}"
        );
    }
}
