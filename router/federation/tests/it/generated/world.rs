//! A random federated schema: who owns which field, the SDL of each subgraph and of the supergraph, and data for all.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::random::Random;

const HEAD: &str = include_str!("../verdicts/supergraph.graphql");

/// Entities of each type.
const INSTANCES: usize = 3;

/// What a field gives.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Scalar(&'static str),
    /// A type by its position.
    Type(usize),
    /// The only union.
    Union,
}

/// A field of a type.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) named: Named,
    /// Around the name, from the inside out: `!` and `[`.
    wrappers: &'static str,
    /// The subgraphs that resolve it.
    pub(super) owners: Vec<usize>,
}

/// An object type.
#[derive(Debug, Clone)]
pub(super) struct Type {
    pub(super) name: String,
    /// An entity has the key `id`; anything else is of one subgraph.
    pub(super) is_entity: bool,
    graphs: BTreeSet<usize>,
    pub(super) fields: Vec<Field>,
}

/// A federated schema.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) graphs: usize,
    /// `Query` is the last one.
    pub(super) types: Vec<Type>,
    /// The subgraph and the members of the union.
    pub(super) union: (usize, Vec<usize>),
}

/// How often data is not what one hopes for, in percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Damage {
    pub(super) nulls: usize,
    pub(super) errors: usize,
}

const WRAPPERS: [&str; 8] = ["", "!", "", "!", "[", "![", "![!", "[!"];

impl World {
    /// A schema; with `is_shared` some fields are resolved by two subgraphs.
    pub(super) fn random(random: &mut Random, is_shared: bool) -> Self {
        let graphs = 2 + random.below(3);
        let (entities, values) = (2 + random.below(3), random.below(3));
        let mut types = Vec::new();
        for position in 0..entities + values {
            let is_entity = position < entities;
            let home = random.below(graphs);
            types.push(Type {
                name: format!("{}{position}", if is_entity { "E" } else { "V" }),
                is_entity,
                graphs: BTreeSet::from([home]),
                fields: Vec::new(),
            });
        }
        types.push(Type {
            name: "Query".to_owned(),
            is_entity: false,
            graphs: (0..graphs).collect(),
            fields: Vec::new(),
        });
        let members = (0..entities)
            .filter(|_| random.percent(60))
            .collect::<Vec<_>>();
        let members = if members.is_empty() { vec![0] } else { members };
        let mut world = Self {
            graphs,
            union: (random.below(graphs), members),
            types,
        };
        let home = world.union.0;
        for member in world.union.1.clone() {
            world.types[member].graphs.insert(home);
        }
        for position in 0..world.types.len() {
            world.add_fields(random, position, is_shared);
        }
        world
    }

    fn add_fields(&mut self, random: &mut Random, position: usize, is_shared: bool) {
        let is_query = position + 1 == self.types.len();
        let least = if is_query { self.graphs } else { 2 };
        for number in 0..least + random.below(4) {
            let owner = match (&self.types[position], is_query) {
                // Each subgraph has a root field.
                (_, true) => number % self.graphs,
                (ty, _) if ty.is_entity => random.below(self.graphs),
                (ty, _) => *ty.graphs.first().expect("a value has a home"),
            };
            let named = self.named(random, owner, is_query || number == 0);
            let mut owners = vec![owner];
            let may_share = is_shared && self.types[position].is_entity;
            if may_share && matches!(named, Named::Scalar(_)) && random.percent(25) {
                owners.push((owner + 1) % self.graphs);
            }
            self.types[position].graphs.extend(&owners);
            self.types[position].fields.push(Field {
                name: format!("f{number}"),
                named,
                wrappers: random.pick::<&str>(&WRAPPERS),
                owners,
            });
        }
    }

    /// What a field of this subgraph gives.
    fn named(&mut self, random: &mut Random, graph: usize, is_composite: bool) -> Named {
        if !is_composite && random.percent(55) {
            return Named::Scalar(random.pick::<&str>(&["String", "Int"]));
        }
        if graph == self.union.0 && random.percent(20) {
            return Named::Union;
        }
        let all = self.types.len() - 1;
        let chosen = random.below(all);
        let is_here = self.types[chosen].is_entity || self.types[chosen].graphs.contains(&graph);
        let chosen = if is_here { chosen } else { 0 };
        self.types[chosen].graphs.insert(graph);
        Named::Type(chosen)
    }

    fn written(&self, field: &Field) -> String {
        let mut ty = match &field.named {
            Named::Scalar(name) => (*name).to_owned(),
            Named::Type(position) => self.types[*position].name.clone(),
            Named::Union => "U".to_owned(),
        };
        for wrapper in field.wrappers.chars() {
            ty = if wrapper == '!' {
                format!("{ty}!")
            } else {
                format!("[{ty}]")
            };
        }
        ty
    }

    fn members(&self) -> String {
        let names = self
            .union
            .1
            .iter()
            .map(|member| self.types[*member].name.clone());
        names.collect::<Vec<_>>().join(" | ")
    }

    /// The SDL of one subgraph.
    pub(super) fn subgraph(&self, graph: usize) -> String {
        let mut sdl = String::new();
        for ty in self.types.iter().filter(|ty| ty.graphs.contains(&graph)) {
            let key = if ty.is_entity {
                " @key(fields: \"id\")"
            } else {
                ""
            };
            sdl += &format!("type {}{key} {{\n", ty.name);
            if ty.is_entity {
                sdl += "  id: ID!\n";
            }
            for field in ty
                .fields
                .iter()
                .filter(|field| field.owners.contains(&graph))
            {
                sdl += &format!("  {}: {}\n", field.name, self.written(field));
            }
            sdl += "}\n";
        }
        if self.union.0 == graph {
            sdl += &format!("union U = {}\n", self.members());
        }
        sdl
    }

    /// What a composition of the subgraphs gives.
    pub(super) fn supergraph(&self) -> String {
        let start = HEAD.find("schema @link").expect("the file begins with it");
        let end = HEAD.find("enum join__Graph").expect("the file has it");
        let mut sdl =
            HEAD[start..end].replace("  mutation: Mutation\n  subscription: Subscription\n", "");
        sdl += "enum join__Graph {\n";
        for graph in 0..self.graphs {
            sdl +=
                &format!("  S{graph} @join__graph(name: \"s{graph}\", url: \"http://s{graph}\")\n");
        }
        sdl += "}\n";
        for ty in &self.types {
            sdl += &format!("type {}", ty.name);
            let key = if ty.is_entity { ", key: \"id\"" } else { "" };
            for graph in &ty.graphs {
                sdl += &format!(" @join__type(graph: S{graph}{key})");
            }
            sdl += " {\n";
            if ty.is_entity {
                sdl += "  id: ID!\n";
            }
            for field in &ty.fields {
                sdl += &format!("  {}: {}", field.name, self.written(field));
                for owner in &field.owners {
                    sdl += &format!(" @join__field(graph: S{owner})");
                }
                sdl += "\n";
            }
            sdl += "}\n";
        }
        let home = self.union.0;
        sdl += &format!("union U @join__type(graph: S{home})");
        for member in &self.union.1 {
            let name = &self.types[*member].name;
            sdl += &format!(" @join__unionMember(graph: S{home}, member: \"{name}\")");
        }
        sdl += &format!(" = {}\n", self.members());
        sdl
    }

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
            Named::Union => {
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

    /// The data as it is for clients while a subgraph cannot be reached: each of its fields fails.
    pub(super) fn without(&self, data: &Json, graph: usize) -> Json {
        let mut data = data.clone();
        let error = json!({ "$error": { "message": "down", "code": "UNAVAILABLE" } });
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
