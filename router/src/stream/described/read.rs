//! Reads the streams of a supergraph, and refuses what could not be served.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use federation::{Member, OwnSubscriptions, SubscriptionField, Subscriptions};
use order_stream::{TOPIC_MEMBERS_MAX, TopicReading};
use serde_json::{Map, Value};

use super::{
    Key, StreamField, Streams, Topic,
    fault::{Fault, Refused},
    frame::{Frame, OF_ROUTER},
    given::Given,
};
use crate::stream::metrics;

/// The specification of the directive, without its version.
const SPECIFICATION: &str = "https://specs.marketplace.example/stream/";
const VERSION: &str = "v0.1";
/// The directive's name there.
const DIRECTIVE: &str = "@stream";

/// The argument that every stream may have: the place to go on behind.
const AFTER: &str = "after";
/// When it changed, by the message's `moment` where it has no such member.
const AT: &str = "at";

/// What the messages of the order events' topic have, and what they can be found by.
const OF_ORDERS: [&str; 5] = ["orderId", "version", "status", AT, "order"];
const FILTERS_OF_ORDERS: [&str; 3] = ["status", "sku", "userId"];
const OWNER_OF_ORDERS: &str = "userId";

/// Root fields that the router answers beside streams.
const ANSWERED: [&str; 2] = ["Query.orderEventsCursor", "Query.rateLimit"];

/// Reads the streams. `has_broker` says whether there is a broker to read topics from.
///
/// # Errors
/// The first stream that could not be served, and why.
pub(crate) fn read(
    subscriptions: &Subscriptions,
    has_broker: bool,
) -> Result<OwnSubscriptions, Refused> {
    let mut own = OwnSubscriptions::default();
    let Some(directive) = directive(subscriptions)? else {
        own.data.insert(Arc::new(Streams::default()));
        return Ok(own);
    };
    let mut streams = BTreeMap::<String, Arc<StreamField>>::new();
    for field in &subscriptions.fields {
        let refuse = |fault| Refused {
            field: field.name.clone(),
            directive: directive.to_owned(),
            fault,
        };
        let described = field.directives.iter().find(|(name, _)| name == directive);
        let Some((_, given)) = described else {
            continue;
        };
        let stream = stream(field, given).map_err(refuse)?;
        if !has_broker {
            return Err(refuse(Fault::NoBroker(stream.topic.name().to_owned())));
        }
        for other in streams.values() {
            agree(&stream, other).map_err(refuse)?;
        }
        own.subgraphs.extend(field.subgraphs.iter().cloned());
        if let Some(state) = &stream.state {
            let what_for = format!("Subscription.{} @{directive}: state", field.name);
            own.operations.push((what_for, state.clone()));
        }
        metrics::announce_field(&stream.name);
        streams.insert(field.name.clone(), Arc::new(stream));
    }
    let refuse = |(field, fault)| Refused {
        field,
        directive: directive.to_owned(),
        fault,
    };
    are_alone(subscriptions, &streams, &own.subgraphs).map_err(refuse)?;
    share_readings(&mut streams).map_err(refuse)?;
    own.data.insert(Arc::new(Streams(streams)));
    Ok(own)
}

/// Checks that the subgraphs of streams have nothing else: nobody would answer it.
fn are_alone(
    subscriptions: &Subscriptions,
    streams: &BTreeMap<String, Arc<StreamField>>,
    subgraphs: &BTreeSet<String>,
) -> Result<(), (String, Fault)> {
    for field in &subscriptions.fields {
        for subgraph in field.subgraphs.iter().filter(|it| subgraphs.contains(*it)) {
            let other = (!streams.contains_key(&field.name))
                .then(|| format!("Subscription.{}", field.name));
            let asked = subscriptions.asked_for.get(subgraph).into_iter().flatten();
            let mut asked = asked.filter(|it| !ANSWERED.contains(&it.as_str()));
            if let Some(asked) = other.or_else(|| asked.next().cloned()) {
                let subgraph = subgraph.clone();
                return Err((field.name.clone(), Fault::Mixed { subgraph, asked }));
            }
        }
    }
    Ok(())
}

/// What the supergraph calls the directive; `None` where it does not use it.
fn directive(subscriptions: &Subscriptions) -> Result<Option<&str>, Refused> {
    for link in &subscriptions.links {
        let Some(version) = link.url.strip_prefix(SPECIFICATION) else {
            continue;
        };
        let imported = link.imports.iter().find(|(name, _)| name == DIRECTIVE);
        let Some((_, here)) = imported else {
            continue;
        };
        let here = here.trim_start_matches('@');
        if version != VERSION {
            return Err(Refused {
                field: "*".to_owned(),
                directive: here.to_owned(),
                fault: Fault::Version(version.to_owned()),
            });
        }
        return Ok(Some(here));
    }
    Ok(None)
}

fn stream(field: &SubscriptionField, given: &Map<String, Value>) -> Result<StreamField, Fault> {
    let given = Given::read(given)?;
    let topic = given.topic.clone().ok_or(Fault::Missing("topic"))?;
    if !is_topic(&topic) {
        return Err(Fault::Topic(topic));
    }
    let frame = Frame::of(field)?;
    let key = given.key.clone().ok_or(Fault::Missing("key"))?;
    let version = given
        .version
        .clone()
        .unwrap_or_else(|| "version".to_owned());
    let readers = given.readers()?;
    frame.field("key", &key)?;
    frame.counts(&version)?;
    let argument = key_argument(field, &key)?;
    let entity = given.entity.as_deref().map(|name| frame.entity(name));
    let entity = entity.transpose()?;
    let state = given.state.as_deref().map(|selection| {
        let ty = argument.ok_or_else(|| Fault::StateOfAll(key.clone()))?;
        Ok(format!(
            "query StreamState($key: {}!) {{ {selection} }}",
            ty.ty
        ))
    });
    let state = state.transpose()?;
    frame.check_kinds(state.is_some())?;
    let named = [key.as_str(), version.as_str()];
    let of_entity = entity.as_ref().map(|entity| entity.field.as_str());
    let members = field.members.iter().map(|it| it.name.as_str());
    let members = members.filter(|name| {
        !named.contains(name) && !OF_ROUTER.contains(name) && of_entity != Some(*name)
    });
    let members: Vec<String> = members.map(str::to_owned).collect();
    // Where one entity is asked for, it is known in a GAP too.
    let known = argument.is_some().then_some(key.as_str());
    frame.can_tell_a_gap(&[known, of_entity.filter(|_| known.is_some())])?;
    let filters = filters(field, &key)?;
    let topic = if topic == schema::event::TOPIC {
        of_orders(field, &filters, &given)?;
        Topic::Orders
    } else {
        let reading = TopicReading {
            version: version.as_str().into(),
            owner: given.owner.as_deref().map(Arc::from),
            members: filters.clone(),
        };
        Topic::Of(topic.into(), reading)
    };
    Ok(StreamField {
        name: field.name.as_str().into(),
        topic,
        frame: field.result.ty.clone(),
        key: Key {
            name: key,
            argument: argument.map(|it| it.ty.clone()),
            is_numeric: given.is_numeric,
        },
        entity,
        version,
        readers,
        state,
        members,
        filters,
    })
}

/// The argument that gives the entity's id; `None` where the stream is of all.
fn key_argument<'a>(field: &'a SubscriptionField, key: &str) -> Result<Option<&'a Member>, Fault> {
    let argument = field.arguments.iter().find(|it| it.name == key);
    if argument.is_some_and(|it| !it.is_non_null || it.is_list) {
        let wanted = "one that must be given: without it the stream would be of all";
        let name = key.to_owned();
        return Err(Fault::Argument { name, wanted });
    }
    Ok(argument)
}

/// Source: Kafka's `Topic.validate`.
fn is_topic(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    name.len() <= 249 && !matches!(name, "." | "..") && name.chars().all(is_letter)
}

fn filters(field: &SubscriptionField, key: &str) -> Result<Vec<Arc<str>>, Fault> {
    let others = field.arguments.iter();
    let others = others.filter(|it| it.name != key && it.name != AFTER);
    let mut filters = Vec::new();
    for argument in others {
        let is_scalar = matches!(
            argument.ty.as_str(),
            "ID" | "String" | "Int" | "Float" | "Boolean"
        ) || !argument.values.is_empty();
        if argument.is_list || argument.is_non_null || !is_scalar {
            let (name, wanted) = (
                argument.name.clone(),
                "a scalar or enum that may be left out",
            );
            return Err(Fault::Argument { name, wanted });
        }
        filters.push(argument.name.as_str().into());
    }
    filters.sort_unstable();
    Ok(filters)
}

/// The order events have a type of their own, of which no more can be described than it has.
fn of_orders(field: &SubscriptionField, filters: &[Arc<str>], given: &Given) -> Result<(), Fault> {
    let members = field.members.iter().map(|it| it.name.as_str());
    let mut members = members.filter(|it| !OF_ROUTER.contains(it));
    let foreign = members.find(|it| !OF_ORDERS.contains(it));
    let mut filters = filters.iter().map(|it| &**it);
    let foreign = foreign.or_else(|| filters.find(|it| !FILTERS_OF_ORDERS.contains(it)));
    let named = [
        (given.key.as_deref(), "orderId"),
        (given.version.as_deref(), "version"),
        (given.entity.as_deref(), "order"),
        (given.owner.as_deref(), OWNER_OF_ORDERS),
    ];
    let mut named = named.into_iter();
    let other = named.find_map(|(given, own)| given.filter(|given| *given != own));
    if let Some(name) = foreign.or(other) {
        return Err(Fault::NotOfOrders(name.to_owned()));
    }
    // Its first frame, and its end, are the order's.
    let of_one = field.arguments.iter().any(|it| it.name == "orderId");
    match given.state {
        None if of_one => Err(Fault::Missing("state")),
        _ => Ok(()),
    }
}

/// What fields of one topic must say alike.
fn agree(stream: &StreamField, other: &StreamField) -> Result<(), Fault> {
    if stream.topic.name() != other.topic.name() {
        return Ok(());
    }
    let disagree = |about| {
        Err(Fault::Disagrees {
            about,
            topic: stream.topic.name().to_owned(),
            other: other.name.to_string(),
        })
    };
    let entity = |it: &StreamField| it.entity.as_ref().map(|it| it.ty.clone());
    if stream.version != other.version {
        return disagree("version");
    }
    if stream.key.is_numeric != other.key.is_numeric {
        return disagree("key");
    }
    if let (Some(one), Some(other)) = (entity(stream), entity(other))
        && one != other
    {
        return disagree("entity");
    }
    let owner = |it: &StreamField| match &it.topic {
        Topic::Of(_, reading) => reading.owner.clone(),
        Topic::Orders => None,
    };
    if let (Some(one), Some(other)) = (owner(stream), owner(other))
        && one != other
    {
        return disagree("owner");
    }
    Ok(())
}

/// A topic is read once for all its fields: by the owner of any, and the filters of all.
fn share_readings(streams: &mut BTreeMap<String, Arc<StreamField>>) -> Result<(), (String, Fault)> {
    let mut readings = BTreeMap::<Arc<str>, TopicReading>::new();
    for (name, stream) in streams.iter() {
        let Topic::Of(topic, reading) = &stream.topic else {
            continue;
        };
        let shared = readings.entry(Arc::clone(topic));
        let shared = shared.or_insert_with(|| reading.clone());
        shared.owner = shared.owner.take().or_else(|| reading.owner.clone());
        shared.members.extend(reading.members.iter().cloned());
        shared.members.sort_unstable();
        shared.members.dedup();
        if shared.members.len() > TOPIC_MEMBERS_MAX {
            let (max, count) = (TOPIC_MEMBERS_MAX, shared.members.len());
            let topic = topic.to_string();
            return Err((name.clone(), Fault::Filters { topic, max, count }));
        }
    }
    for stream in streams.values_mut() {
        let Some(stream) = Arc::get_mut(stream) else {
            continue;
        };
        if let Topic::Of(topic, reading) = &mut stream.topic
            && let Some(shared) = readings.get(topic)
        {
            reading.clone_from(shared);
        }
    }
    Ok(())
}

impl Topic {
    /// Its name in the contracts.
    pub(in crate::stream) fn name(&self) -> &str {
        match self {
            Self::Orders => schema::event::TOPIC,
            Self::Of(name, _) => name,
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
