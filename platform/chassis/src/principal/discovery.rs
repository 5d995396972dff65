//! Where an issuer serves its keys, by its own description. Source: OpenID Connect Discovery 1.0 §3 and §4.
//!
//! The description is believed as the keys are that it leads to. So it comes over an address that nobody between can change,
//! it is of the issuer that was asked and of no other, and what it names is as well protected as itself.

use serde::Deserialize;
use url::{Host, Url};

/// Why an issuer's keys were not found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer's name is no address under which it could describe itself.
    #[error("the issuer is no address of a description: {0}")]
    Issuer(&'static str),
    /// The description is no JSON object with the texts `issuer` and `jwks_uri`, each once.
    #[error("the issuer's description cannot be read: {0}")]
    Description(#[from] serde_json::Error),
    /// Source: OpenID Connect Discovery 1.0 §4.3.
    #[error("the description is another issuer's: its `issuer` must be the setting to the letter")]
    AnotherIssuer,
    /// The keys would come from where somebody could replace them.
    #[error(
        "the description's `jwks_uri` is not an https:// address, nor on loopback as the issuer is"
    )]
    Unprotected,
}

/// What is read of a description.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

/// Whether nobody between this machine and the address can change what comes from there: over HTTPS, or from this machine
/// itself.
#[must_use]
pub fn is_protected(address: &Url) -> bool {
    let is_here = match address.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && is_here)
}

/// The address of the description of the issuer with this name.
///
/// # Errors
/// [`DiscoveryError::Issuer`] for a name that is no protected address, or one with a query, a fragment or a user.
pub fn description_url(issuer: &str) -> Result<Url, DiscoveryError> {
    let address = Url::parse(issuer).map_err(|_| DiscoveryError::Issuer("it is no URL"))?;
    if !is_protected(&address) {
        return Err(DiscoveryError::Issuer(
            "it is neither https:// nor http:// on loopback",
        ));
    }
    if address.query().is_some() || address.fragment().is_some() {
        return Err(DiscoveryError::Issuer("it has a query or a fragment"));
    }
    if !address.username().is_empty() || address.password().is_some() {
        return Err(DiscoveryError::Issuer("it names a user"));
    }
    // A slash at the end is taken away first; the path of an issuer among several stays in front.
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    Url::parse(&format!("{issuer}/.well-known/openid-configuration"))
        .map_err(|_| DiscoveryError::Issuer("it is no URL"))
}

/// The address of the keys in the description of `issuer`.
pub(super) fn jwks_url(description: &[u8], issuer: &str) -> Result<Url, DiscoveryError> {
    let description: Description = serde_json::from_slice(description)?;
    if description.issuer != issuer {
        return Err(DiscoveryError::AnotherIssuer);
    }
    let keys = Url::parse(&description.jwks_uri).map_err(|_| DiscoveryError::Unprotected)?;
    // An issuer elsewhere may not send this machine to itself.
    let is_here = Url::parse(issuer).is_ok_and(|issuer| issuer.scheme() == "http");
    if keys.scheme() == "https" || (is_here && is_protected(&keys)) {
        return Ok(keys);
    }
    Err(DiscoveryError::Unprotected)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Fails with the path of the issuer left out, and with every scheme taken.
    #[test]
    fn the_description_lies_under_the_issuer() {
        for (issuer, url) in [
            (
                "https://id.example",
                "https://id.example/.well-known/openid-configuration",
            ),
            (
                "https://id.example/",
                "https://id.example/.well-known/openid-configuration",
            ),
            (
                "https://id.example:8443/realms/shop",
                "https://id.example:8443/realms/shop/.well-known/openid-configuration",
            ),
            (
                "http://127.0.0.1:9/a/",
                "http://127.0.0.1:9/a/.well-known/openid-configuration",
            ),
            (
                "http://[::1]:9",
                "http://[::1]:9/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(description_url(issuer).unwrap().as_str(), url);
        }
        for wrong in [
            "",
            "marketplace",
            "id.example",
            "http://id.example",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.example",
            "ftp://id.example",
            "https://",
            "https://id.example?tenant=1",
            "https://id.example#here",
            "https://u@id.example",
            "https://u:p@id.example",
        ] {
            assert!(description_url(wrong).is_err(), "{wrong}");
        }
    }

    /// Seen red with a comparison that passes over a slash at the end.
    #[test]
    fn a_description_is_of_the_issuer_to_the_letter_and_names_protected_keys() {
        let issuer = "https://id.example/a";
        let keys = |issuer: &str, of: &str, keys: &str| {
            let description = json!({"issuer": of, "jwks_uri": keys, "scopes_supported": []});
            jwks_url(description.to_string().as_bytes(), issuer)
        };
        let good = "https://keys.example/jwks?of=a";
        assert_eq!(keys(issuer, issuer, good).unwrap().as_str(), good);
        for other in [
            "https://id.example/a/",
            "https://id.example/A",
            "https://ID.example/a",
            "https://id.example:443/a",
            "https://evil.example",
            " https://id.example/a",
        ] {
            let refused = keys(issuer, other, good).unwrap_err();
            assert!(
                matches!(refused, DiscoveryError::AnotherIssuer),
                "{refused}"
            );
        }
        for open in [
            "http://keys.example/",
            "http://127.0.0.1/",
            "file:///etc/jwks",
            "/jwks",
            "",
        ] {
            let refused = keys(issuer, issuer, open).unwrap_err();
            assert!(
                matches!(refused, DiscoveryError::Unprotected),
                "{open}: {refused}"
            );
        }
        let here = "http://127.0.0.1:9";
        assert!(keys(here, here, "http://127.0.0.1:9/keys").is_ok());
        assert!(keys(here, here, "http://keys.example/").is_err());
        for unread in [
            "",
            "[]",
            "{}",
            r#"{"issuer":7,"jwks_uri":"https://k/"}"#,
            r#"{"issuer":"https://id.example/a"}"#,
            r#"{"issuer":"https://evil.example","issuer":"https://id.example/a","jwks_uri":"https://k/"}"#,
        ] {
            let refused = jwks_url(unread.as_bytes(), issuer).unwrap_err();
            assert!(
                matches!(refused, DiscoveryError::Description(_)),
                "{unread}: {refused}"
            );
        }
    }
}
