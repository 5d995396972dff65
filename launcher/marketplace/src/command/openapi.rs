//! `marketplace openapi`: the OpenAPI documents as the code has them now.

use crate::cli::Document;
use crate::output;

/// Prints one document.
pub(crate) fn run(of: Document) {
    output::result(&text(of));
}

fn text(of: Document) -> String {
    let gateway = |name| rest::openapi(name).expect("this gateway has a document");
    match of {
        Document::Cart => gateway("cart"),
        Document::Loms => gateway("loms"),
        Document::Comments => gateway("comments"),
        Document::Product => product_service::openapi(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients are generated from the committed documents.
    #[test]
    fn the_committed_documents_are_those_of_the_code() {
        for (of, committed) in [
            (
                Document::Cart,
                include_str!("../../../../schema/openapi/cart.json"),
            ),
            (
                Document::Loms,
                include_str!("../../../../schema/openapi/loms.json"),
            ),
            (
                Document::Comments,
                include_str!("../../../../schema/openapi/comments.json"),
            ),
            (
                Document::Product,
                include_str!("../../../../schema/openapi/product.json"),
            ),
        ] {
            assert!(
                text(of) == committed,
                "{of:?} changed: run `make gen` and commit what it writes"
            );
        }
    }
}
