//! Trusted documents: operations that were written down before they are asked for, and then are asked for by an id.
//!
//! Invariant: where nothing else is served, what runs is a text of the manifest, byte by byte.
//! Sources: the manifest of Apollo's clients (`apollo-persisted-query-manifest`, version 1), Relay's map of ids to texts, the
//! protocol `extensions.persistedQuery`, and `documentId` of the draft appendix on persisted documents of GraphQL over HTTP.

mod watch;

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use federation::{GraphRequest, document_hash};
use schema::code::ErrorCode;
use serde::Deserialize;

pub(crate) use self::watch::Documents;
use crate::{config, error::RequestError};

/// The longest manifest, or document of a folder, that is read.
const BYTES_MAX: u64 = 64 << 20;

/// Why there are no trusted documents.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// The file or folder cannot be read.
    #[error("router.trusted_documents.path: reading {}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The file is no manifest.
    #[error("router.trusted_documents.path: {} is no manifest of operations: {error}", .path.display())]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        error: serde_json::Error,
    },
    /// Two texts have one id, so nobody could tell which is meant.
    #[error("router.trusted_documents.path: two operations have the id {0}")]
    TwoOfAnId(String),
    /// Everything would be refused.
    #[error(
        "router.trusted_documents.required needs documents, and router.trusted_documents.path names none"
    )]
    None,
}

/// The documents that are trusted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedDocuments {
    /// Texts by their ids, and by their SHA-256.
    texts: HashMap<String, String>,
    is_required: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    Operations { operations: Vec<Operation> },
    Texts(HashMap<String, String>),
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

impl TrustedDocuments {
    /// Reads the documents that the settings name.
    ///
    /// # Errors
    /// [`DocumentsError`].
    pub(crate) fn load(config: &config::TrustedDocuments) -> Result<Self, DocumentsError> {
        let mut documents = Self {
            texts: HashMap::new(),
            is_required: config.required,
        };
        let path = &config.path;
        let failed = |path: &Path, error| DocumentsError::File {
            path: path.to_owned(),
            error,
        };
        if path.as_os_str().is_empty() {
        } else if path.is_dir() {
            for file in fs::read_dir(path).map_err(|error| failed(path, error))? {
                let file = file.map_err(|error| failed(path, error))?.path();
                if is_document(&file) {
                    let text = read(&file).map_err(|error| failed(&file, error))?;
                    documents.add(document_hash(&text), text)?;
                }
            }
        } else {
            let text = read(path).map_err(|error| failed(path, error))?;
            let manifest =
                serde_json::from_str(&text).map_err(|error| DocumentsError::Manifest {
                    path: path.clone(),
                    error,
                })?;
            match manifest {
                Manifest::Operations { operations } => {
                    for Operation { id, body } in operations {
                        documents.add(id, body)?;
                    }
                }
                Manifest::Texts(texts) => {
                    for (id, text) in texts {
                        documents.add(id, text)?;
                    }
                }
            }
        }
        if documents.is_required && documents.texts.is_empty() {
            return Err(DocumentsError::None);
        }
        Ok(documents)
    }

    fn add(&mut self, id: String, text: String) -> Result<(), DocumentsError> {
        let hash = document_hash(&text);
        for name in [id, hash] {
            match self.texts.get(&name) {
                Some(other) if *other != text => return Err(DocumentsError::TwoOfAnId(name)),
                Some(_) => {}
                None => {
                    self.texts.insert(name, text.clone());
                }
            }
        }
        Ok(())
    }

    /// The request with the text that its id means. An id that is none of ours is left for the operations that clients persist
    /// themselves, unless only trusted documents are served.
    ///
    /// # Errors
    /// `FORBIDDEN` with `reason` `NOT_TRUSTED`.
    pub(super) fn resolve<'a>(
        &self,
        request: &'a GraphRequest,
    ) -> Result<Cow<'a, GraphRequest>, RequestError> {
        if self.texts.is_empty() {
            return Ok(Cow::Borrowed(request));
        }
        let text = match &request.query {
            Some(text) => self.texts.get(&document_hash(text)),
            None => {
                let name = request.document_name();
                name.and_then(|name| self.texts.get(name.id?))
            }
        };
        match text {
            Some(text) => {
                let mut request = request.clone();
                request.query = Some(text.clone());
                request.forget_document_name();
                Ok(Cow::Owned(request))
            }
            None if self.is_required => Err(not_trusted()),
            None => Ok(Cow::Borrowed(request)),
        }
    }
}

/// Names a document by the parameter `documentId` in place of the extension; `sha256:` is the prefix of a hash.
pub(super) fn name(request: &mut GraphRequest, document_id: &str) {
    let id = document_id.strip_prefix("sha256:").unwrap_or(document_id);
    request.name_document(id);
}

fn not_trusted() -> RequestError {
    let text = "only trusted documents are served, and this operation is none of them (router.trusted_documents.required)";
    RequestError::new(ErrorCode::Forbidden, text).with("reason", "NOT_TRUSTED")
}

/// Whether a file of a folder is one of the documents.
fn is_document(file: &Path) -> bool {
    let ending = file.extension().and_then(|it| it.to_str());
    matches!(ending, Some("graphql" | "gql"))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = fs::File::open(path)?;
    let bytes = file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > BYTES_MAX) {
        let error = format!("it is longer than {BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(path: &Path, required: bool) -> Result<TrustedDocuments, DocumentsError> {
        TrustedDocuments::load(&config::TrustedDocuments {
            path: path.to_owned(),
            required,
        })
    }

    fn asked(text: Option<&str>, id: Option<&str>) -> GraphRequest {
        let mut request = GraphRequest {
            query: text.map(str::to_owned),
            ..GraphRequest::default()
        };
        if let Some(id) = id {
            name(&mut request, id);
        }
        request
    }

    const APOLLO: &str = r#"{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"one","name":"A","type":"query","body":"{a}"}]}"#;

    #[test]
    fn a_manifest_of_either_form_or_a_folder_says_what_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.json");
        let hash = document_hash("{a}");
        for (text, id) in [(APOLLO, "one"), (r#"{"one":"{a}"}"#, "one")] {
            fs::write(&file, text).unwrap();
            let documents = load(&file, true).unwrap();
            for named in [
                asked(None, Some(id)),
                asked(None, Some(&format!("sha256:{hash}"))),
            ] {
                let request = documents.resolve(&named).unwrap();
                assert_eq!(request.query.as_deref(), Some("{a}"));
                assert!(request.extensions.is_empty());
            }
            assert!(documents.resolve(&asked(Some("{a}"), None)).is_ok());
            for foreign in [
                asked(Some("{b}"), None),
                asked(Some("{b}"), Some(id)),
                asked(None, Some("two")),
                asked(None, None),
            ] {
                let refused = documents.resolve(&foreign).unwrap_err();
                assert_eq!(refused.code(), ErrorCode::Forbidden);
                assert_eq!(refused.errors()[0].extensions["reason"], "NOT_TRUSTED");
            }
            let beside = load(&file, false).unwrap();
            assert_eq!(
                beside
                    .resolve(&asked(Some("{b}"), None))
                    .unwrap()
                    .query
                    .as_deref(),
                Some("{b}")
            );
            assert_eq!(
                beside.resolve(&asked(None, Some("two"))).unwrap().query,
                None
            );
        }
        fs::write(folder.path().join("b.graphql"), "{b}").unwrap();
        let documents = load(folder.path(), true).unwrap();
        assert!(
            documents
                .resolve(&asked(None, Some(&document_hash("{b}"))))
                .is_ok()
        );
        assert!(documents.resolve(&asked(Some("{a}"), None)).is_err());
    }

    #[test]
    fn documents_that_are_none_stop_the_start_and_say_why() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("manifest.json");
        let twice = r#"{"operations":[{"id":"one","body":"{a}"},{"id":"one","body":"{b}"}]}"#;
        for (text, said) in [
            ("<html>", "no manifest"),
            ("[]", "no manifest"),
            (r#"{"operations":[{"id":"one"}]}"#, "no manifest"),
            (twice, "the id one"),
            ("{}", "names none"),
        ] {
            fs::write(&file, text).unwrap();
            let refused = load(&file, true).unwrap_err().to_string();
            assert!(refused.contains(said), "{text}: {refused}");
        }
        let away = load(&folder.path().join("away"), false)
            .unwrap_err()
            .to_string();
        assert!(away.contains("reading") && away.contains("away"), "{away}");
        assert!(load(Path::new(""), false).is_ok());
        assert!(matches!(
            load(Path::new(""), true),
            Err(DocumentsError::None)
        ));
    }
}
