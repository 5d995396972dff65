//! What the profile `production` refuses or leaves off: defaults that are fine for a demo and unsafe for real data.

use chassis::config::{Loaded, Origin};
use chassis::principal::is_protected;

use super::{Broker, Profile, Refused, Settings, is_default};
use crate::cli::Process;

/// A switch that the profile leaves off unless somebody sets it.
type Switch = (&'static str, fn(&mut Settings) -> &mut bool);

/// What helps to try the product out, and what old clients need, is no part of what strangers reach.
const OFF_IN_PRODUCTION: [Switch; 4] = [
    ("router.playground_enabled", |it| {
        &mut it.router.playground_enabled
    }),
    ("router.query_plan_enabled", |it| {
        &mut it.router.query_plan_enabled
    }),
    ("router.rest.enabled", |it| &mut it.router.rest.enabled),
    ("router.rest.profile_enabled", |it| {
        &mut it.router.rest.profile_enabled
    }),
];

/// Switches off what the profile leaves off and nobody has set.
pub(super) fn switch_off(loaded: &mut Loaded<Settings>) {
    if loaded.settings.profile == Profile::Demo {
        return;
    }
    for (setting, switch) in OFF_IN_PRODUCTION {
        if loaded.origin(setting) == Origin::Default {
            *switch(&mut loaded.settings) = false;
            loaded.set_origin(setting, Origin::Follows("profile".to_owned()));
        }
    }
    let introspection = "router.engine.introspection_enabled";
    if loaded.origin(introspection) == Origin::Default {
        loaded.settings.router.engine.introspection_enabled = Some(false);
        loaded.set_origin(introspection, Origin::Follows("profile".to_owned()));
    }
}

/// One thing that the profile refuses.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// The setting to change.
    pub setting: &'static str,
    /// What is refused.
    pub what: &'static str,
    /// What to do.
    pub fix: &'static str,
    /// The processes that use it; every one when there is none.
    of: &'static [Process],
    refuses: fn(&Settings, &Settings) -> bool,
}

impl Refusal {
    /// Everything that is refused, in the order in which it is reported.
    pub const ALL: [Self; 15] = [
        Self {
            setting: "keys.demo_issuer_enabled",
            what: "the demo issuer",
            fix: "leave keys.demo_issuer_enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.demo_issuer_enabled(),
        },
        Self {
            setting: "keys.jwks",
            what: "to run without an issuer's keys",
            fix: "set keys.jwks to a JWKS file or keys.jwks_url to where the issuer serves it, or keys.discovery_enabled",
            of: &[
                Process::Router,
                Process::Cart,
                Process::Loms,
                Process::Comments,
            ],
            refuses: |Settings { keys, .. }, _| {
                keys.jwks.is_none() && keys.jwks_url.is_none() && !keys.discovery_enabled
            },
        },
        Self {
            setting: "cart.product_key",
            what: "the default product key",
            fix: "set cart.product_key and product.key",
            of: &[Process::Cart],
            refuses: |settings, plain| {
                is_default(&settings.cart.product_key, &plain.cart.product_key)
            },
        },
        Self {
            setting: "loms.product_key",
            what: "the default product key",
            fix: "set loms.product_key and product.key",
            of: &[Process::Loms],
            refuses: |settings, plain| {
                is_default(&settings.loms.product_key, &plain.loms.product_key)
            },
        },
        Self {
            setting: "product.key",
            what: "the default key of the product service",
            fix: "set product.key, cart.product_key and loms.product_key",
            of: &[Process::ProductService],
            refuses: |settings, plain| is_default(&settings.product.key, &plain.product.key),
        },
        Self {
            setting: "product.faults.enabled",
            what: "injected faults of the product service",
            fix: "leave product.faults.enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.product.faults.enabled,
        },
        Self {
            setting: "product.fault_switch_enabled",
            what: "a switch for faults of the product service",
            fix: "leave product.fault_switch_enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.product.fault_switch_enabled,
        },
        Self {
            setting: "postgres.url",
            what: "the default Postgres address and password",
            fix: "set postgres.url",
            of: &[
                Process::Cart,
                Process::Loms,
                Process::Comments,
                Process::Notifier,
                Process::Migrate,
            ],
            refuses: |settings, plain| is_default(&settings.postgres.url, &plain.postgres.url),
        },
        Self {
            setting: "up.broker",
            what: "the mock broker, which keeps no event",
            fix: "leave up.broker unset, or set kafka.brokers",
            of: &[],
            refuses: |settings, _| settings.up.broker == Broker::Mock,
        },
        Self {
            setting: "router.rest.beyond_loopback_enabled",
            what: "REST listeners beyond loopback, where a call names its user and proves nothing",
            fix: "leave router.rest.beyond_loopback_enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.router.rest.beyond_loopback_enabled,
        },
        Self {
            setting: "loms.beyond_loopback_enabled",
            what: "the order service's gRPC beyond loopback for calls that prove nothing",
            fix: "leave loms.beyond_loopback_enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.loms.beyond_loopback_enabled,
        },
        Self {
            setting: "comments.beyond_loopback_enabled",
            what: "the comments service's gRPC beyond loopback for calls that prove nothing",
            fix: "leave comments.beyond_loopback_enabled unset or false",
            of: &[],
            refuses: |settings, _| settings.comments.beyond_loopback_enabled,
        },
        Self {
            setting: "router.http.allowed_origins",
            what: "pages of every origin",
            fix: "name the origins in router.http.allowed_origins, without *",
            of: &[],
            refuses: |settings, _| {
                let mut origins = settings.router.http.allowed_origins.iter();
                origins.any(|origin| origin.trim() == "*")
            },
        },
        Self {
            setting: "router.rate_limit.enabled",
            what: "to run without a limit of what a caller may spend",
            fix: "leave router.rate_limit.enabled unset or true",
            of: &[],
            refuses: |settings, _| !settings.router.rate_limit.enabled,
        },
        Self {
            setting: "notifier.webhook.url",
            what: "a webhook whose calls anybody on the way can read",
            fix: "set notifier.webhook.url to an https URL",
            of: &[],
            refuses: |settings, _| is_plain_http(&settings.notifier.webhook.url),
        },
    ];

    /// What is refused about one setting.
    pub fn of(setting: &str) -> impl Iterator<Item = &'static Self> {
        Self::ALL
            .iter()
            .filter(move |refusal| refusal.setting == setting)
    }
}

/// Whether a URL is sent in the clear to another machine.
fn is_plain_http(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.scheme() == "http" && !is_protected(&url))
}

impl Settings {
    /// Refuses what the profile forbids: to one process, or to any.
    ///
    /// # Errors
    /// [`Refused::Production`] with what to set.
    pub(super) fn check_profile(&self, process: Option<Process>) -> Result<(), Refused> {
        if self.profile == Profile::Demo {
            return Ok(());
        }
        let plain = Self::default();
        let refused = Refusal::ALL
            .iter()
            .filter(|it| it.of.is_empty() || process.is_none_or(|process| it.of.contains(&process)))
            .find(|refusal| (refusal.refuses)(self, &plain));
        match refused {
            Some(&Refusal { what, fix, .. }) => Err(Refused::Production { what, fix }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::config::Sources;

    use super::*;

    #[test]
    fn production_names_one_thing_after_the_other_until_nothing_is_default() {
        let mut settings = Settings {
            profile: Profile::Production,
            ..Settings::default()
        };
        let refusal = |settings: &Settings| settings.check_profile(None).unwrap_err().to_string();
        assert!(refusal(&settings).contains("keys.jwks"));
        settings.keys.jwks = Some("keys.json".into());
        assert!(refusal(&settings).contains("cart.product_key"));
        settings.cart.product_key = "another".to_owned().into();
        assert!(refusal(&settings).contains("loms.product_key"));
        settings.loms.product_key = "another".to_owned().into();
        assert!(refusal(&settings).contains("product.key"));
        settings.product.key = "another".to_owned().into();
        assert!(refusal(&settings).contains("postgres.url"));
        settings.postgres.url = "postgres://shop:secret@db/".to_owned().into();
        settings.check_profile(None).unwrap();
        settings.up.broker = Broker::Mock;
        assert!(refusal(&settings).contains("keeps no event"));
        settings.up.broker = Broker::Kafka;
        settings.keys.demo_issuer_enabled = Some(true);
        assert!(refusal(&settings).contains("demo issuer"));
    }

    /// A secret is where it is used. Fails with every rule held against every process.
    #[test]
    fn production_asks_a_process_for_its_own_secrets_alone() {
        let mut settings = Settings {
            profile: Profile::Production,
            ..Settings::default()
        };
        let refusal = |settings: &Settings, process| {
            let refused = settings.check_profile(Some(process));
            refused.map_or_else(|refused| refused.to_string(), |()| String::new())
        };
        assert_eq!(
            refusal(&settings, Process::Notifier),
            refusal(&settings, Process::Migrate)
        );
        assert!(refusal(&settings, Process::Notifier).contains("postgres.url"));
        assert!(refusal(&settings, Process::ProductService).contains("product.key"));
        assert!(refusal(&settings, Process::Router).contains("keys.jwks"));
        settings.keys.jwks = Some("keys.json".into());
        settings.check_profile(Some(Process::Router)).unwrap();
        assert!(refusal(&settings, Process::Cart).contains("cart.product_key"));
        assert!(refusal(&settings, Process::Loms).contains("loms.product_key"));
        assert!(refusal(&settings, Process::Comments).contains("postgres.url"));
        settings.postgres.url = "postgres://db/".to_owned().into();
        for process in [Process::Comments, Process::Notifier, Process::Migrate] {
            settings.check_profile(Some(process)).unwrap();
        }
        settings.loms.beyond_loopback_enabled = true;
        for process in [Process::Comments, Process::Loms] {
            assert_ne!(
                refusal(&settings, process),
                "",
                "no door stays open by its neighbour"
            );
        }
    }

    fn safe() -> Settings {
        let mut settings = Settings {
            profile: Profile::Production,
            ..Settings::default()
        };
        settings.keys.jwks = Some("keys.json".into());
        settings.cart.product_key = "another".to_owned().into();
        settings.loms.product_key = "another".to_owned().into();
        settings.product.key = "another".to_owned().into();
        settings.postgres.url = "postgres://shop:secret@db/".to_owned().into();
        settings
    }

    #[test]
    fn production_refuses_every_door_that_proves_nothing() {
        type Door = (&'static str, fn(&mut Settings));
        let doors: [Door; 6] = [
            ("router.rest.beyond_loopback_enabled", |it| {
                it.router.rest.beyond_loopback_enabled = true;
            }),
            ("loms.beyond_loopback_enabled", |it| {
                it.loms.beyond_loopback_enabled = true;
            }),
            ("comments.beyond_loopback_enabled", |it| {
                it.comments.beyond_loopback_enabled = true;
            }),
            ("router.http.allowed_origins", |it| {
                it.router.http.allowed_origins = vec!["https://a".to_owned(), "*".to_owned()];
            }),
            ("router.rate_limit.enabled", |it| {
                it.router.rate_limit.enabled = false
            }),
            ("notifier.webhook.url", |it| {
                "http://hooks.example/x".clone_into(&mut it.notifier.webhook.url);
            }),
        ];
        safe().check_profile(None).unwrap();
        for (setting, open) in doors {
            let mut settings = safe();
            open(&mut settings);
            let refused = settings.check_profile(None).unwrap_err().to_string();
            assert!(refused.contains(setting), "{refused}");
            settings.profile = Profile::Demo;
            settings.check_profile(None).unwrap();
        }
        let mut named = safe();
        named.router.http.allowed_origins = vec!["https://shop.example".to_owned()];
        "https://hooks.example/x".clone_into(&mut named.notifier.webhook.url);
        named.check_profile(None).unwrap();
    }

    #[test]
    fn production_leaves_off_what_nobody_has_set() {
        let switches = |set: &[&str]| {
            let mut loaded = chassis::config::load::<Settings>(Sources::default()).unwrap();
            loaded.settings.profile = Profile::Production;
            for setting in set {
                loaded.set_origin(setting, Origin::Flag((*setting).to_owned()));
            }
            switch_off(&mut loaded);
            let router = loaded.settings.router;
            assert_eq!(router.engine.introspection_enabled, Some(false));
            [
                router.playground_enabled,
                router.query_plan_enabled,
                router.rest.enabled,
                router.rest.profile_enabled,
            ]
        };
        assert_eq!(switches(&[]), [false; 4]);
        assert_eq!(
            switches(&["router.rest.enabled"]),
            [false, false, true, false]
        );
    }
}
