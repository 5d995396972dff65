//! The whole marketplace, seen from outside: tests that start the real binary and use it as each kind of user does.
//!
//! Everything is in `tests/it`. The binary is the one beside the tests: `make test` builds both, `cargo test -p e2e`
//! alone needs `cargo build -p marketplace` first.
