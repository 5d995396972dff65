//! The committed supergraph against the subgraphs it was composed from. Needs no Node.

use schema::sdl::{CART, COMMENTS, EVENTS, LOMS, SUPERGRAPH};
use sha2::{Digest as _, Sha256};

const INPUTS: [(&str, &str); 4] = [
    ("cart", CART),
    ("loms", LOMS),
    ("comments", COMMENTS),
    ("events", EVENTS),
];

/// The composer writes the digest of each input into the header. Seen red with a blank added to an input.
#[test]
fn the_supergraph_is_composed_from_the_committed_subgraphs() {
    for (name, sdl) in INPUTS {
        let line = format!("# {name} {}", hex::encode(Sha256::digest(sdl)));
        let found = SUPERGRAPH
            .lines()
            .take_while(|line| line.starts_with('#'))
            .any(|header| header == line);
        assert!(
            found,
            "{name}.graphql changed after composition: run `make compose-schema`"
        );
    }
}
