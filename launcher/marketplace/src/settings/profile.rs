//! What the profile `production` refuses: defaults that are fine for a demo and unsafe for real data.

use super::{Broker, Profile, Refused, Settings, is_default};

/// One thing that the profile refuses.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// The setting to change.
    pub setting: &'static str,
    /// What is refused.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
    refuses: fn(&Settings, &Settings) -> bool,
}

impl Refusal {
    /// Everything that is refused, in the order in which it is reported.
    pub const ALL: [Self; 7] = [
        Self {
            setting: "keys.demo_issuer_enabled",
            what: "the demo issuer",
            fix: "leave keys.demo_issuer_enabled unset or false",
            refuses: |settings, _| settings.demo_issuer_enabled(),
        },
        Self {
            setting: "keys.jwks",
            what: "to run without an issuer's keys",
            fix: "set keys.jwks to a JWKS file",
            refuses: |settings, _| settings.keys.jwks.is_none(),
        },
        Self {
            setting: "cart.product_key",
            what: "the default product key",
            fix: "set cart.product_key and product.key",
            refuses: |settings, plain| {
                is_default(&settings.cart.product_key, &plain.cart.product_key)
            },
        },
        Self {
            setting: "loms.product_key",
            what: "the default product key",
            fix: "set loms.product_key and product.key",
            refuses: |settings, plain| {
                is_default(&settings.loms.product_key, &plain.loms.product_key)
            },
        },
        Self {
            setting: "product.faults.enabled",
            what: "injected faults of the product service",
            fix: "leave product.faults.enabled unset or false",
            refuses: |settings, _| settings.product.faults.enabled,
        },
        Self {
            setting: "postgres.url",
            what: "the default Postgres address and password",
            fix: "set postgres.url",
            refuses: |settings, plain| is_default(&settings.postgres.url, &plain.postgres.url),
        },
        Self {
            setting: "up.broker",
            what: "the mock broker, which keeps no event",
            fix: "leave up.broker unset, or set kafka.brokers",
            refuses: |settings, _| settings.up.broker == Broker::Mock,
        },
    ];

    /// What is refused about one setting.
    pub fn of(setting: &str) -> impl Iterator<Item = &'static Self> {
        Self::ALL
            .iter()
            .filter(move |refusal| refusal.setting == setting)
    }
}

impl Settings {
    /// Refuses what the profile forbids.
    ///
    /// # Errors
    /// [`Refused::Production`] with what to set.
    pub(super) fn check_profile(&self) -> Result<(), Refused> {
        if self.profile == Profile::Demo {
            return Ok(());
        }
        let plain = Self::default();
        let refused = Refusal::ALL
            .iter()
            .find(|refusal| (refusal.refuses)(self, &plain));
        match refused {
            Some(&Refusal { what, fix, .. }) => Err(Refused::Production { what, fix }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_names_one_thing_after_the_other_until_nothing_is_default() {
        let mut settings = Settings {
            profile: Profile::Production,
            ..Settings::default()
        };
        let refusal = |settings: &Settings| settings.check_profile().unwrap_err().to_string();
        assert!(refusal(&settings).contains("keys.jwks"));
        settings.keys.jwks = Some("keys.json".into());
        assert!(refusal(&settings).contains("cart.product_key"));
        settings.cart.product_key = "another".to_owned().into();
        assert!(refusal(&settings).contains("loms.product_key"));
        settings.loms.product_key = "another".to_owned().into();
        assert!(refusal(&settings).contains("postgres.url"));
        settings.postgres.url = "postgres://shop:secret@db/".to_owned().into();
        settings.check_profile().unwrap();
        settings.up.broker = Broker::Mock;
        assert!(refusal(&settings).contains("keeps no event"));
        settings.up.broker = Broker::Kafka;
        settings.keys.demo_issuer_enabled = Some(true);
        assert!(refusal(&settings).contains("demo issuer"));
    }
}
