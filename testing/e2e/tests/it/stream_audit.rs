//! The stream audit against the marketplace that the tests share: everything but the cases that end processes.

use audit::streams::{Choice, Group, Target, Verdict, run};

use crate::shop::Shop;

/// `make audit-streams` runs the rest too. Seen red with 4400 for a duplicate id (2 cases), with each frame of a socket sent
/// twice (4), and with server-sent events of another name (19).
#[tokio::test]
async fn every_case_of_the_stream_audit_is_as_is_right() {
    let shop = Shop::shared().await;
    let target = Target::marketplace(&shop.url(4000)).unwrap();
    let mut choice = Choice {
        at_once: 4,
        ..Choice::default()
    };
    choice.groups.retain(|group| *group != Group::Disruption);
    let report = run(target, &choice).await;
    assert!(report.findings.len() >= 80, "{}", report.totals());
    assert_eq!(report.of(Verdict::Failed).count(), 0, "{}", report.table());
    assert_eq!(report.of(Verdict::Skipped).count(), 0, "{}", report.table());
}
