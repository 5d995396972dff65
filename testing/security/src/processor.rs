//! The processor time and memory of processes, as Linux counts them (proc(5)).

use std::{fs, time::Duration};

use crate::stack::Service;

/// Ticks of `/proc/PID/stat` in a second: fixed at 100 for user space on Linux.
const TICK: Duration = Duration::from_millis(10);

/// User and system time that `services` have used so far.
pub(crate) fn time(services: &[Service]) -> Duration {
    services.iter().map(|service| ticks(service.pid)).sum()
}

fn ticks(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may hold spaces.
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next().and_then(|it| it.parse::<u32>().ok());
    TICK * (next().unwrap_or(0) + next().unwrap_or(0))
}

/// Resident memory of a process in MiB.
pub(crate) fn memory(service: &Service) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid)).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
