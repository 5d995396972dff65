//! Which processors are the product's and which the shoppers'.
//!
//! Shoppers who ask for five times what the product can do have work of their own for every question. On the product's
//! processors they would slow it down, and the curve would show the shoppers.

use std::{ffi::OsStr, path::Path, process::Command};

/// The parts of this machine.
#[derive(Debug)]
pub struct Cores {
    /// How many the product has, with its stores.
    pub of_the_product: usize,
    /// Those of the product, as `taskset` reads them; nothing where there is one alone.
    list: Option<String>,
}

impl Cores {
    /// Keeps this thread, and those it starts, on the last processor and leaves the others to the product.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn part() -> Self {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let all: Vec<usize> = sched_getaffinity(None)
            .map(|set| (0..CpuSet::MAX_CPU).filter(|it| set.is_set(*it)).collect())
            .unwrap_or_default();
        let shared = Self {
            of_the_product: all.len(),
            list: None,
        };
        let Some((last, others @ [_, ..])) = all.split_last() else {
            return shared;
        };
        let mut own = CpuSet::new();
        own.set(*last);
        if sched_setaffinity(None, &own).is_err() {
            return shared;
        }
        let list: Vec<String> = others.iter().map(usize::to_string).collect();
        Self {
            of_the_product: others.len(),
            list: Some(list.join(",")),
        }
    }

    /// The product and the shoppers share all processors: there is no way to part them here.
    #[cfg(not(target_os = "linux"))]
    #[must_use]
    pub fn part() -> Self {
        Self {
            of_the_product: std::thread::available_parallelism().map_or(0, usize::from),
            list: None,
        }
    }

    /// A command on the product's processors, which its children inherit.
    #[must_use]
    pub fn command(&self, binary: &Path) -> Command {
        let Some(list) = &self.list else {
            return Command::new(binary);
        };
        let mut command = Command::new("taskset");
        command.args([OsStr::new("-c"), OsStr::new(list), binary.as_os_str()]);
        command
    }
}
