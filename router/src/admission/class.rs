//! How urgent an operation is.

use chassis::admission::Priority;
use federation::{OperationKind, Prepared};

/// The mutations that bring the shop its money.
const PAYMENTS: [&str; 2] = ["checkout", "payOrder"];

/// The class of an operation. One that only pays is a payment; what also does something else is not. Without a token
/// everything is anonymous.
pub(crate) fn class(prepared: &Prepared, has_token: bool) -> Priority {
    of(prepared.kind(), has_token, prepared.root_fields())
}

fn of<'a>(
    kind: OperationKind,
    has_token: bool,
    mut root_fields: impl Iterator<Item = &'a str>,
) -> Priority {
    match kind {
        _ if !has_token => Priority::Anonymous,
        OperationKind::Subscription => Priority::Resume,
        OperationKind::Mutation if root_fields.all(|name| PAYMENTS.contains(&name)) => {
            Priority::Payment
        }
        OperationKind::Mutation => Priority::Mutation,
        OperationKind::Query if root_fields.all(|name| name.starts_with("__")) => {
            Priority::Anonymous
        }
        OperationKind::Query => Priority::Read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_as_urgent_as_the_least_of_its_fields() {
        use OperationKind::{Mutation, Query, Subscription};
        let cases: [(_, _, &[&str], _); 9] = [
            (Mutation, true, &["checkout"], Priority::Payment),
            (Mutation, true, &["payOrder", "payOrder"], Priority::Payment),
            (
                Mutation,
                true,
                &["payOrder", "addToCart"],
                Priority::Mutation,
            ),
            (Mutation, false, &["payOrder"], Priority::Anonymous),
            (Subscription, true, &["orderEvents"], Priority::Resume),
            (Query, true, &["me"], Priority::Read),
            (Query, true, &["__schema", "me"], Priority::Read),
            (
                Query,
                true,
                &["__schema", "__typename"],
                Priority::Anonymous,
            ),
            (Query, false, &["product"], Priority::Anonymous),
        ];
        for (kind, has_token, fields, class) in cases {
            let found = of(kind, has_token, fields.iter().copied());
            assert_eq!(found, class, "{kind:?} {fields:?}");
        }
    }
}
