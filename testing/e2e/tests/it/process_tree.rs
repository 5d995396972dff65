//! The processes that a process has started, by what `/proc` says.

use dev_services::process::Identity;

/// Its children, their children and so on, which run now; parents before children.
pub(crate) fn below(pid: u32) -> Vec<Identity> {
    let mut found = children(pid);
    let mut next = 0;
    while next < found.len() {
        found.extend(children(found[next]));
        next += 1;
    }
    found.into_iter().filter_map(Identity::of).collect()
}

fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = listed.into_iter().flatten().filter_map(Result::ok);
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}
