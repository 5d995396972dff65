//! What a subscription asks of its stream, and whether its caller may read it: by the stream's description alone.

use std::{str::FromStr, sync::Arc};

use chassis::principal::Principal;
use federation::SubscriptionCall;
use order_stream::{Filter, Scope, TopicReading, TopicScope, text_of};
use schema::{
    code::ErrorCode,
    event::OrderStatus,
    id::{OrderId, UserId},
};
use serde_json::{Map, Value};

use super::{
    described::{Readers, StreamField, Streams, Topic},
    topic::Subject,
};
use crate::error::RequestError;

/// What the caller asks to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    of: Arc<StreamField>,
    asked: Asked,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// The changes of one order.
    Order(OrderId),
    /// Those of orders that meet a filter.
    Orders(Filter),
    /// Those of a topic beside the order events.
    Topic(TopicScope),
}

/// The events that the caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Granted {
    Orders(Scope),
    Topic(Arc<str>, TopicReading, TopicScope),
}

impl Field {
    /// Reads the field and its arguments.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an id that is none: a stream that its filter closes for good would look like a quiet one.
    pub(super) fn of(call: &SubscriptionCall, streams: &Streams) -> Result<Self, RequestError> {
        let of = streams.find(&call.field);
        let of = of.ok_or_else(|| RequestError::masked(ErrorCode::Internal))?;
        let (of, given) = (Arc::clone(of), &call.arguments);
        let asked = match &of.topic {
            Topic::Orders if of.key.argument.is_some() => {
                let order = id(given, &of.key.name)?;
                Asked::Order(order.ok_or_else(|| not_an_id(&of.key.name))?)
            }
            Topic::Orders => {
                // Those that the field has: what else is given asks for nothing.
                let filters = of.filters.iter();
                let filters = filters.filter_map(|name| given.get_key_value(&**name).map(owned));
                let given = filters.collect();
                Asked::Orders(Filter {
                    user: id(&given, "userId")?,
                    status: status(&given)?,
                    sku: id(&given, "sku")?,
                })
            }
            Topic::Of(..) => Asked::Topic(scope(&of, given)?),
        };
        Ok(Self { of, asked })
    }

    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.of.name)
    }

    /// How the entity's state is asked for.
    pub(super) fn state(&self) -> Option<&str> {
        self.of.state.as_deref()
    }

    /// The order, where one alone is asked for.
    pub(super) const fn order(&self) -> Option<OrderId> {
        match self.asked {
            Asked::Order(order) => Some(order),
            Asked::Orders(_) | Asked::Topic(_) => None,
        }
    }

    /// What is asked of a topic beside the order events.
    pub(super) fn subject(&self) -> Option<Subject> {
        match &self.asked {
            Asked::Topic(scope) => Some(Subject {
                of: Arc::clone(&self.of),
                key: scope.entity.clone(),
            }),
            Asked::Order(_) | Asked::Orders(_) => None,
        }
    }

    /// The events that the caller gets. Where the state says who may read, that is asked besides.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` and `FORBIDDEN`.
    pub(super) fn grant(&self, principal: Option<&Principal>) -> Result<Granted, RequestError> {
        let owner = self.owner(principal)?;
        Ok(match (&self.asked, &self.of.topic) {
            (Asked::Order(order), _) => Granted::Orders(Scope::Order(*order)),
            (Asked::Orders(filter), _) => Granted::Orders(Scope::Orders(Filter {
                user: owner.or(filter.user),
                ..*filter
            })),
            (Asked::Topic(scope), Topic::Of(topic, reading)) => {
                let mut scope = scope.clone();
                scope.owner = owner.map(|user| user.to_string().into());
                Granted::Topic(Arc::clone(topic), reading.clone(), scope)
            }
            (Asked::Topic(_), Topic::Orders) => {
                return Err(RequestError::masked(ErrorCode::Internal));
            }
        })
    }

    /// The caller, where what comes must be the caller's own.
    fn owner(&self, principal: Option<&Principal>) -> Result<Option<UserId>, RequestError> {
        let refused = |code| Err(RequestError::masked(code));
        let readers = self.of.readers;
        if readers == Readers::Everybody {
            return Ok(None);
        }
        let Some(principal) = principal else {
            return refused(ErrorCode::Unauthenticated);
        };
        match readers {
            Readers::Everybody | Readers::WhoSeesTheState => Ok(None),
            Readers::Operators if principal.is_ops() => Ok(None),
            Readers::Customers if principal.scopes.customer => Ok(None),
            Readers::Operators | Readers::Customers => refused(ErrorCode::Forbidden),
            Readers::Owners if principal.user.is_some() => Ok(principal.user),
            Readers::Owners => refused(ErrorCode::Unauthenticated),
        }
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// What the arguments ask of a topic: one entity, and what its messages' members must be.
fn scope(of: &StreamField, given: &Map<String, Value>) -> Result<TopicScope, RequestError> {
    let mut scope = TopicScope::default();
    if of.key.argument.is_some() {
        scope.entity = Some(key(of, given)?);
    }
    for name in &of.filters {
        let Some(value) = given.get(&**name).filter(|value| !value.is_null()) else {
            continue;
        };
        let text = text_of(value).ok_or_else(|| {
            let message = format!("{name} must be a text, a number or a truth value");
            RequestError::new(ErrorCode::InvalidArgument, message)
        })?;
        scope.members.push((Arc::clone(name), text));
    }
    Ok(scope)
}

/// The entity's id as messages have it.
fn key(of: &StreamField, given: &Map<String, Value>) -> Result<Arc<str>, RequestError> {
    let name = &of.key.name;
    if of.key.is_numeric {
        let number = given.get(name).and_then(text_of);
        let number = number.and_then(|text| text.parse::<i64>().ok());
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or_else(|| not_an_id(name))?;
        return Ok(number.to_string().into());
    }
    let text = given.get(name).and_then(text_of);
    text.filter(|text| !text.is_empty()).ok_or_else(|| {
        let message = format!("{name} must not be empty");
        RequestError::new(ErrorCode::InvalidArgument, message)
    })
}

/// The id in an argument; `None` where none is given.
fn id<T: FromStr>(arguments: &Map<String, Value>, name: &str) -> Result<Option<T>, RequestError> {
    let given = match arguments.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(given) => given.as_str().and_then(|text| text.parse().ok()),
    };
    given.map(Some).ok_or_else(|| not_an_id(name))
}

fn not_an_id(name: &str) -> RequestError {
    let message = format!("{name} must be a positive number");
    RequestError::new(ErrorCode::InvalidArgument, message)
}

fn status(arguments: &Map<String, Value>) -> Result<Option<OrderStatus>, RequestError> {
    let given = match arguments.get("status") {
        None | Some(Value::Null) => return Ok(None),
        Some(given) => given.as_str(),
    };
    let mut known = OrderStatus::ALL.into_iter();
    let status = known.find(|status| Some(status.graphql_name()) == given);
    // The graph's validation lets no other value pass.
    let unknown = || RequestError::new(ErrorCode::InvalidArgument, "status must be an OrderStatus");
    status.map(Some).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use chassis::principal::Scopes;
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::stream::described::tests::shop;

    fn field(name: &str, arguments: &Value) -> Result<Field, RequestError> {
        let call = SubscriptionCall {
            field: name.to_owned(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
            response_key: name.to_owned(),
        };
        Field::of(&call, &shop())
    }

    fn orders(field: &Field, principal: &Principal) -> Result<Scope, RequestError> {
        match field.grant(Some(principal))? {
            Granted::Orders(scope) => Ok(scope),
            Granted::Topic(..) => Err(RequestError::masked(ErrorCode::Internal)),
        }
    }

    fn principal(user: Option<i64>, scopes: Scopes) -> Principal {
        Principal {
            user: user.map(|id| id.try_into().unwrap()),
            scopes,
            expires_at: DateTime::UNIX_EPOCH,
            service: None,
        }
    }

    #[test]
    fn without_arguments_or_with_nulls_everything_passes() {
        let operator = principal(Some(1), Scopes::OPS);
        for none in [
            json!({}),
            json!({"status": null, "sku": null, "userId": null, "after": null}),
        ] {
            let all = field("allOrderEvents", &none).unwrap();
            assert_eq!(orders(&all, &operator).unwrap(), Scope::ALL);
            let mine = field("myOrderEvents", &none).unwrap();
            let of_one = Scope::of_user(1.try_into().unwrap());
            assert_eq!(orders(&mine, &operator).unwrap(), of_one);
        }
    }

    #[test]
    fn every_argument_narrows_the_stream_and_none_widens_it() {
        let arguments = json!({"status": "PAID", "sku": "0077", "userId": "2"});
        let expected = Filter {
            user: Some(2.try_into().unwrap()),
            status: Some(OrderStatus::Paid),
            sku: Some(77.try_into().unwrap()),
        };
        let all = field("allOrderEvents", &arguments).unwrap();
        assert_eq!(all.asked, Asked::Orders(expected));
        let customer = principal(Some(2), Scopes::CUSTOMER);
        let refused = orders(&all, &customer).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Forbidden);

        // Whoever asks for one's own gets one's own, whatever else is in the arguments.
        let mine = field("myOrderEvents", &arguments).unwrap();
        let expected = Filter {
            user: Some(1.try_into().unwrap()),
            status: Some(OrderStatus::Paid),
            sku: None,
        };
        let scope = orders(&mine, &principal(Some(1), Scopes::OPS)).unwrap();
        assert_eq!(scope, Scope::Orders(expected));
        let nobody = orders(&mine, &principal(None, Scopes::OPS)).unwrap_err();
        assert_eq!(nobody.code(), ErrorCode::Unauthenticated);
    }

    /// Meant against a filter that is passed over where it cannot be read: its client saw everything.
    #[test]
    fn what_is_no_id_is_refused_by_its_name() {
        for wrong in ["", "x", "0", "-1", " 1", "1.5", "9223372036854775808"] {
            for (name, argument) in [
                ("orderEvents", "orderId"),
                ("allOrderEvents", "sku"),
                ("allOrderEvents", "userId"),
                ("stockEvents", "sku"),
            ] {
                let refused = field(name, &json!({ argument: wrong })).unwrap_err();
                assert_eq!(refused.code(), ErrorCode::InvalidArgument, "{wrong}");
                assert!(refused.to_body().starts_with(
                    format!(r#"{{"errors":[{{"message":"{argument} must be"#).as_bytes()
                ));
            }
        }
        assert!(field("orderEvents", &json!({})).is_err());
        assert!(field("stockEvents", &json!({})).is_err());
        assert!(field("myOrderEvents", &json!({"status": "paid"})).is_err());
    }

    #[test]
    fn stock_is_everybodys_and_orders_are_not() {
        let stock = field("stockEvents", &json!({"sku": "0077"})).unwrap();
        let Granted::Topic(topic, _, scope) = stock.grant(None).unwrap() else {
            panic!("{stock:?}");
        };
        assert_eq!(&*topic, schema::event::STOCK_TOPIC);
        assert_eq!(scope, TopicScope::of_entity("77".into()));
        for name in ["myOrderEvents", "allOrderEvents"] {
            let refused = field(name, &json!({})).unwrap().grant(None).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::Unauthenticated);
        }
    }
}
