//! What the profile `production` refuses. The demo lives on defaults that other people's data must not meet.

use super::{Profile, Refused, Settings, is_default};

impl Settings {
    /// Refuses what the profile forbids.
    ///
    /// # Errors
    /// [`Refused::Production`] with what to set.
    pub(super) fn check_profile(&self) -> Result<(), Refused> {
        if self.profile == Profile::Demo {
            return Ok(());
        }
        let refuse = |what, fix| Err(Refused::Production { what, fix });
        let plain = Self::default();
        if self.demo_issuer_enabled() {
            return refuse(
                "the demo issuer",
                "leave keys.demo_issuer_enabled unset or false",
            );
        }
        if self.keys.jwks.is_none() {
            return refuse(
                "to run without an issuer's keys",
                "set keys.jwks to a JWKS file",
            );
        }
        if is_default(&self.cart.product_key, &plain.cart.product_key) {
            return refuse(
                "the default product key",
                "set cart.product_key and product.key",
            );
        }
        if self.product.faults.enabled {
            return refuse(
                "wrong answers on purpose",
                "leave product.faults.enabled unset or false",
            );
        }
        if is_default(&self.postgres.url, &plain.postgres.url) {
            return refuse(
                "the default Postgres address and password",
                "set postgres.url",
            );
        }
        Ok(())
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
        assert!(refusal(&settings).contains("postgres.url"));
        settings.postgres.url = "postgres://shop:secret@db/".to_owned().into();
        settings.check_profile().unwrap();
        settings.keys.demo_issuer_enabled = Some(true);
        assert!(refusal(&settings).contains("demo issuer"));
    }
}
