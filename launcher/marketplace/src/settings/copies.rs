//! How many copies an event has: what `up` starts decides it unless somebody does.

use chassis::config::{self, Loaded, Origin};
use dev_services::kafka::member;

use super::{Refused, Settings};

/// Lets the copies of topics follow the brokers that `up` starts, where nobody has set them.
pub(super) fn follow(loaded: &mut Loaded<Settings>) {
    let brokers = usize::from(loaded.settings.up.brokers);
    if brokers == 1 {
        return;
    }
    let as_i32 = |count: usize| i32::try_from(count).unwrap_or(1);
    let (copies, insync) = (member::copies(brokers), member::insync(brokers));
    for (setting, value) in [
        ("kafka.replication_factor", as_i32(copies)),
        ("kafka.min_insync_replicas", as_i32(insync)),
    ] {
        if loaded.origin(setting) != Origin::Default {
            continue;
        }
        let kafka = &mut loaded.settings.kafka;
        let place = if setting == "kafka.replication_factor" {
            &mut kafka.replication_factor
        } else {
            &mut kafka.min_insync_replicas
        };
        *place = value;
        loaded.set_origin(setting, Origin::Follows("up.brokers".to_owned()));
    }
}

/// Refuses more copies that must have an event than there are: nothing would ever be acknowledged.
///
/// # Errors
/// [`Refused::Config`] names both settings.
pub(super) fn check(loaded: &Loaded<Settings>) -> Result<(), Refused> {
    let kafka = &loaded.settings.kafka;
    if kafka.min_insync_replicas <= kafka.replication_factor {
        return Ok(());
    }
    let setting = "kafka.min_insync_replicas";
    Err(Refused::Config(config::Error::Value {
        setting: setting.into(),
        value: kafka.min_insync_replicas.to_string(),
        origin: Box::new(loaded.origin(setting)),
        reason: format!(
            "only {} copies are made (kafka.replication_factor), so nothing would be acknowledged",
            kafka.replication_factor
        ),
        expected: "at most kafka.replication_factor, and one less so that a broker may be away"
            .into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Common;

    fn load(set: &[&str]) -> Result<(i32, i32), String> {
        let common = Common {
            set: set.iter().map(ToString::to_string).collect(),
            ..Common::default()
        };
        let settings = Settings::load(&common).map_err(|refused| refused.to_string())?;
        let kafka = settings.kafka;
        Ok((kafka.replication_factor, kafka.min_insync_replicas))
    }

    #[test]
    fn several_brokers_keep_several_copies_unless_somebody_says_otherwise() {
        assert_eq!(load(&[]), Ok((1, 1)));
        assert_eq!(load(&["up.brokers=3"]), Ok((3, 2)));
        assert_eq!(load(&["up.brokers=2"]), Ok((2, 1)));
        let chosen = ["up.brokers=3", "kafka.min_insync_replicas=1"];
        assert_eq!(load(&chosen), Ok((3, 1)));
        assert!(load(&["up.brokers=6"]).unwrap_err().contains("up.brokers"));
    }

    #[test]
    fn more_acknowledgements_than_copies_are_refused() {
        let refused = load(&["kafka.min_insync_replicas=2"]).unwrap_err();
        for part in ["kafka.min_insync_replicas", "kafka.replication_factor"] {
            assert!(refused.contains(part), "{refused}");
        }
    }
}
