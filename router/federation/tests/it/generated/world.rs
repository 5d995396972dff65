//! A random federated schema: which types there are, and which subgraph resolves which field.

use std::collections::BTreeSet;

use super::random::Random;

/// What a field gives.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Scalar(&'static str),
    /// A type by its position.
    Type(usize),
    /// The only union.
    Union,
    /// The only interface, which the members of the union implement.
    Interface,
}

/// A field of a type.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) named: Named,
    /// Around the name, from the inside out: `!` and `[`.
    pub(super) wrappers: &'static str,
    /// The subgraphs that resolve it.
    pub(super) owners: Vec<usize>,
}

/// An object type.
#[derive(Debug, Clone)]
pub(super) struct Type {
    pub(super) name: String,
    /// An entity has the key `id`; anything else is of one subgraph.
    pub(super) is_entity: bool,
    /// The subgraphs that know it.
    pub(super) graphs: BTreeSet<usize>,
    pub(super) fields: Vec<Field>,
}

/// A federated schema.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) graphs: usize,
    /// `Query` is the last one.
    pub(super) types: Vec<Type>,
    /// The subgraph that has the union and the interface, and the members of both.
    pub(super) union: (usize, Vec<usize>),
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
        if graph == self.union.0 && random.percent(25) {
            let abstracts = [Named::Union, Named::Interface];
            return random.pick(&abstracts).clone();
        }
        let all = self.types.len() - 1;
        let chosen = random.below(all);
        let is_here = self.types[chosen].is_entity || self.types[chosen].graphs.contains(&graph);
        let chosen = if is_here { chosen } else { 0 };
        self.types[chosen].graphs.insert(graph);
        Named::Type(chosen)
    }
}
