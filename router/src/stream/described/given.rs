//! The arguments of `@stream` as a schema gives them.

use serde_json::{Map, Value};

use super::{Readers, fault::Fault};

/// The directive's arguments.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) topic: Option<String>,
    pub(super) key: Option<String>,
    pub(super) entity: Option<String>,
    pub(super) version: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) state: Option<String>,
    pub(super) is_public: bool,
    pub(super) is_numeric: bool,
}

impl Given {
    /// Reads them.
    pub(super) fn read(given: &Map<String, Value>) -> Result<Self, Fault> {
        let mut read = Self::default();
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            let wrong = || Fault::Wrong(name.clone());
            let text = || {
                let text = value.as_str().map(str::trim).filter(|it| !it.is_empty());
                text.map(|text| Some(text.to_owned())).ok_or_else(wrong)
            };
            let flag = || value.as_bool().ok_or_else(wrong);
            match name.as_str() {
                "topic" => read.topic = text()?,
                "key" => read.key = text()?,
                "entity" => read.entity = text()?,
                "version" => read.version = text()?,
                "owner" => read.owner = text()?,
                "scope" => read.scope = text()?,
                "state" => read.state = text()?,
                "public" => read.is_public = flag()?,
                "numeric" => read.is_numeric = flag()?,
                _ => return Err(Fault::Unknown(name.clone())),
            }
        }
        Ok(read)
    }

    /// Who reads the stream.
    pub(super) fn readers(&self) -> Result<Readers, Fault> {
        match (self.is_public, &self.owner, self.scope.as_deref()) {
            (true, None, None) => Ok(Readers::Everybody),
            (false, Some(_), None) => Ok(Readers::Owners),
            (false, None, Some("ops")) => Ok(Readers::Operators),
            (false, None, Some("customer")) => Ok(Readers::Customers),
            (false, None, Some(other)) => Err(Fault::Scope(other.to_owned())),
            (false, None, None) if self.state.is_some() => Ok(Readers::WhoSeesTheState),
            _ => Err(Fault::Readers),
        }
    }
}
