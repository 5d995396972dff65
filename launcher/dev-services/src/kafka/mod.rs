//! A real Apache Kafka 4.1.2 on loopback, on the machine's Java: one `KRaft` node, or one of several that are a [`cluster`].
//!
//! The jars come from a pinned Maven pom, once. Acknowledged messages survive kill -9 of any process; they are not
//! fsynced one by one, so a power cut may lose the last ones. The first clean stop leaves a class data archive, with
//! which later starts take about half the time. A machine that is too slow to write it while it stops tries once.

pub mod cluster;
pub mod member;

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::time::{Instant, sleep};

use self::member::Member;
use crate::child::{Output, STOP_LIMIT, Supervised, tail};
use crate::java::{self, Java};
use crate::process::{Identity, Signal};
use crate::{Error, Progress, maven, port, run};

/// The version that the pom pins; `compose.yaml` uses the same.
pub const VERSION: &str = "4.1.2";

const POM: &str = include_str!("../../kafka/pom.xml");
const PROPERTIES: &str = include_str!("../../kafka/server.properties");
const QUORUM: &str = include_str!("../../kafka/quorum.properties");
const LOGGING: &str = include_str!("../../kafka/log4j2.xml");
const CLUSTER_ID: &str = "bWFya2V0cGxhY2UtZGV2Lg"; // any 16 bytes in base64 will do; it names the cluster, not a secret
const READY_LIMIT: Duration = Duration::from_secs(60);
const JVM: [&str; 5] = [
    "-Xmx128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
];

/// Where and how the broker runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The broker's own folder: data, configuration, pid.
    pub dir: PathBuf,
    /// Its log file.
    pub log: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Where jars and the class data archive are kept.
    pub cache: PathBuf,
    /// A folder that is removed if this process dies without stopping the broker.
    pub cleanup: Option<PathBuf>,
    /// Its place in a cluster; none: it is a cluster of its own.
    pub member: Option<Member>,
}

/// A running broker. Dropping it stops the broker in the background.
#[derive(Debug)]
pub struct Kafka {
    settings: Settings,
    java: Java,
    brokers: String,
    child: Supervised,
    new_archive: Option<(PathBuf, PathBuf)>,
}

impl Kafka {
    /// Fetches what is missing, starts the broker and waits until it answers a metadata request.
    ///
    /// # Errors
    /// When Java or Maven are missing, the jars cannot be fetched, or the broker does not become ready within 60 s, or as
    /// many for each broker of its cluster.
    ///
    /// # Cancel safety
    /// Dropping the future leaves no process behind.
    pub async fn start(mut settings: Settings, progress: &Progress) -> Result<Self, Error> {
        let java = fetch(&settings.cache, progress).await?;
        if settings.port == 0 {
            settings.port = port::free();
        }
        crate::state::create_private(&settings.dir)?;
        if let Some(orphan) = Identity::find_running(&settings.dir.join("pid")) {
            progress.say(
                "kafka",
                "stopping the broker that an earlier run left behind",
            );
            orphan.stop(Signal::Term, STOP_LIMIT, Signal::Kill).await;
        }
        prepare(&settings, &java, progress).await?;
        progress.say("kafka", "starting");
        let (child, new_archive) = spawn(&settings, &java)?;
        let brokers = format!("127.0.0.1:{}", settings.port);
        let mut kafka = Self {
            settings,
            java,
            brokers,
            child,
            new_archive,
        };
        kafka.wait_ready().await?;
        progress.say("kafka", "ready");
        Ok(kafka)
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The broker's pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until the broker ends by itself, which is always a fault. Cancel safe.
    pub async fn wait(&mut self) -> ExitStatus {
        self.child.wait().await
    }

    /// Kills the broker with SIGKILL and waits for its end; [`Kafka::restart`] brings it back with the same data.
    pub async fn kill(&mut self) {
        self.child.kill().await;
        self.discard_archive();
    }

    /// Starts a killed or stopped broker again on the same port and data. One whose data folder is gone begins with an empty
    /// one.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub async fn restart(&mut self) -> Result<(), Error> {
        let status = self.child.stop(STOP_LIMIT).await;
        self.keep_archive(status);
        prepare(&self.settings, &self.java, &Progress::silent()).await?;
        (self.child, self.new_archive) = spawn(&self.settings, &self.java)?;
        self.wait_ready().await
    }

    /// Stops the broker: SIGTERM, then SIGKILL after `limit`.
    pub async fn stop(mut self, limit: Duration) {
        let status = self.child.stop(limit).await;
        self.keep_archive(status);
    }

    async fn wait_ready(&mut self) -> Result<(), Error> {
        // Several start at once, on the same processors, and none is ready before it has heard of the others.
        let together = self.settings.member.as_ref().map_or(1, Member::together);
        let limit = READY_LIMIT * together;
        let deadline = Instant::now() + limit;
        while !answers_metadata(&self.brokers).await {
            let log = self.settings.log.clone();
            if self.child.try_wait().is_some() {
                return Err(Error::Exited {
                    service: "kafka",
                    tail: tail(&log),
                    log,
                });
            }
            if Instant::now() >= deadline {
                return Err(Error::NotReady {
                    service: "kafka",
                    seconds: limit.as_secs(),
                    log,
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The archive is written while the JVM ends, so it only gets its name when the end was clean. Where it had to be killed,
    /// the next end is not held up by another try.
    fn keep_archive(&mut self, status: ExitStatus) {
        let Some((temporary, archive)) = self.new_archive.take() else {
            return;
        };
        let kept = if status.signal().is_some() {
            std::fs::write(given_up(&archive), "")
        } else if temporary.exists() {
            std::fs::rename(&temporary, &archive)
        } else {
            Ok(())
        };
        if let Err(error) = kept {
            tracing::debug!(%error, "cannot keep the class data archive");
        }
    }

    fn discard_archive(&mut self) {
        if let Some((temporary, _)) = self.new_archive.take()
            && std::fs::remove_file(&temporary).is_err()
        {
            tracing::trace!("no class data archive was begun");
        }
    }
}

/// The file that says that this machine did not write the archive in time.
fn given_up(archive: &Path) -> PathBuf {
    archive.with_extension("slow")
}

/// Whether the jars are already here, for `doctor`.
#[must_use]
pub fn is_fetched(cache: &Path) -> bool {
    std::fs::read_to_string(jars(cache).join(".complete")).is_ok_and(|known| known == POM)
}

fn jars(cache: &Path) -> PathBuf {
    cache.join(format!("kafka-{VERSION}"))
}

/// Whether the broker at `brokers` answers a metadata request and names a broker. An open port alone proves little.
pub async fn answers_metadata(brokers: &str) -> bool {
    if tokio::net::TcpStream::connect(brokers).await.is_err() {
        return false;
    }
    let brokers = brokers.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "100")
            .set("log_level", "0")
            .create()
            .ok()?;
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(2)).ok()?;
        (!metadata.brokers().is_empty()).then_some(())
    });
    matches!(asked.await, Ok(Some(())))
}

/// Finds Java and the jars, or fetches them.
async fn fetch(cache: &Path, progress: &Progress) -> Result<Java, Error> {
    let java = java::find_or_install(progress).await?;
    let message = format!("fetching Apache Kafka {VERSION} from Maven Central, once, about 43 MB");
    let goal = "dependency:copy-dependencies";
    maven::fetch("kafka", POM, goal, &jars(cache), &message, progress).await?;
    Ok(java)
}

/// Writes the configuration, and formats a data folder that is new or was emptied.
async fn prepare(settings: &Settings, java: &Java, progress: &Progress) -> Result<(), Error> {
    write_configuration(settings)?;
    if !settings.dir.join("data/meta.properties").exists() {
        progress.say("kafka", "formatting its storage");
        format(settings, java).await?;
    }
    Ok(())
}

fn write_configuration(settings: &Settings) -> Result<(), Error> {
    let alone = Member::alone();
    let member = settings.member.as_ref().unwrap_or(&alone);
    let text = PROPERTIES
        .replace("{id}", &member.id.to_string())
        .replace("{voters}", &member.voters())
        .replace("{copies}", &member.copies().to_string())
        .replace("{insync}", &member.insync().to_string())
        .replace("{session}", member.session_ms())
        .replace("{port}", &settings.port.to_string())
        .replace("{controller}", &member.controller().to_string())
        .replace("{data}", &settings.dir.join("data").display().to_string());
    let text = text + if member.is_alone() { "" } else { QUORUM };
    let file = settings.dir.join("server.properties");
    std::fs::write(&file, text).map_err(Error::file(&file))?;
    let logging = settings.dir.join("log4j2.xml");
    std::fs::write(&logging, LOGGING).map_err(Error::file(&logging))
}

async fn format(settings: &Settings, java: &Java) -> Result<(), Error> {
    let mut command = java_command(settings, java);
    command.args([
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "-t",
        CLUSTER_ID,
        "-c",
    ]);
    command.arg(settings.dir.join("server.properties"));
    run::to_end(
        "formatting Kafka's storage",
        &mut tokio::process::Command::from(command),
    )
    .await?;
    Ok(())
}

fn spawn(
    settings: &Settings,
    java: &Java,
) -> Result<(Supervised, Option<(PathBuf, PathBuf)>), Error> {
    let archive = jars(&settings.cache).join(format!("classes-{}.jsa", java.version));
    let temporary = settings.dir.join("classes.jsa");
    let mut command = java.command();
    let new_archive = if archive.exists() {
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        None
    } else if given_up(&archive).exists() {
        None
    } else {
        command.arg(format!("-XX:ArchiveClassesAtExit={}", temporary.display()));
        Some((temporary, archive))
    };
    add_class_path(&mut command, settings);
    command
        .arg("kafka.Kafka")
        .arg(settings.dir.join("server.properties"));
    let cleanup = settings.cleanup.as_deref();
    let mut child = Supervised::start(
        "kafka",
        command,
        Output::Log(&settings.log),
        Signal::Term,
        cleanup,
    )?;
    if new_archive.is_some() {
        child.has_last_work("writing an archive of classes, for quicker starts");
    }
    child.record(&settings.dir.join("pid"))?;
    if let Some(member) = &settings.member {
        child.record(&member.pid_file)?;
    }
    Ok((child, new_archive))
}

fn java_command(settings: &Settings, java: &Java) -> Command {
    let mut command = java.command();
    add_class_path(&mut command, settings);
    command
}

/// Adds the options common to every JVM. The class path lists its jars by name, in order: an archive is only valid
/// for the very class path it was made with.
fn add_class_path(command: &mut Command, settings: &Settings) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(jars(&settings.cache))
        .map(|entries| {
            entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .collect()
        })
        .unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jar"));
    paths.sort();
    let class_path = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(":");
    command.args(JVM).arg(format!(
        "-Dlog4j2.configurationFile={}",
        settings.dir.join("log4j2.xml").display()
    ));
    command.args(["-cp", &class_path]);
}
