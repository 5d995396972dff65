//! Nothing: the features of shared dependencies are in this crate's manifest, with the reason.
