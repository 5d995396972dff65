//! `deploy/kubernetes/base` as data, and a pod of it as a native process: its environment, and its mounted files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::yaml;

/// Where secrets, public keys and state are mounted.
pub(super) const SECRETS: &str = "/run/secrets/marketplace";
pub(super) const KEYS: &str = "/etc/marketplace/keys";
pub(super) const STATE: &str = "/app/state";

/// A file of the repository.
pub(super) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every object that the base's `kustomization.yaml` lists.
pub(super) fn objects() -> Vec<Value> {
    let list = &yaml::documents(&read("deploy/kubernetes/base/kustomization.yaml"))[0];
    let files = texts(&list["resources"]);
    let read = |file| yaml::documents(&read(&format!("deploy/kubernetes/base/{file}")));
    files.into_iter().flat_map(read).collect()
}

/// The objects of a kind, by name.
pub(super) fn of_kind(kind: &str) -> BTreeMap<String, Value> {
    let all = objects().into_iter().filter(|it| it["kind"] == kind);
    all.map(|it| (text(&it["metadata"]["name"]).to_owned(), it))
        .collect()
}

/// Whatever runs pods, by name: the deployments and the job.
pub(super) fn workloads() -> BTreeMap<String, Value> {
    let mut all = of_kind("Deployment");
    all.extend(of_kind("Job"));
    all
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn texts(value: &Value) -> Vec<&str> {
    list(value).iter().map(text).collect()
}

/// The pod that a workload makes.
pub(super) fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

/// Its one container.
pub(super) fn container(workload: &Value) -> &Value {
    let containers = list(&pod(workload)["containers"]);
    assert_eq!(containers.len(), 1, "{workload}");
    &containers[0]
}

/// The ports of the container, by name.
pub(super) fn ports(workload: &Value) -> BTreeMap<&str, u16> {
    let ports = list(&container(workload)["ports"]).iter();
    ports
        .map(|port| (text(&port["name"]), number(&port["containerPort"])))
        .collect()
}

pub(super) fn number<T: std::str::FromStr>(value: &Value) -> T {
    let parsed = text(value).parse();
    parsed.unwrap_or_else(|_| panic!("no number: {value}"))
}

/// The variables that the container has, those of its ConfigMaps among them.
pub(super) fn environment(workload: &Value) -> BTreeMap<String, String> {
    let container = container(workload);
    let mut all = BTreeMap::new();
    let mut add = |name: &str, value: &str| {
        let earlier = all.insert(name.to_owned(), value.to_owned());
        assert_eq!(earlier, None, "{name} is set twice");
    };
    for source in list(&container["envFrom"]) {
        let name = text(&source["configMapRef"]["name"]);
        let file = name.strip_prefix("marketplace-").expect("one of ours");
        let lines = read(&format!("deploy/kubernetes/base/{file}.env"));
        for line in lines.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            add(name, value);
        }
    }
    for variable in list(&container["env"]) {
        add(text(&variable["name"]), text(&variable["value"]));
    }
    all
}

/// The files that a volume's sources give: each with the secret and the key that it is.
pub(super) fn secret_files(workload: &Value) -> BTreeMap<&str, (&str, &str)> {
    let volumes = list(&pod(workload)["volumes"]).iter();
    let sources = volumes.flat_map(|volume| list(&volume["projected"]["sources"]));
    let items = sources.flat_map(|source| {
        let secret = &source["secret"];
        let items = list(&secret["items"]).iter();
        items.map(move |item| {
            (
                text(&item["path"]),
                (text(&secret["name"]), text(&item["key"])),
            )
        })
    });
    items.collect()
}

/// What `make-secrets` prints for this owner's address of Postgres: the data of secrets and of ConfigMaps by name and key.
pub(super) fn made_secrets(owner: &str) -> BTreeMap<(String, String), Vec<u8>> {
    use std::io::Write as _;
    let mut child = Command::new(project("deploy/kubernetes/make-secrets"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{owner}").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let mut made = BTreeMap::new();
    for object in yaml::documents(&String::from_utf8(output.stdout).unwrap()) {
        let is_secret = object["kind"] == "Secret";
        for (key, value) in object["data"].as_object().unwrap() {
            let value = if is_secret {
                BASE64_STANDARD.decode(text(value)).unwrap()
            } else {
                text(value).as_bytes().to_vec()
            };
            let name = text(&object["metadata"]["name"]).to_owned();
            made.insert((name, key.clone()), value);
        }
    }
    made
}

/// The folders that stand for a pod's mounts.
#[derive(Debug)]
pub(super) struct Mounts {
    folder: PathBuf,
}

impl Mounts {
    /// Lays out the files of a workload as the kubelet does: each a link through `..data`.
    pub(super) fn lay(
        folder: PathBuf,
        workload: &Value,
        made: &BTreeMap<(String, String), Vec<u8>>,
    ) -> Self {
        let files = secret_files(workload).into_iter();
        let secrets = files.map(|(path, (name, key))| {
            let value = made.get(&(name.to_owned(), key.to_owned()));
            let value = value.unwrap_or_else(|| panic!("make-secrets makes no {name} {key}"));
            (path.to_owned(), value.clone())
        });
        lay(&folder.join("secrets"), secrets.collect());
        let is_public = |(name, _): &(String, String)| name == "public-keys";
        let public = made.iter().filter(|(at, _)| is_public(at));
        let public = public.map(|((_, key), value)| (key.clone(), value.clone()));
        lay(&folder.join("keys"), public.collect());
        std::fs::create_dir_all(folder.join("state")).unwrap();
        Self { folder }
    }

    /// A value with the folders of this machine.
    pub(super) fn here(&self, value: &str) -> String {
        let folder = |name: &str| self.folder.join(name).display().to_string();
        value
            .replace(SECRETS, &folder("secrets"))
            .replace(KEYS, &folder("keys"))
            .replace(STATE, &folder("state"))
    }
}

fn lay(folder: &Path, files: Vec<(String, Vec<u8>)>) {
    use std::os::unix::fs::symlink;
    std::fs::create_dir_all(folder.join("..first")).unwrap();
    symlink("..first", folder.join("..data")).unwrap();
    for (name, value) in files {
        std::fs::write(folder.join("..first").join(&name), value).unwrap();
        symlink(Path::new("..data").join(&name), folder.join(&name)).unwrap();
    }
}

/// The values of variables that end so, as sets of ports.
pub(super) fn listened(environment: &BTreeMap<String, String>) -> BTreeSet<u16> {
    let listens = environment
        .iter()
        .filter(|(name, _)| name.ends_with("_LISTEN"));
    listens
        .map(|(name, address)| {
            let port = address
                .strip_prefix("0.0.0.0:")
                .and_then(|it| it.parse().ok());
            port.unwrap_or_else(|| panic!("{name}={address} is reached by nobody"))
        })
        .collect()
}
