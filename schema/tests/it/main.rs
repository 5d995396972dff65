//! What the schema promises to programs that were compiled against older copies of it.

mod wire;
