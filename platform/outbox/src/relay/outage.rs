//! Tells health which lines wait for the broker. The process stays ready: what is ordered meanwhile waits in the outbox.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use chassis::health::Component;

use super::line::Line;

/// The lines that wait. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    component: Component,
    waiting: Arc<Mutex<BTreeSet<String>>>,
}

impl Outage {
    /// None waits yet.
    pub(crate) fn new(component: Component) -> Self {
        component.up();
        let waiting = Arc::default();
        Self { component, waiting }
    }

    /// Says whether a line waits.
    pub(crate) fn tell(&self, line: Line, waits: bool) {
        let name = match line {
            Line::Orders(shard) => format!("{} {}", line.topic(), shard.number),
            Line::Topic(name) => name.to_owned(),
        };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = if waits {
            waiting.insert(name)
        } else {
            waiting.remove(&name)
        };
        if !is_news {
            return;
        }
        let names: Vec<&str> = waiting.iter().map(String::as_str).collect();
        if names.is_empty() {
            self.component.up();
            return;
        }
        let names = names.join(", ");
        self.component.down(format!(
            "Kafka does not acknowledge events of {names}: orders go on, and these events wait"
        ));
    }
}

#[cfg(test)]
mod tests {
    use chassis::health::Health;

    use super::{super::line::Shard, *};

    #[test]
    fn the_lines_that_wait_are_named_and_the_process_stays_ready() {
        let health = Health::new();
        let outage = Outage::new(health.companion("outbox-broker"));
        let orders = Line::Orders(Shard { number: 0, of: 1 });
        outage.tell(orders, false);
        assert_eq!(health.missing(), []);
        outage.tell(orders, true);
        outage.tell(Line::Topic("things"), true);
        outage.tell(orders, false);
        let told =
            "Kafka does not acknowledge events of things: orders go on, and these events wait";
        assert_eq!(health.missing(), [("outbox-broker".into(), told.into())]);
        assert!(health.is_ready());
        outage.tell(Line::Topic("things"), false);
        assert_eq!(health.missing(), []);
    }
}
