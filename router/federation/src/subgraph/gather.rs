//! Several fetches that ask the same of different entities as one call: their representations in one list, each once, and of
//! the response to each its own part.
//!
//! Invariant: a fetch gets what a call of its own would have brought: its entities in its order, the errors at these, and the
//! errors that are at none.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::subgraph::error::FetchError;
use crate::subgraph::fetch::FetchRequest;

/// What one fetch asks.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its variables but the representations, as JSON.
    pub(super) others: Box<str>,
    /// Its representations; `None` when it does not ask for one list of entities.
    representations: Option<Vec<Box<RawValue>>>,
}

impl Asked {
    /// Reads a request.
    pub(super) fn of(request: &FetchRequest) -> Self {
        Self::entities(request).unwrap_or_else(|| Self {
            others: String::from_utf8_lossy(&request.variables).into(),
            representations: None,
        })
    }

    fn entities(request: &FetchRequest) -> Option<Self> {
        let variable = request.entities.as_deref()?;
        let all = serde_json::from_slice(&request.variables);
        let mut all: BTreeMap<String, Box<RawValue>> = all.ok()?;
        let list = all.remove(variable)?;
        Some(Self {
            others: serde_json::to_string(&all).ok()?.into(),
            representations: Some(serde_json::from_str(list.get()).ok()?),
        })
    }

    /// How many entities it asks for; at least 1.
    pub(super) fn size(&self) -> usize {
        self.representations.as_ref().map_or(1, Vec::len).max(1)
    }
}

/// One call for several fetches.
#[derive(Debug)]
pub(super) struct Gathered {
    /// The call.
    pub(super) request: FetchRequest,
    /// For each fetch, where its entities are in the call's list; `None` when they asked for the same.
    places: Option<Vec<Vec<usize>>>,
    fetches: usize,
}

impl Gathered {
    /// Gathers fetches with the same text and the same [`Asked::others`]; `None` when there are none.
    pub(super) fn of(fetches: &[(&FetchRequest, &Asked)]) -> Option<Self> {
        let (first, _) = fetches.first()?;
        let representations = fetches.iter().map(|(_, asked)| &asked.representations);
        let lists: Option<Vec<_>> = representations.map(Option::as_ref).collect();
        let (Some(lists), Some(variable), true) = (lists, &first.entities, fetches.len() > 1)
        else {
            return Some(Self {
                request: (*first).clone(),
                places: None,
                fetches: fetches.len(),
            });
        };
        let (list, places) = union(&lists);
        let objects_max = fetches.iter().map(|(request, _)| request.objects_max);
        Some(Self {
            request: FetchRequest {
                variables: with_list(&fetches[0].1.others, variable, &list),
                objects_max: objects_max.fold(0, u64::saturating_add),
                ..(*first).clone()
            },
            places: Some(places),
            fetches: fetches.len(),
        })
    }

    /// The response to each fetch.
    ///
    /// # Errors
    /// [`FetchError::Response`] when it is not what a GraphQL server sends.
    pub(super) fn split(&self, response: &Bytes) -> Result<Vec<Bytes>, FetchError> {
        let Some(places) = &self.places else {
            return Ok(vec![response.clone(); self.fetches]);
        };
        let broken = |error: serde_json::Error| FetchError::Response(error.to_string());
        let response: Response<'_> = serde_json::from_slice(response).map_err(broken)?;
        let alias = self.request.fields.first();
        let alias = alias.map_or("_entities", |(alias, _)| alias.as_str());
        let list = response.data.as_ref().and_then(|data| data.get(alias));
        let list: Option<Vec<&RawValue>> =
            list.and_then(|list| serde_json::from_str(list.get()).ok());
        let errors = response.errors.unwrap_or_default();
        let part = |places: &Vec<usize>| {
            let of_it = errors.iter().filter_map(|error| at(error, alias, places));
            let part = Part {
                data: list.as_ref().map(|list| {
                    let entity = |place: &usize| list.get(*place).copied();
                    BTreeMap::from([(alias, places.iter().map(entity).collect())])
                }),
                errors: of_it.collect(),
                extensions: response.extensions,
            };
            serde_json::to_vec(&part).map(Bytes::from).map_err(broken)
        };
        places.iter().map(part).collect()
    }
}

/// Every representation once, and where those of each list are.
fn union<'a>(lists: &[&'a Vec<Box<RawValue>>]) -> (Vec<&'a RawValue>, Vec<Vec<usize>>) {
    let mut all = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut place = |item: &'a RawValue| {
        *known.entry(item.get()).or_insert_with(|| {
            all.push(item);
            all.len() - 1
        })
    };
    let places = lists.iter();
    let places = places.map(|list| list.iter().map(|item| place(item)).collect());
    let places = places.collect();
    (all, places)
}

/// `others`, a JSON object, with one member more.
fn with_list(others: &str, variable: &Arc<str>, list: &[&RawValue]) -> Bytes {
    let open = others.strip_suffix('}').unwrap_or("{");
    let comma = if open.len() > 1 { "," } else { "" };
    let items = list.iter().map(|item| item.get());
    let items = items.collect::<Vec<_>>().join(",");
    format!("{open}{comma}\"{variable}\":[{items}]}}").into()
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    data: Option<HashMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(default)]
    errors: Option<Vec<Map<String, Value>>>,
    #[serde(borrow, default)]
    extensions: Option<&'a RawValue>,
}

#[derive(serde::Serialize)]
struct Part<'a> {
    data: Option<BTreeMap<&'a str, Vec<Option<&'a RawValue>>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Cow<'a, Map<String, Value>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a RawValue>,
}

/// An error as the fetch with these places reads it; `None` when it is at an entity of others alone.
fn at<'a>(
    error: &'a Map<String, Value>,
    alias: &str,
    places: &[usize],
) -> Option<Cow<'a, Map<String, Value>>> {
    let path = error.get("path").and_then(Value::as_array);
    let Some([Value::String(field), Value::Number(index), ..]) = path.map(Vec::as_slice) else {
        return Some(Cow::Borrowed(error));
    };
    if field != alias {
        return Some(Cow::Borrowed(error));
    }
    let index = index.as_u64().and_then(|it| usize::try_from(it).ok());
    let own = places.iter().position(|place| Some(*place) == index)?;
    let mut moved = error.clone();
    if let Some(Value::Array(path)) = moved.get_mut("path") {
        path[1] = own.into();
    }
    Some(Cow::Owned(moved))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::OperationKind;

    fn request(skus: &[u32]) -> FetchRequest {
        let list: Vec<_> = skus.iter().map(|sku| json!({ "sku": sku })).collect();
        let variables = json!({"representations": list, "first": 2}).to_string();
        FetchRequest {
            text: "query".into(),
            prefix: Bytes::new(),
            kind: OperationKind::Query,
            variables: variables.into(),
            objects_max: 10,
            fields: Arc::from([("e".to_owned(), "_entities".to_owned())]),
            entities: Some("representations".into()),
        }
    }

    fn gather(requests: &[FetchRequest]) -> Gathered {
        let asked: Vec<_> = requests.iter().map(Asked::of).collect();
        let pairs: Vec<_> = requests.iter().zip(&asked).collect();
        Gathered::of(&pairs).unwrap()
    }

    fn split(gathered: &Gathered, response: &Value) -> Vec<Value> {
        let parts = gathered.split(&response.to_string().into()).unwrap();
        let read = |part: &Bytes| serde_json::from_slice(part).unwrap();
        parts.iter().map(read).collect()
    }

    #[test]
    fn each_entity_is_asked_for_once_and_comes_to_all_who_asked() {
        let gathered = gather(&[request(&[1, 2]), request(&[3]), request(&[2, 4])]);
        let sent: Value = serde_json::from_slice(&gathered.request.variables).unwrap();
        let list = json!([{"sku": 1}, {"sku": 2}, {"sku": 3}, {"sku": 4}]);
        assert_eq!(sent, json!({"first": 2, "representations": list}));
        assert_eq!(gathered.request.objects_max, 30);
        let parts = split(
            &gathered,
            &json!({
                "data": {"e": ["a", "b", null, "d"]},
                "errors": [
                    {"message": "b", "path": ["e", 1, "name"]},
                    {"message": "c", "path": ["e", 2]},
                    {"message": "all"},
                ],
                "extensions": {"x": 1},
            }),
        );
        let all = json!({"message": "all"});
        let b = |at: u32| json!({"message": "b", "path": ["e", at, "name"]});
        let c = json!({"message": "c", "path": ["e", 0]});
        let extensions = json!({"x": 1});
        assert_eq!(
            parts,
            [
                json!({"data": {"e": ["a", "b"]}, "errors": [b(1), all], "extensions": extensions}),
                json!({"data": {"e": [null]}, "errors": [c, all], "extensions": extensions}),
                json!({"data": {"e": ["b", "d"]}, "errors": [b(0), all], "extensions": extensions}),
            ]
        );
    }

    #[test]
    fn a_call_that_failed_as_a_whole_failed_for_each() {
        let gathered = gather(&[request(&[1]), request(&[2])]);
        let failed = json!({"data": null, "errors": [{"message": "m", "path": ["e"]}]});
        assert_eq!(split(&gathered, &failed), [failed.clone(), failed]);
        let nothing = gathered.split(&Bytes::from_static(b"<html>"));
        assert!(matches!(nothing, Err(FetchError::Response(_))));
        // Fewer entities than representations: the rest is not there.
        let short = json!({"data": {"e": ["a"]}});
        let missing = json!({"data": {"e": [null]}});
        assert_eq!(split(&gathered, &short), [short, missing]);
    }

    #[test]
    fn what_is_no_list_of_entities_is_shared_as_it_is() {
        let plain = FetchRequest {
            entities: None,
            ..request(&[1])
        };
        let gathered = gather(&[plain.clone(), plain.clone()]);
        assert_eq!(gathered.request.variables, plain.variables);
        let response = json!({"data": {"anything": 1}});
        let parts = split(&gathered, &response);
        assert_eq!(parts, [response.clone(), response]);
    }
}
