//! Keys of tokens: whose are believed, where they come from, and over which addresses.

use std::path::PathBuf;

use chassis::config::{self, Loaded};
use chassis::principal::{Issuer, KeySet, description_url, is_protected};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{Refused, Settings};

/// Keys of tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keys {
    /// A JWKS file with the public keys of the issuer whose tokens are believed; this, `keys.jwks_url` or
    /// `keys.discovery_enabled` is needed in production. A key that is added is found when a token names it.
    pub jwks: Option<PathBuf>,
    /// Where that issuer serves its public keys: a JWKS document of at most 64 KiB and 32 keys, over HTTPS or on loopback.
    pub jwks_url: Option<String>,
    /// Asks the issuer itself where its public keys are: in `/.well-known/openid-configuration` under `keys.issuer`, which is
    /// then an address, over HTTPS or on loopback (OpenID Connect Discovery). `keys.jwks_url` goes before.
    pub discovery_enabled: bool,
    /// How long fetched keys are believed before they are fetched again. A token with an unknown key makes them be fetched
    /// at once, but not more often than every 5 s; what cannot be fetched stays as it was.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "chassis::config::duration::AboveZero")]
    pub jwks_ttl: std::time::Duration,
    /// The claim `iss` of that issuer's tokens.
    pub issuer: String,
    /// What the claim `aud` of that issuer's tokens contains when they are for this marketplace.
    pub audience: String,
    /// The claim of that issuer's tokens with the user's id: a whole number above 0.
    pub user_claim: String,
    /// The claim of that issuer's tokens with the scopes, as one text or as a list.
    pub scope_claim: String,
    /// The router's private key, with which it signs its own short-lived tokens; made when missing.
    pub router: Option<PathBuf>,
    /// A JWKS file with the router's public keys. Unset, the router puts its own into the state folder; between machines
    /// that share none it must be set.
    pub router_jwks: Option<PathBuf>,
    /// This service's own private key (Ed25519, PKCS#8 PEM), with which it proves itself to the others. Without one, a key is
    /// made at each start and its public half put into `keys.services_dir`.
    pub service: Option<PathBuf>,
    /// The folder with the public keys of all services, `SERVICE.KEY-ID.jwk` each; whoever can write there is a service.
    /// `keys/services` in the state folder unless set.
    pub services_dir: Option<PathBuf>,
    /// Whether the built-in issuer of the demo hands out tokens.
    pub demo_issuer_enabled: Option<bool>,
    /// Lets the demo's issuer run where other machines reach it. They then get tokens for any user.
    pub demo_issuer_beyond_loopback_enabled: bool,
}

impl Keys {
    /// The issuer that the settings describe, with these keys.
    pub(crate) fn issuer(&self, keys: KeySet) -> Issuer {
        Issuer {
            name: self.issuer.clone(),
            audience: self.audience.clone(),
            user_claim: self.user_claim.clone(),
            scope_claim: self.scope_claim.clone(),
            keys,
        }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            jwks: None,
            jwks_url: None,
            discovery_enabled: false,
            jwks_ttl: std::time::Duration::from_mins(5),
            issuer: "marketplace".to_owned(),
            audience: "marketplace".to_owned(),
            user_claim: "sub".to_owned(),
            scope_claim: "scope".to_owned(),
            router: None,
            router_jwks: None,
            service: None,
            services_dir: None,
            demo_issuer_enabled: None,
            demo_issuer_beyond_loopback_enabled: false,
        }
    }
}

/// Refuses keys that somebody between us and the issuer could replace.
///
/// # Errors
/// [`Refused::Config`] for an address of keys, or of the issuer who is to say it, that is neither HTTPS nor on loopback.
pub(super) fn check(loaded: &Loaded<Settings>) -> Result<(), Refused> {
    let keys = &loaded.settings.keys;
    if let Some(url) = &keys.jwks_url {
        let reason = match Url::parse(url) {
            Ok(url) if is_protected(&url) => return Ok(()),
            Ok(_) => "keys that come unencrypted from another machine may be anybody's".to_owned(),
            Err(error) => format!("it is not a valid URL ({error})"),
        };
        let expected = "https://HOST/PATH, or http:// on loopback";
        return Err(refused(loaded, "keys.jwks_url", url, reason, expected));
    }
    match description_url(&keys.issuer) {
        Err(error) if keys.discovery_enabled => {
            let reason = format!("keys.discovery_enabled is on, and {error}");
            let expected = "https://HOST/PATH without a query, or http:// on loopback";
            Err(refused(
                loaded,
                "keys.issuer",
                &keys.issuer,
                reason,
                expected,
            ))
        }
        _ => Ok(()),
    }
}

fn refused(
    loaded: &Loaded<Settings>,
    setting: &str,
    value: &str,
    reason: String,
    expected: &str,
) -> Refused {
    Refused::Config(config::Error::Value {
        setting: setting.into(),
        value: config::mask_urls(value).into_owned(),
        origin: Box::new(loaded.origin(setting)),
        reason,
        expected: expected.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Common;

    fn load(set: &[&str]) -> Result<Settings, Refused> {
        let common = Common {
            set: set.iter().map(|&it| it.to_owned()).collect(),
            ..Common::default()
        };
        Settings::load(&common)
    }

    /// Fails with the issuer's name not looked at.
    #[test]
    fn an_issuer_that_is_asked_for_its_keys_is_an_address() {
        let on = "keys.discovery_enabled=true";
        assert!(load(&[on, "keys.issuer=https://id.example/realms/shop"]).is_ok());
        assert!(load(&[on, "keys.issuer=http://127.0.0.1:9"]).is_ok());
        assert!(load(&["keys.issuer=shop"]).is_ok(), "nobody asks it");
        assert!(load(&[on, "keys.jwks_url=https://id.example/keys"]).is_ok());
        for bad in [
            "shop",
            "http://id.example",
            "https://id.example?x=1",
            "https://u:hidden@id.example",
        ] {
            let text = load(&[on, &format!("keys.issuer={bad}")]).unwrap_err();
            let text = text.to_string();
            for part in ["keys.issuer", "keys.discovery_enabled", "https://HOST"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("hidden"), "{text}");
        }
        let default = load(&[on]).unwrap_err().to_string();
        assert!(default.contains("keys.issuer"), "{default}");
    }

    /// Fails with every scheme and every host taken.
    #[test]
    fn keys_come_over_an_address_that_nobody_between_can_change() {
        for good in [
            "https://id.example/keys",
            "http://127.0.0.1:9/keys",
            "http://[::1]/keys",
            "http://localhost/keys",
        ] {
            assert!(load(&[&format!("keys.jwks_url={good}")]).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example/keys",
            "http://10.0.0.1/keys",
            "http://127.0.0.1.evil.example/keys",
            "http://localhost.evil.example/keys",
            "http://u:hidden@id.example/keys",
            "file:///etc/keys",
            "id.example/keys",
        ] {
            let text = load(&[&format!("keys.jwks_url={bad}")])
                .unwrap_err()
                .to_string();
            assert!(text.contains("https://HOST"), "{text}");
            assert!(!text.contains("hidden"), "{text}");
        }
    }
}
