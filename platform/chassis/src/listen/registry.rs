//! Which connections a process holds: bounds by process, listener and address, and who makes room for whom.
//!
//! Invariant: a new connection is let in as long as any within the bound that it meets has no request in flight; the
//! one that gives way is the oldest that never sent a request, then the longest idle, then the oldest upload.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use parking_lot::Mutex;

use super::{
    connection::Connection,
    descriptors,
    metrics::{self, Reason},
};

/// How many give way at once: looking for them reads all connections, so it is not done for each.
const ROOM: usize = 32;

/// The connections of the process.
#[derive(Debug)]
pub(super) struct Registry {
    max: usize,
    next_id: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    held: HashMap<u64, Held>,
    by_listener: HashMap<u64, usize>,
    by_address: HashMap<(u64, IpAddr), usize>,
}

#[derive(Debug)]
struct Held {
    connection: Arc<Connection>,
    listener: u64,
    address: Option<IpAddr>,
}

/// One listener's bounds.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    pub(super) listener: u64,
    pub(super) name: &'static str,
    pub(super) max: usize,
    pub(super) per_address: usize,
    /// Whether operators must get in when clients have taken all places.
    pub(super) is_reserved: bool,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    id: u64,
    registry: &'static Registry,
    listener: &'static str,
}

static PROCESS: LazyLock<Registry> =
    LazyLock::new(|| Registry::new(descriptors::connections_max()));

impl Registry {
    fn new(max: usize) -> Self {
        Self {
            max,
            next_id: AtomicU64::new(0),
            inner: Mutex::default(),
        }
    }

    /// That of this process.
    pub(super) fn process() -> &'static Self {
        &PROCESS
    }

    /// A number that no other listener has.
    pub(super) fn new_listener(&self) -> u64 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// Gives a new connection a place, if need be that of another.
    ///
    /// # Errors
    /// [`Reason`] when every connection within the bound has a request in flight.
    pub(super) fn admit(
        &'static self,
        bounds: &Bounds,
        peer: SocketAddr,
    ) -> Result<(Arc<Connection>, Slot), Reason> {
        let (listener, address) = (bounds.listener, counted(peer.ip()));
        let mut inner = self.inner.lock();
        if let Some(address) = address
            && inner.of_address(listener, address) >= bounds.per_address.min(self.share())
        {
            let is_theirs = |it: &Held| it.listener == listener && it.address == Some(address);
            inner.make_room(is_theirs, Reason::AddressFull)?;
        }
        if inner.of_listener(listener) >= bounds.max {
            inner.make_room(|it| it.listener == listener, Reason::ListenerFull)?;
        }
        if !bounds.is_reserved && inner.held.len() >= self.max {
            inner.make_room(|_| true, Reason::ProcessFull)?;
        }
        let connection = Arc::new(Connection::new(bounds.name, peer));
        let id = self.next_id.fetch_add(1, Relaxed);
        let held = Held {
            connection: Arc::clone(&connection),
            listener,
            address,
        };
        inner.insert(id, held);
        metrics::opened(bounds.name);
        let slot = Slot {
            id,
            registry: self,
            listener: bounds.name,
        };
        Ok((connection, slot))
    }

    /// Closes some connections without a request in flight, because descriptors are short. Whoever has just come, perhaps into
    /// the place of one that was closed, has had no time to ask yet.
    pub(super) fn shed(&self) {
        let mut inner = self.inner.lock();
        inner.give_way(|held| !held.connection.has_just_come());
    }

    /// What one address may hold of all that the process can.
    fn share(&self) -> usize {
        self.max.saturating_sub(self.max / 4).max(1)
    }
}

impl Inner {
    fn of_listener(&self, listener: u64) -> usize {
        self.by_listener.get(&listener).copied().unwrap_or_default()
    }

    fn of_address(&self, listener: u64, address: IpAddr) -> usize {
        let count = self.by_address.get(&(listener, address));
        count.copied().unwrap_or_default()
    }

    fn insert(&mut self, id: u64, held: Held) {
        *self.by_listener.entry(held.listener).or_default() += 1;
        if let Some(address) = held.address {
            *self.by_address.entry((held.listener, address)).or_default() += 1;
        }
        self.held.insert(id, held);
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Connection>> {
        let held = self.held.remove(&id)?;
        take_one(&mut self.by_listener, held.listener);
        if let Some(address) = held.address {
            take_one(&mut self.by_address, (held.listener, address));
        }
        Some(held.connection)
    }

    fn make_room(&mut self, among: impl Fn(&Held) -> bool, full: Reason) -> Result<(), Reason> {
        if self.give_way(among) == 0 {
            return Err(full);
        }
        Ok(())
    }

    /// Closes up to [`ROOM`] of the connections `among` that have no request in flight. Gives how many.
    fn give_way(&mut self, among: impl Fn(&Held) -> bool) -> usize {
        let mut candidates: Vec<_> = self
            .held
            .iter()
            .filter(|(_, it)| among(it))
            .filter_map(|(id, it)| Some((it.connection.standing()?, *id)))
            .collect();
        // No more than a part of them: in a small bound one newcomer shall not cost everybody else's connection.
        let room = (candidates.len() / ROOM).clamp(1, ROOM);
        candidates.sort_unstable();
        candidates.truncate(room);
        for (_, id) in &candidates {
            let Some(connection) = self.remove(*id) else {
                continue;
            };
            metrics::cut(connection.listener, Reason::Evicted);
            connection.close();
        }
        candidates.len()
    }
}

fn take_one<K: Eq + std::hash::Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        metrics::closed(self.listener);
        self.registry.inner.lock().remove(self.id);
    }
}

/// What an address is counted as; loopback is not.
///
/// A host has at least a whole /64 of IPv6 to itself (RFC 6177), and an IPv4 address may be written as IPv6.
fn counted(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    if address.is_loopback() {
        return None;
    }
    Some(match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(max: usize) -> &'static Registry {
        Box::leak(Box::new(Registry::new(max)))
    }

    fn bounds(registry: &Registry, max: usize, per_address: usize) -> Bounds {
        Bounds {
            listener: registry.new_listener(),
            name: "test",
            max,
            per_address,
            is_reserved: false,
        }
    }

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 1))
    }

    /// Seen red with the newest given up.
    #[tokio::test(start_paused = true)]
    async fn the_oldest_without_a_request_makes_room_and_one_in_flight_never_does() {
        let registry = registry(100);
        let bounds = bounds(registry, 3, 100);
        let admit = |last| registry.admit(&bounds, peer(last));
        let (used, _used) = admit(1).unwrap();
        drop(used.begin());
        tokio::time::advance(std::time::Duration::from_millis(5)).await;
        let (busy, _busy) = admit(2).unwrap();
        let _request = busy.begin();
        let (silent, _silent) = admit(3).unwrap();

        let (newcomer, _newcomer) = admit(4).unwrap();
        assert!(silent.is_closing() && !used.is_closing() && !busy.is_closing());
        let _second = newcomer.begin();
        let (third, _third) = admit(5).unwrap();
        assert!(used.is_closing());
        let _third_request = third.begin();
        assert_eq!(admit(6).unwrap_err(), Reason::ListenerFull);
        drop(_third);
        assert!(admit(6).is_ok());
    }

    #[tokio::test]
    async fn one_address_makes_room_for_itself_and_loopback_is_not_counted() {
        let registry = registry(100);
        let bounds = bounds(registry, 100, 2);
        let admit = |peer| registry.admit(&bounds, peer).unwrap();
        let (other, _other) = admit(peer(9));
        let slots: Vec<_> = (0..3).map(|_| admit(peer(1))).collect();
        assert!(slots[0].0.is_closing() && !slots[1].0.is_closing());
        assert!(!other.is_closing());
        let here = SocketAddr::from(([127, 0, 0, 1], 1));
        let here: Vec<_> = (0..5).map(|_| admit(here)).collect();
        assert!(here.iter().all(|(it, _)| !it.is_closing()));
    }

    #[tokio::test]
    async fn operators_get_in_when_clients_hold_all_places_of_the_process() {
        let registry = registry(1);
        let clients = bounds(registry, 100, 100);
        let mut operators = bounds(registry, 100, 100);
        operators.is_reserved = true;
        let (busy, _slot) = registry.admit(&clients, peer(1)).unwrap();
        let _request = busy.begin();
        let refused = registry.admit(&clients, peer(2)).unwrap_err();
        assert_eq!(refused, Reason::ProcessFull);
        assert!(registry.admit(&operators, peer(3)).is_ok());
    }

    #[test]
    fn ipv6_is_counted_by_its_network() {
        let counted = |text: &str| counted(text.parse().unwrap()).map(|it| it.to_string());
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), counted("2001:db8:1:2::1"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
        assert_eq!(counted("::ffff:192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(counted("::1"), None);
        assert_eq!(counted("::ffff:127.0.0.1"), None);
    }
}
