//! The topic may be compressed by whatever Kafka has: by its own settings, by the broker's, or by who mirrors it.

use crate::replica::{Stage, change};

/// One topic for each codec; the broker stores every batch by it. Events come in order on both partitions, and nothing is
/// parked.
///
/// Seen red, for zstd, with the client built without it.
#[tokio::test]
async fn events_are_handled_by_whichever_codec_they_are_stored() {
    for codec in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
        let stage = Stage::over(testkit::compressed_topic(2, codec).await).await;
        for order in 1..=4 {
            stage.write(&change(order, 1)).await;
            stage.write(&change(order, 2)).await;
        }
        let replica = stage.replica().await;
        let taken = stage.taken(8).await;
        assert_eq!(taken.len(), 8, "{codec}");
        for order in 1..=4 {
            let of_order = taken.iter().filter(|event| event.order_id.get() == order);
            let versions: Vec<_> = of_order.map(|event| event.version).collect();
            assert_eq!(versions, [1, 2], "{codec}: order {order}");
        }
        assert_eq!(stage.count("dead_letters").await, 0, "{codec}");
        replica.stop().await;
    }
}
