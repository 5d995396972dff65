//! Who calls with a user's token, or with what looks like one.

use std::time::Duration;

use anyhow::Context as _;
use chassis::{
    clock::Clock,
    principal::{Scopes, Signer},
};
use chrono::TimeDelta;

use crate::stack::Stack;

const HOUR: Duration = Duration::from_secs(3_600);

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    /// No token.
    Nobody,
    /// Whom things belong to.
    Owner,
    /// Another user.
    Stranger,
    /// May do everything that a person may.
    Operator,
    /// A token that no interface may believe.
    Forged,
}

/// A caller with its token.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) caller: Caller,
    pub(super) name: &'static str,
    /// Empty for none.
    pub(super) token: String,
}

/// Everybody; the owner is the user `owner`, the next two are the stranger and the operator.
///
/// # Errors
/// When the issuer gives no token.
pub(super) async fn persons(stack: &Stack, owner: i64) -> anyhow::Result<Vec<Person>> {
    let real = stack.token(owner, false).await?;
    let mut persons = vec![
        (Caller::Nobody, "nobody", String::new()),
        (Caller::Owner, "owner", real.clone()),
        (
            Caller::Stranger,
            "stranger",
            stack.token(owner + 1, false).await?,
        ),
        (
            Caller::Operator,
            "operator",
            stack.token(owner + 2, true).await?,
        ),
    ];
    for (name, token) in forged(stack, owner, &real)? {
        persons.push((Caller::Forged, name, token));
    }
    let person = |(caller, name, token)| Person {
        caller,
        name,
        token,
    };
    Ok(persons.into_iter().map(person).collect())
}

/// Tokens that look like one and are none; each says that it is an operator's, where it says anything.
fn forged(stack: &Stack, owner: i64, real: &str) -> anyhow::Result<[(&'static str, String); 8]> {
    let user = owner.try_into()?;
    let issued = |clock| -> anyhow::Result<String> {
        let issuer = Signer::load(&stack.keys().join("demo.pem"), clock)?;
        let token = issuer.user_token(user, Scopes::OPS, HOUR);
        Ok(token.expose().to_owned())
    };
    let unknown = Signer::generate(Clock::system());
    let unknown = unknown.user_token(user, Scopes::OPS, HOUR);
    let parts: Vec<&str> = real.split('.').collect();
    let [head, claims, signature] = *parts.as_slice() else {
        anyhow::bail!("a token has three parts");
    };
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let (_, service) = stack.service_token().context("no service's key")?;
    Ok([
        ("of an unknown key", unknown.expose().to_owned()),
        ("expired", issued(Clock::ahead_by(TimeDelta::hours(-3)))?),
        ("of tomorrow", issued(Clock::ahead_by(TimeDelta::days(1)))?),
        ("without a signature", format!("{none}.{claims}.")),
        ("with a signature cut off", format!("{head}.{claims}.")),
        (
            "with another's claims",
            format!("{head}.{claims}x.{signature}"),
        ),
        ("of a service", service.to_str()?.to_owned()),
        ("of nonsense", "a.b.c".to_owned()),
    ])
}
