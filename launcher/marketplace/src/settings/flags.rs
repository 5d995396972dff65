//! The flags that set settings: `--set NAME=VALUE`, and the short names of a few.

use clap::ValueEnum as _;

use super::Refused;
use crate::cli::{Common, Switch};

/// Path, value and the flag as it was typed.
pub(super) type Flag = (String, String, String);

/// The settings that the flags give, in the order in which they count: a later one wins.
///
/// # Errors
/// [`Refused::Set`].
pub(super) fn flags(common: &Common) -> Result<Vec<Flag>, Refused> {
    let mut flags = Vec::new();
    for set in &common.set {
        let (name, value) = set
            .split_once('=')
            .ok_or_else(|| Refused::Set(set.clone()))?;
        flags.push((name.to_owned(), value.to_owned(), format!("--set {name}")));
    }
    let mut named = |flag: &str, path: &str, value: Option<String>| {
        flags.extend(value.map(|value| (path.to_owned(), value, flag.to_owned())));
    };
    let dir = common.state_dir.as_ref();
    named(
        "--state-dir",
        "state_dir",
        dir.map(|dir| dir.display().to_string()),
    );
    let broker = common.broker.and_then(|broker| broker.to_possible_value());
    named(
        "--broker",
        "up.broker",
        broker.map(|broker| broker.get_name().to_owned()),
    );
    let brokers = common.brokers.map(|brokers| brokers.to_string());
    named("--brokers", "up.brokers", brokers);
    let switch = common.group_commit.map(|it| it == Switch::On);
    named(
        "--group-commit",
        "loms.group_commit",
        switch.map(|is_on| is_on.to_string()),
    );
    let port = |port: Option<u16>| port.map(|port| port.to_string());
    named("--kafka-port", "up.kafka_port", port(common.kafka_port));
    named(
        "--postgres-port",
        "up.postgres_port",
        port(common.postgres_port),
    );
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_switch_of_group_commit_is_the_setting() {
        let grouped = |switch| {
            let common = Common {
                group_commit: switch,
                ..Common::default()
            };
            Settings::load(&common).unwrap().loms.group_commit
        };
        assert!(grouped(None) && grouped(Some(Switch::On)));
        assert!(!grouped(Some(Switch::Off)));
    }

    #[test]
    fn a_flag_without_a_value_is_named() {
        let common = Common {
            set: vec!["router.listen".into()],
            ..Common::default()
        };
        let refused = Settings::load(&common).unwrap_err();
        assert_eq!(refused.to_string(), "--set router.listen is not NAME=VALUE");
    }
}
