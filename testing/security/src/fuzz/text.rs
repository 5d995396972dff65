//! Random text, and damage to text that was whole.

use rand::{Rng as _, rngs::StdRng, seq::IndexedRandom as _};

/// Values that have been somebody's bug.
const STRINGS: [&str; 36] = [
    "",
    " ",
    "\u{0}",
    "a\u{0}b",
    "0",
    "-1",
    "1",
    "+1",
    "01",
    "1.0",
    "1e3",
    " 1",
    "1 ",
    "NaN",
    "null",
    "true",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999999",
    "1076963",
    "139275865",
    "1625903",
    "424242",
    "\u{feff}1",
    "\u{202e}",
    "😀",
    "é",
    "'; drop table orders; --",
    "\"",
    "\\",
    "{}",
    "[]",
    "../../etc/passwd",
    "%00",
    "MjAyNi0wMS0wMQ==",
];

/// Whether something of this likelihood, in percent, happens.
pub(super) fn chance(random: &mut StdRng, percent: u32) -> bool {
    random.random_range(0..100) < percent
}

/// A string that may be anything.
pub(super) fn string(random: &mut StdRng) -> String {
    if chance(random, 80) {
        return pick(random, &STRINGS).to_string();
    }
    let length = *pick(random, &[1_usize, 8, 255, 256, 257, 4_000]);
    let from = ["a", "0", "9", "ж", "\u{1}", "😀", " "];
    let unit = pick(random, &from);
    unit.repeat(length)
}

/// One of several, which must not be none.
pub(super) fn pick<'a, T>(random: &mut StdRng, from: &'a [T]) -> &'a T {
    from.choose(random)
        .expect("there is something to choose from")
}

/// Bytes of at most `max`.
pub(super) fn bytes(random: &mut StdRng, max: usize) -> Vec<u8> {
    let length = random.random_range(0..=max);
    (0..length).map(|_| random.random()).collect()
}

/// Removes, doubles or overwrites a few places.
pub(super) fn damage(random: &mut StdRng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..random.random_range(1..4) {
        if bytes.is_empty() {
            return bytes;
        }
        let at = random.random_range(0..bytes.len());
        let end = (at + random.random_range(1..20)).min(bytes.len());
        match random.random_range(0..4) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let doubled = bytes[at..end].to_vec();
                bytes.splice(at..at, doubled);
            }
            2 => bytes[at] = random.random(),
            _ => bytes.truncate(at),
        }
    }
    bytes
}
