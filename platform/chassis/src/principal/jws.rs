//! A token's outer form: three parts in base64url, a header that names the key, claims, a signature. Every token is read
//! here, a user's and a service's.
//!
//! Strict where RFC 7515 leaves a choice: a member comes once (§4), base64url is canonical and unpadded (§2), and a header
//! that asks for what is not understood here refuses the token (§4.1.11). Nothing is decoded of a token that is too long.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, crypto};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{TokenError, keyset::Key};

/// The most bytes of a token that is read.
pub(super) const TOKEN_MAX: usize = 8 << 10;
/// Members that would have the header bring a key of its own, change what is signed, or extend the rules. Source:
/// RFC 7515 §4.1, RFC 7516 §4.1, RFC 7797 §3, RFC 8725 §3.10.
const REFUSED: [&str; 10] = [
    "crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c", "epk",
];

/// A token whose signature is not checked yet.
#[derive(Debug)]
pub(super) struct Compact<'a> {
    /// The name of the algorithm in the header.
    algorithm: String,
    /// The id of the key.
    pub(super) key: String,
    /// What is signed.
    signed: &'a str,
    /// The signature in base64url.
    signature: &'a str,
    payload: &'a str,
}

impl<'a> Compact<'a> {
    /// Takes a token apart.
    pub(super) fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > TOKEN_MAX {
            return Err(TokenError::Invalid("it is longer than 8192 bytes"));
        }
        let malformed = TokenError::Invalid("it is not a JSON Web Token");
        let Some((signed, signature)) = token.rsplit_once('.') else {
            return Err(malformed);
        };
        let Some((header, payload)) = signed.split_once('.') else {
            return Err(malformed);
        };
        if payload.contains('.') || payload.is_empty() || signature.is_empty() {
            return Err(malformed);
        }
        bytes(signature)?;
        let header = object(header)?;
        if REFUSED.iter().any(|member| header.contains_key(*member)) {
            let reason = "its header has a member that is not understood here";
            return Err(TokenError::Invalid(reason));
        }
        let text = |member: &str| header.get(member).and_then(Value::as_str);
        let is_token = match header.get("typ") {
            None => true,
            Some(typ) => typ.as_str().is_some_and(is_token_type),
        };
        if !is_token {
            return Err(TokenError::Invalid("its type is not a token's"));
        }
        let (Some(algorithm), Some(key)) = (text("alg"), text("kid")) else {
            return Err(TokenError::Invalid("its algorithm or its key is not named"));
        };
        Ok(Self {
            algorithm: algorithm.to_owned(),
            key: key.to_owned(),
            signed,
            signature,
            payload,
        })
    }

    /// The claims of a token that this key signed.
    pub(super) fn signed_by(&self, key: &Key) -> Result<Map<String, Value>, TokenError> {
        if self.algorithm.parse::<Algorithm>().ok() != Some(key.algorithm) {
            return Err(TokenError::Invalid("its algorithm is not its key's"));
        }
        let message = self.signed.as_bytes();
        let is_good = crypto::verify(self.signature, message, &key.key, key.algorithm);
        if !is_good.unwrap_or(false) {
            return Err(TokenError::Invalid("its signature is wrong"));
        }
        self.claims()
    }

    /// The claims; to be believed once the signature is checked.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, TokenError> {
        object(self.payload)
    }
}

/// Source: RFC 7519 §5.1, RFC 9068 §2.1, RFC 8693 §3 for media types without their prefix.
fn is_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    let name = typ.strip_prefix("application/").unwrap_or(&typ);
    matches!(name, "jwt" | "at+jwt")
}

fn bytes(part: &str) -> Result<Vec<u8>, TokenError> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(part);
    decoded.map_err(|_| TokenError::Invalid("a part of it is not base64url"))
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let read = serde_json::from_slice::<Unique>(&bytes(part)?);
    let Unique(members) =
        read.map_err(|_| TokenError::Invalid("a part of it is not an object of unique members"))?;
    Ok(members)
}

/// An object in which no member comes twice.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(Unique(members))
    }
}
