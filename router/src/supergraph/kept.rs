//! The last good supergraph, kept on disk for a start without its source.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The file of one source's last good supergraph.
#[derive(Debug)]
pub(crate) struct Kept(PathBuf);

impl Kept {
    /// The file in `folder`; each source has its own, so that one never stands in for another.
    pub(crate) fn of(folder: &Path, source: &str) -> Self {
        let mut name = 0xcbf2_9ce4_8422_2325_u64;
        for byte in source.bytes() {
            // FNV-1a: the name must be the same in every version.
            name = (name ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Self(folder.join(format!("supergraph-{name:016x}.graphql")))
    }

    /// What was kept last.
    pub(crate) async fn read(&self) -> io::Result<String> {
        tokio::fs::read_to_string(&self.0).await
    }

    /// Keeps another, whole or not at all.
    pub(crate) async fn write(&self, text: &str) -> io::Result<()> {
        let part = self
            .0
            .with_extension(format!("part-{}", std::process::id()));
        if let Some(folder) = self.0.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        tokio::fs::write(&part, text).await?;
        tokio::fs::rename(&part, &self.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_source_finds_what_it_kept_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::of(folder.path(), "https://a/");
        assert!(kept.read().await.is_err());
        kept.write("one").await.unwrap();
        kept.write("two").await.unwrap();
        assert_eq!(
            Kept::of(folder.path(), "https://a/").read().await.unwrap(),
            "two"
        );
        assert!(Kept::of(folder.path(), "https://b/").read().await.is_err());
    }
}
