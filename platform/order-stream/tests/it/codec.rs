//! The topic may be compressed by whatever Kafka has: by its own settings, by the broker's, or by who mirrors it.

use order_stream::{Cursor, Scope};

use crate::topic::{Topic, next_event};

/// One topic for each codec; the broker stores every batch by it. Events are read from the log as they come, and again from
/// the topic by a process whose log holds next to nothing.
///
/// Seen red, for zstd, with the client built without it.
#[tokio::test]
async fn events_reach_readers_by_whichever_codec_they_are_stored() {
    for codec in ["gzip", "snappy", "lz4", "zstd", "uncompressed"] {
        let topic = testkit::compressed_topic(1, codec).await;
        let topic = Topic::at(testkit::kafka().await, topic);
        let live = topic.process(1 << 20);
        let mut reader = live.from(Scope::ALL, &live.end().await);
        for version in 1..=3 {
            topic.write(1, version).await;
            assert_eq!(next_event(&mut reader).await.0, (1, version), "{codec}");
        }
        let later = topic.process(1);
        later.end().await;
        let begin = Cursor::parse(&crate::resume::start_text()).unwrap();
        let mut reader = later.from(Scope::ALL, &begin);
        for version in 1..=3 {
            assert_eq!(next_event(&mut reader).await.0, (1, version), "{codec}");
        }
    }
}
