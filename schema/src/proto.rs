//! Generated gRPC code: messages, clients and servers. Source: `schema/proto`, docs/contracts.md §3 and §6.

/// Package `loms`: messages and the service `loms.Loms`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::missing_errors_doc,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod loms {
    tonic::include_proto!("loms");
}

/// Package `comments`: messages and the service `comments.Comments`.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::missing_errors_doc,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod comments {
    tonic::include_proto!("comments");
}

/// The services `Loms` and `Comments` without a package, over the same messages.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::missing_errors_doc,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod alias {
    // Generated code without a package names the messages' modules as its siblings.
    use super::{comments, loms};

    tonic::include_proto!("_");
}

/// All files above as an encoded `FileDescriptorSet`, for the reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
