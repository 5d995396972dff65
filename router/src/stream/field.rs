//! Which stream a subscription asks for, and whether its caller may read it.

use std::{str::FromStr, sync::Arc};

use chassis::principal::Principal;
use federation::SubscriptionCall;
use order_stream::{Filter, Scope};
use schema::{
    code::ErrorCode,
    event::OrderStatus,
    id::{OrderId, Sku},
};
use serde_json::{Map, Value};

use super::topic::{self, Subject};
use crate::error::RequestError;

/// What the caller asks to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Order(OrderId),
    /// Of the filter only the status: the buyer is the caller.
    Mine(Filter),
    All(Filter),
    /// One entity of a topic beside the order events.
    Topic(Subject),
}

impl Field {
    /// Reads the field and its arguments.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an id that is none: a stream that its filter closes for good would look like a quiet one.
    pub(super) fn of(call: &SubscriptionCall) -> Result<Self, RequestError> {
        let arguments = &call.arguments;
        match call.field.as_str() {
            "orderEvents" => {
                let order = id(arguments, "orderId")?;
                order.map(Self::Order).ok_or_else(|| not_an_id("orderId"))
            }
            "myOrderEvents" => Ok(Self::Mine(Filter {
                status: status(arguments)?,
                ..Filter::default()
            })),
            "allOrderEvents" => Ok(Self::All(Filter {
                user: id(arguments, "userId")?,
                status: status(arguments)?,
                sku: id(arguments, "sku")?,
            })),
            name => {
                let of = topic::FIELDS.iter().find(|field| field.name == name);
                let of = of.ok_or_else(|| RequestError::masked(ErrorCode::Internal))?;
                let key = id::<Sku>(arguments, of.key)?.ok_or_else(|| not_an_id(of.key))?;
                let key: Arc<str> = key.to_string().into();
                Ok(Self::Topic(Subject { of, key }))
            }
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Order(_) => "orderEvents",
            Self::Mine(_) => "myOrderEvents",
            Self::All(_) => "allOrderEvents",
            Self::Topic(subject) => subject.of.name,
        }
    }

    /// The order, where one alone is asked for.
    pub(super) const fn order(&self) -> Option<OrderId> {
        match self {
            Self::Order(order) => Some(*order),
            Self::Mine(_) | Self::All(_) | Self::Topic(_) => None,
        }
    }

    /// The entity of a topic beside the order events.
    pub(super) fn subject(&self) -> Option<Subject> {
        match self {
            Self::Topic(subject) => Some(subject.clone()),
            Self::Order(_) | Self::Mine(_) | Self::All(_) => None,
        }
    }

    /// The order events that the caller gets; `None` for a topic beside them, where the state says who may read.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` and `FORBIDDEN`.
    pub(super) fn scope(
        &self,
        principal: Option<&Principal>,
    ) -> Result<Option<Scope>, RequestError> {
        if matches!(self, Self::Topic(_)) {
            return Ok(None);
        }
        let principal =
            principal.ok_or_else(|| RequestError::masked(ErrorCode::Unauthenticated))?;
        self.orders(principal).map(Some)
    }

    fn orders(&self, principal: &Principal) -> Result<Scope, RequestError> {
        match *self {
            Self::Order(order) => Ok(Scope::Order(order)),
            Self::Mine(filter) => {
                let user = principal.user;
                if user.is_none() {
                    return Err(RequestError::masked(ErrorCode::Unauthenticated));
                }
                Ok(Scope::Orders(Filter { user, ..filter }))
            }
            Self::All(filter) if principal.is_ops() => Ok(Scope::Orders(filter)),
            Self::All(_) => Err(RequestError::masked(ErrorCode::Forbidden)),
            Self::Topic(_) => Err(RequestError::masked(ErrorCode::Internal)),
        }
    }
}

/// The id in an argument; `None` where none is given.
fn id<T: FromStr>(
    arguments: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<T>, RequestError> {
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

    fn field(name: &str, arguments: &Value) -> Result<Field, RequestError> {
        Field::of(&SubscriptionCall {
            field: name.to_owned(),
            arguments: arguments.as_object().cloned().unwrap_or_default(),
            response_key: name.to_owned(),
        })
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
            assert_eq!(all.orders(&operator).unwrap(), Scope::ALL);
            let mine = field("myOrderEvents", &none).unwrap();
            let of_one = Scope::of_user(1.try_into().unwrap());
            assert_eq!(mine.orders(&operator).unwrap(), of_one);
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
        assert_eq!(all, Field::All(expected));
        let customer = principal(Some(2), Scopes::CUSTOMER);
        let refused = all.orders(&customer).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Forbidden);

        // Whoever asks for one's own gets one's own, whatever else is in the arguments.
        let mine = field("myOrderEvents", &arguments).unwrap();
        let expected = Filter {
            user: Some(1.try_into().unwrap()),
            status: Some(OrderStatus::Paid),
            sku: None,
        };
        let scope = mine.orders(&principal(Some(1), Scopes::OPS)).unwrap();
        assert_eq!(scope, Scope::Orders(expected));
        let nobody = mine.orders(&principal(None, Scopes::OPS)).unwrap_err();
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
        assert_eq!(stock.scope(None).unwrap(), None);
        let key = stock.subject().map(|subject| subject.key);
        assert_eq!(key.as_deref(), Some("77"));
        for name in ["myOrderEvents", "allOrderEvents"] {
            let refused = field(name, &json!({})).unwrap().scope(None).unwrap_err();
            assert_eq!(refused.code(), ErrorCode::Unauthenticated);
        }
    }
}
