//! What the mutations of orders and stock share: who calls, and why a mutation has no result.

use async_graphql::Context;
use chassis::{
    fault::{self, Coded},
    graphql::{UserError, UserErrorCode, principal, traceparent},
};

use crate::access::{Access, Caller};

/// The caller of a mutation, with its idempotency key: the argument, else the header.
///
/// # Errors
/// No token, a service without the scope of operators, or a key that breaks its rule.
pub(crate) fn caller(ctx: &Context<'_>, key: Option<String>) -> Result<Caller, MutationError> {
    let principal = principal(ctx)?;
    let access = Access::of(principal).map_err(MutationError::of)?;
    let key = idempotency::graphql::key(ctx, key).map_err(MutationError::of)?;
    Ok(Caller {
        access,
        user: principal.user,
        key,
        traceparent: traceparent(ctx),
    })
}

/// Why a mutation has no result.
#[derive(Debug)]
pub(crate) enum MutationError {
    /// The caller can mend it: it goes into the payload's `userErrors`.
    Refused(UserError),
    /// The caller cannot: it takes the place of the payload.
    Failed(async_graphql::Error),
}

impl MutationError {
    /// Sorts an error by its code.
    pub(crate) fn of(error: impl Coded) -> Self {
        match UserError::try_of(&error) {
            Some(refusal) => Self::Refused(refusal),
            None => Self::Failed(fault::graphql(error)),
        }
    }

    /// An argument outside its bounds; `path` leads to it from `input`.
    pub(crate) fn invalid<S: Into<String>>(
        path: impl IntoIterator<Item = S>,
        message: &impl ToString,
    ) -> Self {
        let path = path.into_iter().map(Into::into);
        let field = std::iter::once("input".to_owned()).chain(path);
        Self::Refused(UserError {
            code: UserErrorCode::InvalidArgument,
            field: Some(field.collect()),
            message: message.to_string(),
            shortage: None,
        })
    }
}

impl From<async_graphql::Error> for MutationError {
    fn from(error: async_graphql::Error) -> Self {
        Self::Failed(error)
    }
}
