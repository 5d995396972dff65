//! A file or a URL with a supergraph: read when it has changed, never more of it than is taken in.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use reqwest::{Client, StatusCode, header, redirect};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;
use url::Url;

use crate::{
    config::{BUILT_IN, Config},
    engine,
};

/// How long one fetch may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no supergraph.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be read.
    #[error("reading {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The URL was not reached.
    #[error("the URL of router.supergraph does not answer")]
    Http(#[source] reqwest::Error),
    /// The URL answers something else.
    #[error("the URL of router.supergraph answers with status {0}")]
    Status(StatusCode),
    /// It is longer than what is taken in.
    #[error("the supergraph is longer than {0} bytes (router.supergraph_reload.bytes_max)")]
    TooLong(usize),
    /// It cannot be served.
    #[error(transparent)]
    Load(federation::LoadError),
    /// It is no text.
    #[error("the supergraph is not UTF-8")]
    Text,
    /// The header of the settings is none.
    #[error("router.supergraph_reload.header is not name: value")]
    Header,
}

/// Where the supergraph is, and what was last seen there.
#[derive(Debug)]
pub(crate) struct Source {
    place: Place,
    /// The hash of what it was: a server without tags answers the same again and again.
    seen: Option<[u8; 32]>,
}

#[derive(Debug)]
enum Place {
    /// The shop's own, which never changes.
    BuiltIn,
    /// A file, by what the file system last said of it.
    File {
        path: PathBuf,
        bytes_max: usize,
        seen: Option<(SystemTime, u64)>,
    },
    /// A URL, by the tag that came with what it last answered.
    Url {
        client: Client,
        url: Url,
        bytes_max: usize,
        seen: Option<header::HeaderValue>,
    },
}

impl Source {
    /// The source that the settings name.
    ///
    /// # Errors
    /// [`SourceError`] when no client for its URL can be made.
    pub(crate) fn new(config: &Config) -> Result<Self, SourceError> {
        let place = Place::new(config)?;
        Ok(Self { place, seen: None })
    }

    /// Whether it is the shop's own, which never changes.
    pub(crate) const fn is_built_in(&self) -> bool {
        matches!(self.place, Place::BuiltIn)
    }

    /// The supergraph, if it is another than at the last look.
    ///
    /// # Errors
    /// [`SourceError`]; the next look tries again.
    pub(crate) async fn look(&mut self) -> Result<Option<String>, SourceError> {
        let Some(bytes) = self.place.read().await? else {
            return Ok(None);
        };
        let hash = Some(Sha256::digest(&bytes).into());
        if self.seen == hash {
            return Ok(None);
        }
        let text = String::from_utf8(bytes).map_err(|_| SourceError::Text)?;
        self.seen = hash;
        Ok(Some(text))
    }
}

impl Place {
    fn new(config: &Config) -> Result<Self, SourceError> {
        let named = config.supergraph.as_str();
        let bytes_max = config.supergraph_reload.bytes_max;
        if named == BUILT_IN {
            return Ok(Self::BuiltIn);
        }
        let url = Url::parse(named).ok();
        let Some(url) = url.filter(|url| matches!(url.scheme(), "http" | "https")) else {
            return Ok(Self::File {
                path: named.into(),
                bytes_max,
                seen: None,
            });
        };
        let mut headers = header::HeaderMap::new();
        let given = config.supergraph_reload.header.expose();
        if !given.is_empty() {
            let (name, value) = engine::read_header(given).ok_or(SourceError::Header)?;
            headers.insert(name, value);
        }
        // A redirect would let the graph come from somewhere that nobody named.
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .default_headers(headers)
            .build()
            .map_err(SourceError::Http)?;
        Ok(Self::Url {
            client,
            url,
            bytes_max,
            seen: None,
        })
    }

    /// What is there, unless it says that it has not changed.
    async fn read(&mut self) -> Result<Option<Vec<u8>>, SourceError> {
        match self {
            Self::BuiltIn => Ok(None),
            Self::File {
                path,
                bytes_max,
                seen,
            } => file(path, *bytes_max, seen).await,
            Self::Url {
                client,
                url,
                bytes_max,
                seen,
            } => fetch(client, url, *bytes_max, seen).await,
        }
    }
}

async fn file(
    path: &Path,
    bytes_max: usize,
    seen: &mut Option<(SystemTime, u64)>,
) -> Result<Option<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::File {
        path: path.to_owned(),
        error,
    };
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    let of = file.metadata().await.map_err(failed)?;
    let now = (of.modified().map_err(failed)?, of.len());
    if *seen == Some(now) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bounded = (&mut file).take(bound.saturating_add(1));
    bounded.read_to_end(&mut bytes).await.map_err(failed)?;
    if bytes.len() > bytes_max {
        return Err(SourceError::TooLong(bytes_max));
    }
    *seen = Some(now);
    Ok(Some(bytes))
}

async fn fetch(
    client: &Client,
    url: &Url,
    bytes_max: usize,
    seen: &mut Option<header::HeaderValue>,
) -> Result<Option<Vec<u8>>, SourceError> {
    let failed = |error: reqwest::Error| SourceError::Http(error.without_url());
    let mut request = client.get(url.clone());
    if let Some(tag) = seen {
        request = request.header(header::IF_NONE_MATCH, tag.clone());
    }
    let mut response = request.send().await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED => return Ok(None),
        status => return Err(SourceError::Status(status)),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            return Err(SourceError::TooLong(bytes_max));
        }
    }
    *seen = response.headers().get(header::ETAG).cloned();
    Ok(Some(bytes))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
