//! Layers, origins and refusals, on a small tree of settings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::*;

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    comments: Comments,
    password: Secret,
    file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Store {
    /// Kept.
    OnDisk,
    /// Lost.
    Memory,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Comments {
    /// How long an author may edit.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "super::duration::AboveZero")]
    edit_window: Duration,
    #[schemars(range(min = 1))]
    lines: u32,
    port: u16,
    listen: SocketAddr,
    #[schemars(length(min = 1))]
    databases: Vec<String>,
    #[schemars(with = "BTreeMap<String, url::Url>")]
    urls: BTreeMap<String, String>,
    shops: BTreeMap<String, Shop>,
    #[schemars(url)]
    home: String,
    #[schemars(extend("x-formerly" = "is_open"))]
    open: bool,
    store: Store,
    #[schemars(range(min = 0.0, max = 1.0))]
    share: f64,
}

/// A group of settings, of which there may be many.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Shop {
    /// How long it may take.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "Option<super::duration::AboveZero>")]
    timeout: Option<Duration>,
    /// What it sells.
    goods: Vec<String>,
    /// Whether it is open.
    open: bool,
}

impl Default for Comments {
    fn default() -> Self {
        Self {
            edit_window: Duration::from_secs(900),
            lines: 3,
            port: 80,
            listen: ([127, 0, 0, 1], 80).into(),
            databases: vec!["one".into(), "two".into()],
            urls: [
                ("a".into(), "http://a/".into()),
                ("b".into(), "http://b/".into()),
            ]
            .into(),
            shops: BTreeMap::new(),
            home: "http://home/".into(),
            open: true,
            store: Store::OnDisk,
            share: 1.0,
        }
    }
}

fn env(pairs: &[(&str, &str)]) -> Sources {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Sources {
        env: pairs.iter().map(owned).collect(),
        ..Sources::none()
    }
}

fn file(text: &str) -> (tempfile::NamedTempFile, Sources) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        ..Sources::none()
    };
    (file, sources)
}

fn refusal(sources: Sources) -> String {
    load::<Settings>(sources).unwrap_err().to_string()
}

#[test]
fn each_layer_wins_over_the_one_below_and_says_where_it_came_from() {
    let (path, mut sources) = file("[comments]\nlines = 7\n\nedit_window = \"1s\"\n");
    let loaded = load::<Settings>(sources.clone()).unwrap();
    assert_eq!(loaded.settings.comments.lines, 7);
    let line = |line| Origin::File(path.path().to_owned(), line);
    assert_eq!(loaded.origin("comments.lines"), line(2));
    assert_eq!(loaded.origin("comments.edit_window"), line(4));
    assert_eq!(loaded.origin("comments.port"), Origin::Default);

    sources.env = env(&[("MARKETPLACE_COMMENTS_EDIT_WINDOW", "2s"), ("PATH", "/")]).env;
    let loaded = load::<Settings>(sources.clone()).unwrap();
    assert_eq!(loaded.settings.comments.edit_window.as_secs(), 2);
    let name = "MARKETPLACE_COMMENTS_EDIT_WINDOW".to_owned();
    assert_eq!(
        loaded.origin("comments.edit_window"),
        Origin::Variable(name)
    );

    let sources = sources.flag("comments.edit_window", "3s", "--set");
    let loaded = load::<Settings>(sources).unwrap();
    assert_eq!(loaded.settings.comments.edit_window.as_secs(), 3);
    assert_eq!(
        loaded.origin("comments.edit_window"),
        Origin::Flag("--set".into())
    );
}

#[test]
fn a_password_of_digits_stays_a_string_and_is_never_shown() {
    let settings = load::<Settings>(env(&[("MARKETPLACE_PASSWORD", "1234")]))
        .unwrap()
        .settings;
    assert_eq!(settings.password.expose(), "1234");
    let shown = format!("{settings:?}{}", serde_json::to_string(&settings).unwrap());
    assert!(!shown.contains("1234"), "{shown}");
}

#[test]
fn a_secret_may_lie_in_a_file_whose_last_line_break_is_not_part_of_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "se cret\n").unwrap();
    let path = file.path().to_str().unwrap();
    let loaded = load::<Settings>(env(&[("MARKETPLACE_PASSWORD_FILE", path)])).unwrap();
    assert_eq!(loaded.settings.password.expose(), "se cret");
    let origin = loaded.origin("password").to_string();
    assert_eq!(
        origin,
        format!("env MARKETPLACE_PASSWORD_FILE, file {path}")
    );
}

#[test]
fn a_variable_and_its_file_together_are_refused_and_so_is_a_missing_file() {
    let both = [
        ("MARKETPLACE_PASSWORD", "a"),
        ("MARKETPLACE_PASSWORD_FILE", "/b"),
    ];
    assert!(refusal(env(&both)).contains("both set; keep one"));
    let missing = refusal(env(&[("MARKETPLACE_PASSWORD_FILE", "/no/such")]));
    for part in [
        "MARKETPLACE_PASSWORD_FILE",
        "/no/such",
        "holds the value of password",
    ] {
        assert!(missing.contains(part), "{missing}");
    }
}

/// Each row: a variable, a wrong value, and what the refusal says besides the setting and the variable.
const WRONG_VALUES: [(&str, &str, &str, &str); 18] = [
    (
        "LINES",
        "many",
        "it must be an integer, not a string",
        "at least 1, for instance 3",
    ),
    ("LINES", "0", "it must be at least 1", "at least 1"),
    ("LINES", "-1", "it must be at least 1", "at least 1"),
    (
        "LINES",
        "4294967296",
        "it must be at most 4294967295",
        "at least 1",
    ),
    (
        "PORT",
        "70000",
        "it must be at most 65535",
        "from 0 to 65535",
    ),
    (
        "EDIT_WINDOW",
        "soon",
        "it must be a duration",
        "a duration above 0",
    ),
    (
        "EDIT_WINDOW",
        "0s",
        "it must be greater than 0",
        "for instance \"15m\"",
    ),
    (
        "LISTEN",
        "localhost:80",
        "an IP address, not a name",
        "for instance \"127.0.0.1:80\"",
    ),
    (
        "LISTEN",
        "80",
        "it must be an IP address with a port",
        "an IP address and port",
    ),
    ("HOME", "home", "it must be a URL", "an http or https URL"),
    (
        "HOME",
        "ftp://home/",
        "http or https, not ftp",
        "http or https",
    ),
    ("URLS_A", "a", "it must be a URL", "an http or https URL"),
    (
        "SHARE",
        "1.5",
        "it must be at most 1",
        "a number from 0 to 1",
    ),
    (
        "SHARE",
        "half",
        "it must be a number, not a string",
        "a number from 0 to 1",
    ),
    (
        "OPEN",
        "yes",
        "it must be true or false, not a string",
        "true or false",
    ),
    (
        "STORE",
        "tape",
        "it must be one of the choices",
        "one of on-disk, memory",
    ),
    (
        "DATABASES",
        "",
        "at least 1 entries, not 0",
        "a list of strings, at least 1",
    ),
    ("DATABASES", "[1]", "the entry 1 must be a string", "a list"),
];

#[test]
fn a_wrong_value_names_the_setting_its_origin_and_what_to_write() {
    for (name, value, reason, fix) in WRONG_VALUES {
        let variable = format!("MARKETPLACE_COMMENTS_{name}");
        let text = refusal(env(&[(&variable, value)]));
        let setting = format!("comments.{}", name.to_lowercase().replace("urls_", "urls."));
        for part in [setting.as_str(), &format!("env {variable}"), reason, fix] {
            assert!(text.contains(part), "{part} should be in: {text}");
        }
    }
}

#[test]
fn a_wrong_line_of_the_file_is_named_with_its_number() {
    let rows = [
        (
            "[comments]\n\nlines = \"x\"\n",
            ":3) is invalid: it must be an integer, not a string",
        ),
        (
            "[comments]\nlinse = 1\n",
            ":2 names an unknown setting: comments.linse; is comments.lines meant?",
        ),
        (
            "comments = 1\n",
            ":1 names an unknown setting: comments; it is a group of settings",
        ),
        (
            "[comments.lines]\nx = 1\n",
            ":2 names an unknown setting: comments.lines.x; comments.lines takes",
        ),
        ("[comments]\nlines = 1\nlines = 2\n", ":3: duplicate key"),
        ("[comments\n", ":1: "),
    ];
    for (text, part) in rows {
        let (file, sources) = file(text);
        let said = refusal(sources);
        assert!(said.contains(part), "{part} should be in: {said}");
        assert!(said.contains(file.path().to_str().unwrap()), "{said}");
    }
}

#[test]
fn a_wrong_secret_is_refused_without_being_shown() {
    let (_file, sources) = file("password = 1234\n");
    let text = refusal(sources);
    assert!(
        text.contains("password = ***") && !text.contains("1234"),
        "{text}"
    );
}

#[test]
fn an_unknown_variable_or_flag_names_its_neighbour() {
    let variable = refusal(env(&[("MARKETPLACE_COMMENTS_EDIT_WINDOWS", "1s")]));
    assert!(
        variable.contains("MARKETPLACE_COMMENTS_EDIT_WINDOW meant"),
        "{variable}"
    );
    let flag = refusal(Sources::none().flag("coments.lines", "1", "--set"));
    assert!(
        flag.contains("flag --set") && flag.contains("comments.lines meant"),
        "{flag}"
    );
    let elsewhere = refusal(Sources::none().flag("lines", "1", "--set"));
    assert!(elsewhere.contains("comments.lines meant"), "{elsewhere}");
}

/// Fails with the nearest name named however far it is: `foo` was once answered with `telemetry.trace_sample_ratio`.
#[test]
fn a_name_that_is_near_to_none_gets_no_suggestion() {
    let long = "x".repeat(100_000);
    for name in ["foo", "", "x.y", &long] {
        let said = refusal(Sources::none().flag(name, "1", "--set"));
        assert!(!said.contains("meant"), "{name}: {said}");
        assert!(
            said.contains("config reference` lists all settings"),
            "{said}"
        );
    }
}

/// Seen red with the variables of Kubernetes taken for settings.
#[test]
fn what_kubernetes_says_of_its_services_stops_no_start_and_sets_nothing() {
    let links = [
        ("MARKETPLACE_COMMENTS_SERVICE_HOST", "10.0.0.1"),
        ("MARKETPLACE_COMMENTS_SERVICE_PORT", "4000"),
        ("MARKETPLACE_COMMENTS_PORT", "tcp://10.0.0.1:4000"),
        ("MARKETPLACE_COMMENTS_PORT_4000_TCP_ADDR", "10.0.0.1"),
        ("MARKETPLACE_PORT_4000_TCP", "tcp://10.0.0.1:4000"),
    ];
    let loaded = load::<Settings>(env(&links)).unwrap();
    assert_eq!(loaded.settings.comments.port, 80);
    assert_eq!(loaded.origin("comments.port"), Origin::Default);
    let misspelt = refusal(env(&[("MARKETPLACE_COMMENTS_PORTS", "81")]));
    assert!(
        misspelt.contains("MARKETPLACE_COMMENTS_PORT meant"),
        "{misspelt}"
    );
}

#[test]
fn one_entry_of_a_table_leaves_the_others() {
    let settings = load::<Settings>(env(&[("MARKETPLACE_COMMENTS_URLS_A", "http://c/")]))
        .unwrap()
        .settings;
    assert_eq!(settings.comments.urls["a"], "http://c/");
    assert_eq!(settings.comments.urls["b"], "http://b/");
}

#[test]
fn lists_come_with_commas_or_as_toml_and_an_empty_optional_is_unset() {
    for text in ["x, y", "[\"x\", \"y\"]"] {
        let settings = load::<Settings>(env(&[
            ("MARKETPLACE_COMMENTS_DATABASES", text),
            ("MARKETPLACE_FILE", ""),
        ]))
        .unwrap()
        .settings;
        assert_eq!(settings.comments.databases, ["x", "y"]);
        assert_eq!(settings.file, None);
    }
}

#[test]
fn a_setting_describes_itself() {
    let described = describe::<Settings>();
    let window = &described.settings["comments.edit_window"];
    assert_eq!(window.meaning, "How long an author may edit.");
    assert_eq!(window.default, "15m");
    assert_eq!(window.kind, Kind::Duration { above_zero: true });
    let meanings = [("on-disk", "Kept."), ("memory", "Lost.")];
    assert_eq!(
        described.settings["comments.store"].kind,
        Kind::OneOf(meanings.map(|(a, b)| (a.into(), b.into())).into())
    );
    assert!(described.groups.contains_key("comments"));
}

#[test]
fn a_setting_is_read_by_its_old_name_for_a_release_and_says_so() {
    let (path, from_file) = file("[comments]\nis_open = false\n");
    let old = "MARKETPLACE_COMMENTS_IS_OPEN";
    let given = [
        (from_file, Origin::File(path.path().to_owned(), 2)),
        (env(&[(old, "false")]), Origin::Variable(old.to_owned())),
        (
            Sources::none().flag("comments.is_open", "false", "--set"),
            Origin::Flag("--set".to_owned()),
        ),
    ];
    for (sources, origin) in given {
        let loaded = load::<Settings>(sources).unwrap();
        assert!(!loaded.settings.comments.open, "{origin}");
        assert_eq!(loaded.origin("comments.open"), origin);
        let renamed = Renamed {
            old: "comments.is_open".to_owned(),
            new: "comments.open".to_owned(),
            origin,
        };
        assert_eq!(loaded.renamed(), [renamed]);
    }
    let new = load::<Settings>(env(&[("MARKETPLACE_COMMENTS_OPEN", "false")])).unwrap();
    assert_eq!(new.renamed(), []);
}

/// By each way alone.
#[test]
fn entries_with_free_names_are_groups_of_settings() {
    let (_file, from_file) = file(
        "[comments.shops.north]\ntimeout = \"5s\"\ngoods = [\"a\", \"b\"]\nopen = true\n[comments.shops.south]\n",
    );
    let at = |name: &str| format!("comments.shops.north.{name}");
    let flags = Sources::none()
        .flag(at("timeout"), "5s", "--set")
        .flag(at("goods"), "a,b", "--set")
        .flag(at("open"), "true", "--set");
    let whole = "{north = {timeout = \"5s\", goods = [\"a\", \"b\"], open = true}}";
    for sources in [
        from_file,
        flags,
        env(&[
            ("MARKETPLACE_COMMENTS_SHOPS_NORTH_TIMEOUT", "5s"),
            ("MARKETPLACE_COMMENTS_SHOPS_NORTH_GOODS", "a,b"),
            ("MARKETPLACE_COMMENTS_SHOPS_NORTH_OPEN", "true"),
        ]),
        env(&[("MARKETPLACE_COMMENTS_SHOPS", whole)]),
    ] {
        let settings = load::<Settings>(sources).unwrap().settings;
        let north = &settings.comments.shops["north"];
        assert_eq!(north.timeout, Some(Duration::from_secs(5)));
        assert_eq!(north.goods, ["a", "b"]);
        assert!(north.open);
    }
    for (name, value, part) in [
        ("TIMEOUT", "0s", "it must be greater than 0"),
        ("OPEN", "often", "true or false"),
    ] {
        let text = refusal(env(&[(
            &format!("MARKETPLACE_COMMENTS_SHOPS_NORTH_{name}"),
            value,
        )]));
        assert!(
            text.contains(part) && text.contains("comments.shops.north"),
            "{text}"
        );
    }
    let unknown = refusal(Sources::none().flag(at("opne"), "true", "--set"));
    assert!(unknown.contains("comments.shops.north.opne"), "{unknown}");
}
