//! What buyers were answered, and whether it is still true in the end.
//!
//! Every mutation has a key and is asked again until it is answered, so in the end each one's outcome is known: the
//! databases must hold exactly what the answers say, and the same key must give the same response.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt as _;
use load::{Reply, Response};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};

use crate::clients::Clients;
use crate::mutation::{Mutation, Work};
use crate::schedule::Counts;

/// Replays that run side by side.
const REPLAYS_AT_ONCE: usize = 16;
/// How many differences of one kind are reported.
const EXAMPLES: usize = 3;

/// One mutation and its response.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) mutation: Mutation,
    pub(crate) reply: Reply,
}

/// Every response of a round.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Mutex<Vec<Entry>>,
    done: AtomicU64,
    refused: AtomicU64,
    retries: AtomicU64,
}

impl Journal {
    /// Notes a response.
    pub(crate) fn note(&self, mutation: Mutation, response: &Response) {
        match &response.reply {
            Reply::Done(_) => self.done.fetch_add(1, Ordering::Relaxed),
            Reply::Refused(_) | Reply::Failed(_) => self.refused.fetch_add(1, Ordering::Relaxed),
        };
        let retries = response.retried.len() as u64;
        self.retries.fetch_add(retries, Ordering::Relaxed);
        self.lock().push(Entry {
            mutation,
            reply: response.reply.clone(),
        });
    }

    /// Mutations that were done, that were refused, and tries beyond the first.
    pub(crate) fn totals(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.done), load(&self.refused), load(&self.retries))
    }

    /// Mutations that were answered, by protocol.
    pub(crate) fn protocols(&self) -> Counts {
        let mut counts = Counts::new();
        for entry in self.lock().iter() {
            let name = entry.mutation.protocol.name();
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        counts
    }

    /// An order that some user has, for the probes.
    pub(crate) fn any_order(&self) -> Option<(i64, String)> {
        let entries = self.lock();
        let found = entries.iter().find(|it| it.order().is_some())?;
        Some((found.mutation.user, found.order()?.to_string()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the answers with the databases; each difference in words.
    ///
    /// # Errors
    /// When a database does not answer.
    pub(crate) async fn compare(
        &self,
        loms: &DatabaseConnection,
        cart: &DatabaseConnection,
    ) -> anyhow::Result<Vec<String>> {
        let entries = self.lock().clone();
        let orders = read_orders(loms).await?;
        let mut wrong = unanswered(&entries);
        wrong.extend(compare_orders(&entries, &orders));
        wrong.extend(compare_changes(&entries, &orders));
        let ordered = read_units(
            loms,
            "select user_id, sku, sum(count)::bigint from order_lines
             join orders on orders.id = order_id where status <> 'failed' group by user_id, sku",
        );
        let in_carts = "select user_id, sku, count from cart_lines";
        let in_carts = read_units(cart, in_carts).await?;
        wrong.extend(compare_carts(&entries, &ordered.await?, &in_carts));
        Ok(wrong)
    }

    /// Repeats every `step`th mutation with its key. Returns how many, and each response that differs, in words.
    pub(crate) async fn replay(&self, clients: &Clients, step: usize) -> (u64, Vec<String>) {
        let entries: Vec<Entry> = self.lock().iter().step_by(step.max(1)).cloned().collect();
        let count = entries.len() as u64;
        let replays = futures::stream::iter(entries).map(async |entry| {
            let again = clients.run(&entry.mutation).await.reply;
            (again != entry.reply).then(|| {
                let (asked, before) = (entry.asked(), &entry.reply);
                format!("I3: {asked} was answered {before:?}, and again {again:?}")
            })
        });
        let wrong = replays.buffer_unordered(REPLAYS_AT_ONCE);
        let wrong: Vec<Option<String>> = wrong.collect().await;
        (count, few(wrong.into_iter().flatten().collect()))
    }
}

impl Entry {
    /// What was asked, and how.
    fn asked(&self) -> String {
        let Mutation { work, protocol, .. } = &self.mutation;
        format!("{work:?} by {}", protocol.name())
    }

    /// The order that was made.
    fn order(&self) -> Option<i64> {
        match (&self.mutation.work, &self.reply) {
            (Work::Checkout | Work::Create(_), Reply::Done(value)) => {
                value["order"]["id"].as_str()?.parse().ok()
            }
            _ => None,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.reply, Reply::Done(_))
    }
}

fn few(mut wrong: Vec<String>) -> Vec<String> {
    let all = wrong.len();
    if all > EXAMPLES {
        wrong.truncate(EXAMPLES);
        wrong.push(format!("and {} more like this", all - EXAMPLES));
    }
    wrong
}

fn unanswered(entries: &[Entry]) -> Vec<String> {
    let wrong = entries.iter().filter_map(|it| match &it.reply {
        Reply::Failed(code) => Some(format!("I3: {} was never answered: {code}", it.asked())),
        Reply::Refused(code) if !it.mutation.work.may_be_refused(code) => {
            Some(format!("I3: {} was refused with {code}", it.asked()))
        }
        Reply::Done(_) | Reply::Refused(_) => None,
    });
    few(wrong.collect())
}

/// Every order was asked for once, and every one that was answered is there.
fn compare_orders(entries: &[Entry], orders: &BTreeMap<i64, String>) -> Vec<String> {
    let answered: Vec<i64> = entries.iter().filter_map(Entry::order).collect();
    let distinct: BTreeSet<i64> = answered.iter().copied().collect();
    let mut wrong = Vec::new();
    if distinct.len() < answered.len() {
        let more = answered.len() - distinct.len();
        wrong.push(format!(
            "I4: {more} answers name an order that another response names"
        ));
    }
    let lost = distinct.iter().filter(|id| !orders.contains_key(id));
    wrong.extend(few(lost
        .map(|id| format!("I3: order {id} was answered and is gone"))
        .collect()));
    let kept = orders.iter().filter(|(_, status)| *status != "failed");
    let unasked = kept.filter(|(id, _)| !distinct.contains(id));
    let unasked =
        unasked.map(|(id, status)| format!("I5: order {id} ({status}) was asked for by nobody"));
    wrong.extend(few(unasked.collect()));
    // A refusal for want of stock leaves one failed order.
    let makes = |it: &&Entry| matches!(it.mutation.work, Work::Checkout | Work::Create(_));
    let short = |it: &&Entry| it.reply == Reply::Refused("OUT_OF_STOCK".into());
    let refused = entries.iter().filter(makes).filter(short).count();
    let failed = orders.values().filter(|status| *status == "failed").count();
    if refused != failed {
        wrong.push(format!(
            "I5: {refused} orders were refused for want of stock, {failed} are failed"
        ));
    }
    wrong
}

/// A payment or a cancellation that was answered is what the order is.
fn compare_changes(entries: &[Entry], orders: &BTreeMap<i64, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for entry in entries {
        let (order, expected, refusing): (_, _, &[&str]) = match entry.mutation.work {
            Work::Pay(order) => (order, "paid", &["cancelled"]),
            Work::Cancel(order) => (order, "cancelled", &["paid", "cancelled"]),
            Work::Add { .. } | Work::Checkout | Work::Create(_) => continue,
        };
        let status = orders.get(&order).map_or("gone", String::as_str);
        let fits = if entry.is_done() {
            status == expected
        } else {
            matches!(entry.reply, Reply::Failed(_)) || refusing.contains(&status)
        };
        if !fits {
            let (asked, reply) = (entry.asked(), &entry.reply);
            wrong.push(format!(
                "I3: {asked} was answered {reply:?}, and the order is {status}"
            ));
        }
    }
    few(wrong)
}

type Units = HashMap<(i64, i64), i64>;

/// What was put into a cart and not ordered from it is still there.
fn compare_carts(entries: &[Entry], ordered: &Units, in_carts: &Units) -> Vec<String> {
    let mut expected = Units::new();
    for entry in entries.iter().filter(|it| it.is_done()) {
        if let Work::Add { sku, count } = entry.mutation.work {
            let units = expected.entry((entry.mutation.user, sku)).or_default();
            *units += i64::from(count);
        }
    }
    // Users who order without a cart have none.
    let with_cart: BTreeSet<i64> = expected.keys().map(|(user, _)| *user).collect();
    for ((user, sku), count) in ordered {
        if with_cart.contains(user) {
            *expected.entry((*user, *sku)).or_default() -= count;
        }
    }
    let wrong = expected.iter().filter_map(|((user, sku), count)| {
        let found = in_carts.get(&(*user, *sku)).copied().unwrap_or(0);
        (found != *count).then(|| {
            format!(
                "cart of user {user}: {found} units of SKU {sku}, added and not ordered {count}"
            )
        })
    });
    few(wrong.collect())
}

async fn read_orders(db: &DatabaseConnection) -> anyhow::Result<BTreeMap<i64, String>> {
    let sql = Statement::from_string(DbBackend::Postgres, "select id, status from orders");
    let rows = db.query_all_raw(sql).await?;
    rows.iter()
        .map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
        .collect()
}

async fn read_units(db: &DatabaseConnection, sql: &str) -> anyhow::Result<Units> {
    let rows = db
        .query_all_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await?;
    let read = |row: &sea_orm::QueryResult| {
        let key = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        anyhow::Ok((key, row.try_get_by_index(2)?))
    };
    rows.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;
    use serde_json::json;

    use super::*;

    fn entry(user: i64, work: Work, reply: Reply) -> Entry {
        let mut random = StdRng::seed_from_u64(1);
        Entry {
            mutation: Mutation::new(user, "", work, &mut random),
            reply,
        }
    }

    fn made(user: i64, order: &str) -> Entry {
        entry(
            user,
            Work::Checkout,
            Reply::Done(json!({ "order": { "id": order } })),
        )
    }

    #[test]
    fn an_order_that_is_lost_doubled_or_unasked_is_told() {
        let refused = entry(3, Work::Checkout, Reply::Refused("OUT_OF_STOCK".into()));
        let entries = [made(1, "1"), made(2, "1"), made(2, "2"), refused];
        let orders = [(1, "paid"), (3, "cancelled")].map(|(id, it)| (id, it.to_owned()));
        let wrong = compare_orders(&entries, &orders.into());
        let names = |part: &str| wrong.iter().any(|it| it.contains(part));
        assert!(names("1 answers name"), "{wrong:?}");
        assert!(names("order 2 was answered and is gone"), "{wrong:?}");
        assert!(
            names("order 3 (cancelled) was asked for by nobody"),
            "{wrong:?}"
        );
        assert!(
            names("1 orders were refused for want of stock, 0 are failed"),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_payment_that_was_answered_and_is_not_there_is_told() {
        let done = || Reply::Done(json!({}));
        let late = Reply::Refused("ORDER_NOT_PAYABLE".into());
        let orders: BTreeMap<_, _> = [(1, "cancelled".to_owned()), (2, "paid".to_owned())].into();
        let wrong = |entry| compare_changes(&[entry], &orders).len();
        assert_eq!(wrong(entry(1, Work::Pay(1), done())), 1);
        assert_eq!(wrong(entry(1, Work::Pay(2), done())), 0);
        assert_eq!(wrong(entry(1, Work::Cancel(2), done())), 1);
        assert_eq!(wrong(entry(1, Work::Pay(1), late.clone())), 0);
        assert_eq!(wrong(entry(1, Work::Pay(2), late)), 1);
    }

    #[test]
    fn units_that_leave_a_cart_without_an_order_are_told() {
        let add = |count| entry(1, Work::Add { sku: 9, count }, Reply::Done(json!({})));
        let entries = [add(2), add(3)];
        let units = |count| Units::from([((1, 9), count)]);
        assert!(compare_carts(&entries, &units(2), &units(3)).is_empty());
        assert_eq!(compare_carts(&entries, &units(2), &units(5)).len(), 1);
        assert_eq!(compare_carts(&entries, &units(2), &Units::new()).len(), 1);
    }
}
