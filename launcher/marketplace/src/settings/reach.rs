//! What no profile opens to other machines by accident: whoever reaches it may act as anybody.

use std::net::SocketAddr;

use super::{Refused, Settings, is_default};

impl Settings {
    /// Refuses a demo issuer, and a product service with the key that everybody knows, where other machines reach them.
    ///
    /// # Errors
    /// [`Refused::Reach`] names what to set.
    pub(super) fn check_reach(&self) -> Result<(), Refused> {
        let is_beyond = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
        if is_beyond(self.router.listen)
            && self.demo_issuer_enabled()
            && !self.keys.demo_issuer_beyond_loopback_enabled
        {
            return Err(Refused::Reach {
                setting: "router.listen",
                address: self.router.listen,
                what: "other machines would get tokens for any user from the demo issuer",
                fix: "listen on 127.0.0.1, set keys.demo_issuer_enabled to false, or set \
                      keys.demo_issuer_beyond_loopback_enabled to true",
            });
        }
        if is_beyond(self.product.listen)
            && is_default(&self.product.key, &Self::default().product.key)
        {
            return Err(Refused::Reach {
                setting: "product.listen",
                address: self.product.listen,
                what: "its key is the one that everybody knows",
                fix: "listen on 127.0.0.1, or set product.key, cart.product_key and loms.product_key",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl Fn(&mut Settings)) -> Result<(), String> {
        let mut settings = Settings::default();
        change(&mut settings);
        settings
            .check_reach()
            .map_err(|refused| refused.to_string())
    }

    fn beyond(settings: &mut Settings) {
        settings.router.listen = SocketAddr::from(([0, 0, 0, 0], 4000));
    }

    /// Seen red with the check left out.
    #[test]
    fn the_demo_issuer_stays_on_loopback_unless_a_setting_lets_it_out() {
        check(|_| {}).unwrap();
        let refused = check(beyond).unwrap_err();
        for part in [
            "router.listen",
            "0.0.0.0:4000",
            "keys.demo_issuer_beyond_loopback_enabled",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        check(|it| {
            beyond(it);
            it.keys.demo_issuer_beyond_loopback_enabled = true;
        })
        .unwrap();
        check(|it| {
            beyond(it);
            it.keys.demo_issuer_enabled = Some(false);
        })
        .unwrap();
    }

    #[test]
    fn the_known_product_key_stays_on_loopback() {
        let beyond = SocketAddr::from(([0, 0, 0, 0], 8082));
        let refused = check(|it| it.product.listen = beyond).unwrap_err();
        assert!(refused.contains("set product.key"), "{refused}");
        check(|it| {
            it.product.listen = beyond;
            it.product.key = "another".to_owned().into();
        })
        .unwrap();
    }
}
