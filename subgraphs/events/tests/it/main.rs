//! What the committed SDL must hold: the frame's fields, the digests of composition, a description everywhere.

mod described;
mod frame;
mod supergraph;
