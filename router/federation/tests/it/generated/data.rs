//! Data for a random schema.

use serde_json::{Map, Value as Json, json};

use super::random::Random;
use super::world::{Field, Named, Type, World};

/// Entities of each type.
const INSTANCES: usize = 3;

/// How often data is not what one hopes for, in percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damage {
    pub(super) nulls: usize,
    pub(super) errors: usize,
}

impl World {
    /// Data for all types, in the form that the executor reads.
    pub(super) fn data(&self, random: &mut Random, damage: Damage) -> Json {
        let mut data = json!({ "entities": {} });
        for ty in self.types.iter().filter(|ty| ty.is_entity) {
            for id in 1..=INSTANCES {
                let mut entity = self.object(random, ty, damage, 0);
                entity.insert("id".to_owned(), json!(id.to_string()));
                data["entities"][format!("{}:{id}", ty.name)] = entity.into();
            }
        }
        let query = self.types.last().expect("Query is there");
        data["Query"] = self.object(random, query, damage, 0).into();
        data
    }

    fn object(
        &self,
        random: &mut Random,
        ty: &Type,
        damage: Damage,
        depth: usize,
    ) -> Map<String, Json> {
        let fields = ty.fields.iter();
        fields
            .map(|field| {
                (
                    field.name.clone(),
                    self.value(random, field, field.wrappers, damage, depth),
                )
            })
            .collect()
    }

    fn value(
        &self,
        random: &mut Random,
        field: &Field,
        wrappers: &str,
        damage: Damage,
        depth: usize,
    ) -> Json {
        let is_whole = wrappers.len() == field.wrappers.len();
        if is_whole && random.percent(damage.errors) {
            let code = if random.percent(50) {
                "FORBIDDEN"
            } else {
                "UNAUTHENTICATED"
            };
            return json!({ "$error": { "message": "not you", "code": code } });
        }
        let inner = wrappers.trim_end_matches('!');
        // A null where there must be none is a fault of the subgraph, which tells of it.
        let nulls = if inner.len() < wrappers.len() {
            damage.nulls / 4
        } else {
            damage.nulls
        };
        if random.percent(nulls) {
            return Json::Null;
        }
        if let Some(item) = inner.strip_suffix('[') {
            let count = random.below(4);
            return (0..count)
                .map(|_| self.value(random, field, item, damage, depth))
                .collect();
        }
        match &field.named {
            Named::Scalar("Int") => json!(random.below(100)),
            Named::Scalar(_) => json!(format!("t{}", random.below(100))),
            Named::Union | Named::Interface => {
                let member = *random.pick(&self.union.1);
                self.reference(random, member)
            }
            Named::Type(position) if self.types[*position].is_entity => {
                self.reference(random, *position)
            }
            Named::Type(_) if depth > 2 => Json::Null,
            Named::Type(position) => self
                .object(random, &self.types[*position], damage, depth + 1)
                .into(),
        }
    }

    fn reference(&self, random: &mut Random, position: usize) -> Json {
        let id = 1 + random.below(INSTANCES);
        json!({ "$ref": format!("{}:{id}", self.types[position].name) })
    }

    /// The data as it is for clients while all that is asked of a subgraph fails.
    pub(super) fn without(&self, data: &Json, graph: usize, code: &str) -> Json {
        let mut data = data.clone();
        let error = json!({ "$error": { "message": "down", "code": code } });
        for ty in &self.types {
            let places: Vec<String> = match ty.name.as_str() {
                "Query" => vec!["/Query".to_owned()],
                name if ty.is_entity => {
                    let ids = 1..=INSTANCES;
                    ids.map(|id| format!("/entities/{name}:{id}")).collect()
                }
                // What is below a field that fails is never read.
                _ => Vec::new(),
            };
            let own = |field: &&Field| field.owners == [graph];
            for (field, place) in ty.fields.iter().filter(own).flat_map(|field| {
                let places = places.iter();
                places.map(move |place| (field, place))
            }) {
                let object = data.pointer_mut(place).expect("an object");
                object[&field.name] = error.clone();
            }
        }
        data
    }
}
