use federation::subscriptions;

use super::*;
use crate::stream::described::Readers;

const PARCELS: &str = include_str!("../../../../examples/streams/supergraph.graphql");

/// What is said of a supergraph in which `from` is written as `to`.
fn said(from: &str, to: &str, has_broker: bool) -> Result<OwnSubscriptions, String> {
    assert!(PARCELS.contains(from), "{from}");
    let text = PARCELS.replace(from, to);
    let subscriptions = subscriptions(&text).expect("a supergraph");
    read(&subscriptions, has_broker).map_err(|refused| refused.to_string())
}

fn streams(own: &OwnSubscriptions) -> &Streams {
    own.data.get::<Arc<Streams>>().expect("read")
}

#[test]
fn the_shops_streams_are_described_by_its_supergraph() {
    let shop = subscriptions(schema::sdl::SUPERGRAPH).unwrap();
    let own = read(&shop, true).unwrap();
    let streams = streams(&own);
    let names: Vec<_> = streams.0.keys().map(String::as_str).collect();
    let all = [
        "allOrderEvents",
        "myOrderEvents",
        "orderEvents",
        "stockEvents",
    ];
    assert_eq!(names, all);
    let readers = all.map(|name| streams.find(name).unwrap().readers);
    let expected = [
        Readers::Operators,
        Readers::Owners,
        Readers::WhoSeesTheState,
        Readers::Everybody,
    ];
    assert_eq!(readers, expected);
    let stock = streams.find("stockEvents").unwrap();
    assert_eq!(stock.topic.name(), schema::event::STOCK_TOPIC);
    assert_eq!(stock.members, ["available", "at"]);
    assert_eq!(own.subgraphs.into_iter().collect::<Vec<_>>(), ["events"]);
}

#[test]
fn a_stream_of_another_domain_is_read_by_its_topics_names() {
    let own = said("parcels.changes", "parcels.changes", true).unwrap();
    let parcel = streams(&own).find("parcelEvents").unwrap();
    let all = streams(&own).find("allParcelEvents").unwrap();
    let Topic::Of(topic, reading) = &parcel.topic else {
        panic!("{parcel:?}");
    };
    assert_eq!(&**topic, "parcels.changes");
    assert_eq!(&*reading.version, "version");
    // A topic is read once for all its fields.
    assert_eq!(reading.members, [Arc::from("status")]);
    assert_eq!(parcel.topic, all.topic);
    assert!(parcel.key.argument.is_some() && all.key.argument.is_none());
    let entity = parcel.entity.as_ref().unwrap();
    assert_eq!(
        (&*entity.field, &*entity.ty, &*entity.key),
        ("parcel", "Parcel", "id")
    );
    assert_eq!(own.operations.len(), 1);
}

#[test]
fn a_supergraph_without_the_specification_has_no_streams() {
    let own = said(
        "marketplace.example/stream/",
        "marketplace.example/other/",
        true,
    )
    .unwrap();
    assert!(own.subgraphs.is_empty() && streams(&own).0.is_empty());
}

#[test]
fn the_directive_may_have_another_name() {
    let own = subscriptions(
        &PARCELS
            .replace(
                r#"import: ["@stream"]"#,
                r#"import: [{ name: "@stream", as: "@topic" }]"#,
            )
            .replace("@stream(", "@topic("),
    );
    assert_eq!(streams(&read(&own.unwrap(), true).unwrap()).0.len(), 2);
}

/// Each refusal names the field and the directive.
#[test]
fn what_could_not_be_served_is_refused_by_field_directive_and_argument() {
    for (from, to, why) in [
        (
            r#"@stream(topic: "parcels.changes", "#,
            "@stream(",
            "topic is missing",
        ),
        (
            r#"topic: "parcels.changes""#,
            "topic: 7",
            "topic has a value of another type",
        ),
        (
            r#"topic: "parcels.changes""#,
            r#"topic: "a b""#,
            "no name of a Kafka topic",
        ),
        (
            r#"key: "parcelId""#,
            r#"key: "nothing""#,
            "key: ParcelEvent has no field nothing",
        ),
        (
            r#"key: "parcelId""#,
            r#"key: "parcelId", colour: "red""#,
            "no argument colour",
        ),
        (
            "  version: Int",
            "  version: String",
            "ParcelEvent.version must be an Int",
        ),
        (
            "  version: Int\n",
            "  version: Int!\n",
            "ParcelEvent.version is never null",
        ),
        (
            r#"entity: "parcel""#,
            r#"entity: "status""#,
            "does not know ParcelStatus by a key",
        ),
        ("public: true", "public: false", "said who reads it"),
        (
            "public: true",
            r#"scope: "king""#,
            r#"scope "king" is none"#,
        ),
        ("  GAP", "  HOLE", "the value GAP"),
        ("stream/v0.1", "stream/v9.0", "not known: v9.0"),
        (
            ", resolvable: false",
            "",
            "streams have a subgraph of their own",
        ),
    ] {
        let refused = said(from, to, true).err().unwrap_or_else(|| panic!("{to}"));
        assert!(refused.contains(why), "{refused}");
        assert!(refused.contains("@stream: "), "{refused}");
        assert!(refused.starts_with("Subscription."), "{refused}");
    }
    let refused = said("", "", false).unwrap_err();
    assert!(refused.contains("kafka.brokers is empty"), "{refused}");
}

#[test]
fn two_fields_of_a_topic_say_the_same_of_it() {
    let second = PARCELS.rfind("@stream(").unwrap();
    let (before, after) = PARCELS.split_at(second);
    let text = format!(
        "{before}{}",
        after.replacen("@stream(", "@stream(numeric: true, ", 1)
    );
    let refused = read(&subscriptions(&text).unwrap(), true).unwrap_err();
    assert!(
        refused.to_string().contains("says another key of topic"),
        "{refused}"
    );
}
