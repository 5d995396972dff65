//! What the cart's repository in memory costs: add, get, delete and clear with 1, 100 and 10,000 users in it, and adds
//! from several threads at once. All carts share one lock, so the last figure shows what that lock costs.

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use cart::cart::{Change, Repository, store::MemoryCarts};
use criterion::{BatchSize, Bencher, BenchmarkId, Criterion, Throughput};
use futures::executor::block_on;
use schema::id::{Quantity, Sku, UserId};

const USERS: [i64; 3] = [1, 100, 10_000];
/// Lines in each cart before a measurement.
const LINES: i64 = 5;
const THREADS: [usize; 2] = [2, 8];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    one_at_a_time(&mut criterion);
    at_once(&mut criterion);
    criterion.final_summary();
}

/// Measures one operation on so many users' carts.
type Measure = fn(&mut Bencher<'_>, i64);

fn one_at_a_time(criterion: &mut Criterion) {
    let operations: [(&str, Measure); 4] = [
        ("add", |b, users| {
            change(b, users, Change::Add(sku(1), one()))
        }),
        ("get", get),
        ("delete", |b, users| {
            change(b, users, Change::Remove(sku(1)))
        }),
        ("clear", |b, users| change(b, users, Change::Clear)),
    ];
    for (name, measure) in operations {
        let mut group = criterion.benchmark_group(name);
        for users in USERS {
            group.bench_function(BenchmarkId::from_parameter(users), |b| measure(b, users));
        }
        group.finish();
    }
}

/// Every change is measured on a cart that has its lines; putting them back is not measured.
fn change(bencher: &mut Bencher<'_>, users: i64, change: Change) {
    let carts = filled(users);
    let mut owner = 0;
    let prepare = || {
        owner = owner % users + 1;
        fill(&carts, owner);
        user(owner)
    };
    let apply = |owner| block_on(carts.change(owner, change, None)).expect("within its bounds");
    bencher.iter_batched(prepare, apply, BatchSize::SmallInput);
}

fn get(bencher: &mut Bencher<'_>, users: i64) {
    let carts = filled(users);
    let mut owner = 0;
    bencher.iter(|| {
        owner = owner % users + 1;
        black_box(block_on(carts.find(user(owner))).expect("memory is there"))
    });
}

/// Threads that add, each for users of its own.
fn at_once(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("add at once");
    for threads in THREADS {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new("threads", threads), |bencher| {
            bencher.iter_custom(|rounds| add_with(threads, rounds));
        });
    }
    group.finish();
}

fn add_with(threads: usize, rounds: u64) -> Duration {
    let carts = MemoryCarts::default();
    let started = Instant::now();
    thread::scope(|scope| {
        for number in 1..=threads {
            let carts = &carts;
            scope.spawn(move || add_for_one(carts, number, rounds));
        }
    });
    started.elapsed()
}

fn add_for_one(carts: &MemoryCarts, thread: usize, rounds: u64) {
    let owner = user(i64::try_from(thread).expect("a handful of threads"));
    for round in 0..rounds {
        let sku = sku(i64::try_from(round % 64 + 1).expect("below 65"));
        // A removal in between keeps the count in its bounds.
        for change in [Change::Remove(sku), Change::Add(sku, one())] {
            black_box(block_on(carts.change(owner, change, None)).expect("within its bounds"));
        }
    }
}

fn filled(users: i64) -> MemoryCarts {
    let carts = MemoryCarts::default();
    for owner in 1..=users {
        fill(&carts, owner);
    }
    carts
}

fn fill(carts: &MemoryCarts, owner: i64) {
    let changes = (1..=LINES).map(|number| Change::Add(sku(number), one()));
    for change in [Change::Clear].into_iter().chain(changes) {
        block_on(carts.change(user(owner), change, None)).expect("within its bounds");
    }
}

fn user(id: i64) -> UserId {
    UserId::try_from(id).expect("above 0")
}

fn sku(id: i64) -> Sku {
    Sku::try_from(id).expect("above 0")
}

fn one() -> Quantity {
    Quantity::try_from(1_u32).expect("1 is a quantity")
}
