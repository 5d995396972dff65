//! Looks at the trusted documents from time to time and at SIGHUP, and serves what is new and good.
//!
//! Invariant: documents that cannot be read change nothing; what is served stays, and the fault is told once.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use chassis::{fault::chain, tasks::Tasks};
use prometheus::{IntCounterVec, register_int_counter_vec};
use tokio::signal::unix::{SignalKind, signal};

use super::{DocumentsError, TrustedDocuments, is_document};
use crate::config;

static LOOKS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "marketplace_router_trusted_documents_reloads_total",
        "Changes of the trusted documents by result: loaded, or refused.",
        &["result"]
    )
    .expect("the name is registered once")
});

/// The trusted documents that are served now.
#[derive(Debug)]
pub(crate) struct Documents {
    settings: config::TrustedDocuments,
    served: ArcSwap<TrustedDocuments>,
}

impl Documents {
    /// Reads the documents that the settings name.
    ///
    /// # Errors
    /// [`DocumentsError`].
    pub(crate) fn load(settings: &config::TrustedDocuments) -> Result<Arc<Self>, DocumentsError> {
        let served = TrustedDocuments::load(settings)?;
        Ok(Arc::new(Self {
            settings: settings.clone(),
            served: ArcSwap::from_pointee(served),
        }))
    }

    /// What is served now.
    pub(in crate::serve) fn served(&self) -> Arc<TrustedDocuments> {
        self.served.load_full()
    }

    /// Looks again at such intervals, until the tasks' token; where none are named there is nothing to look at.
    pub(crate) fn watch(self: &Arc<Self>, interval: Duration, tasks: &Tasks) {
        for result in ["loaded", "refused"] {
            LOOKS.with_label_values(&[result]).inc_by(0);
        }
        if self.settings.path.as_os_str().is_empty() {
            return;
        }
        let (stop, documents) = (tasks.token(), Arc::clone(self));
        tasks.spawn("trusted documents", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = documents.look_repeatedly(interval) => {}
            }
        });
    }

    async fn look_repeatedly(&self, interval: Duration) {
        let mut hangups = signal(SignalKind::hangup()).ok();
        // What changed before this is loaded once more.
        let mut seen = None;
        loop {
            let hung_up = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = hung_up => {}
            }
            seen = self.look(seen).await;
        }
    }

    /// Loads them if they are others than those seen, and gives what is seen now.
    async fn look(&self, seen: Option<Vec<Stamp>>) -> Option<Vec<Stamp>> {
        let settings = self.settings.clone();
        let reading = move || {
            let now = stamps(&settings.path).unwrap_or_default();
            let is_same = seen.as_ref() == Some(&now);
            let loaded = (!is_same).then(|| TrustedDocuments::load(&settings));
            (now, loaded)
        };
        let Ok((now, loaded)) = tokio::task::spawn_blocking(reading).await else {
            return None;
        };
        match loaded {
            None => {}
            Some(Ok(documents)) if documents == *self.served() => {}
            Some(Ok(documents)) => {
                self.served.store(Arc::new(documents));
                LOOKS.with_label_values(&["loaded"]).inc();
                tracing::info!("other trusted documents are served");
            }
            Some(Err(error)) => {
                LOOKS.with_label_values(&["refused"]).inc();
                let error = chain(&error);
                tracing::error!(%error, "the trusted documents are refused; those that are served stay");
            }
        }
        Some(now)
    }
}

/// What the file system says of a file.
type Stamp = (PathBuf, SystemTime, u64);

/// The stamp of a manifest, or of each document of a folder.
fn stamps(path: &Path) -> io::Result<Vec<Stamp>> {
    let stamp = |path: PathBuf| -> io::Result<Stamp> {
        let of = fs::metadata(&path)?;
        Ok((path, of.modified()?, of.len()))
    };
    if !path.is_dir() {
        return Ok(vec![stamp(path.to_owned())?]);
    }
    let mut stamps = Vec::new();
    for file in fs::read_dir(path)? {
        let file = file?.path();
        if is_document(&file) {
            stamps.push(stamp(file)?);
        }
    }
    stamps.sort();
    Ok(stamps)
}

#[cfg(test)]
mod tests {
    use federation::GraphRequest;

    use super::*;

    const OFTEN: Duration = Duration::from_millis(10);

    fn write(path: &Path, text: &str) {
        let part = path.with_extension("part");
        fs::write(&part, text).expect("written");
        fs::rename(&part, path).expect("renamed");
    }

    fn serves(documents: &Documents, text: &str) -> bool {
        let request = GraphRequest {
            query: Some(text.to_owned()),
            ..GraphRequest::default()
        };
        documents.served().resolve(&request).is_ok()
    }

    async fn until(documents: &Documents, text: &str) {
        testkit::eventually(text, Duration::from_secs(20), async || {
            serves(documents, text).then_some(())
        })
        .await;
    }

    fn looks(result: &str) -> u64 {
        LOOKS.with_label_values(&[result]).get()
    }

    #[tokio::test]
    async fn documents_that_change_are_served_and_those_that_cannot_be_read_change_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = folder.path().join("manifest.json");
        write(&manifest, r#"{"one":"{a}"}"#);
        let tasks = Tasks::new();
        let load = |path: &Path| {
            let documents = Documents::load(&config::TrustedDocuments {
                path: path.to_owned(),
                required: true,
            });
            let documents = documents.expect("documents");
            documents.watch(OFTEN, &tasks);
            documents
        };
        let documents = load(&manifest);
        write(&manifest, r#"{"one":"{a}","two":"{b}"}"#);
        until(&documents, "{b}").await;
        assert!(serves(&documents, "{a}") && !serves(&documents, "{c}"));
        for bad in ["<html>", "{}", r#"{"operations":[{"id":"one"}]}"#] {
            let before = looks("refused");
            write(&manifest, bad);
            testkit::eventually(bad, Duration::from_secs(20), async || {
                (looks("refused") > before).then_some(())
            })
            .await;
            assert!(serves(&documents, "{a}"), "{bad}");
        }
        fs::remove_file(&manifest).expect("removed");
        write(&manifest, r#"{"three":"{c}"}"#);
        until(&documents, "{c}").await;
        assert!(
            !serves(&documents, "{a}"),
            "what was taken out is served no longer"
        );

        let texts = folder.path().join("texts");
        fs::create_dir(&texts).expect("a folder");
        write(&texts.join("a.graphql"), "{a}");
        let documents = load(&texts);
        write(&texts.join("b.gql"), "{b}");
        until(&documents, "{b}").await;
        write(&texts.join("a.graphql"), "{aa}");
        until(&documents, "{aa}").await;
        assert!(serves(&documents, "{b}") && !serves(&documents, "{a}"));
        assert!(tasks.shutdown(Duration::from_secs(10)).await.is_empty());
    }
}
