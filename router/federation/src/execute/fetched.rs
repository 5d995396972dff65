//! What a fetch was to bring and what of it is not there: from the paths of its subgraph's response to places of the
//! response to the client.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::execute::error::{Place, SubgraphPathSegment};
use crate::execute::missing::{Missing, Target};
use crate::execute::places::each_place;
use crate::execute::representations::Asked;
use crate::execute::state::{Call, Scope};
use crate::execute::store::{ObjectId, Slot, Store};
use crate::plan::compile::{BatchPlan, CompiledPlan, FetchPlan, PathElement, TargetPlan};
use crate::shape::ReadShape;

/// A fetch and the data that it is about.
pub(super) struct Fetched<'a> {
    pub(super) scope: Scope<'a>,
    plan: &'a CompiledPlan,
    pub(super) call: &'a Call<'a>,
    store: &'a Store,
    /// Where the objects of each batch are, once an error asks for it.
    places: Vec<OnceCell<HashMap<ObjectId, Vec<Slot>>>>,
}

impl<'a> Fetched<'a> {
    /// A fetch of a plan, whose data is in this store.
    pub(super) fn new(
        scope: Scope<'a>,
        plan: &'a CompiledPlan,
        call: &'a Call<'a>,
        store: &'a Store,
    ) -> Self {
        let places = call.asked.iter().map(|_| OnceCell::new()).collect();
        Self {
            scope,
            plan,
            call,
            store,
            places,
        }
    }

    /// All that the fetch was to bring and is not there.
    pub(super) fn everywhere(&self) -> Missing<'a> {
        let mut missing = Missing::default();
        match &self.call.fetch.target {
            TargetPlan::Root | TargetPlan::Path(_) => missing = self.at_each(&[]),
            TargetPlan::Entities(batches) => {
                let all = (0..batches.len()).flat_map(|batch| self.of_batch(batch, &[]));
                all.for_each(|entity| missing.extend(entity));
            }
        }
        missing
    }

    /// What is not there of a path that names its place; `None` for one that does not.
    pub(super) fn exactly(&self, path: &[SubgraphPathSegment]) -> Option<Missing<'a>> {
        let (first, rest) = path.split_first()?;
        let TargetPlan::Entities(batches) = &self.call.fetch.target else {
            return Some(self.at_each(path));
        };
        let (SubgraphPathSegment::Index(position), rest) = rest.split_first()? else {
            return None;
        };
        let batch = self.batch(first)?;
        let (_, asked) = self.call.asked[batch].get_index(*position as usize)?;
        let target = self.of_entities(self.call.fetch, &batches[batch])?;
        Some(at(target, self.places(batch, asked), rest))
    }

    /// All else that is not there of the entity that a path names.
    pub(super) fn beside(&self, path: &[SubgraphPathSegment]) -> Missing<'a> {
        match (&self.call.fetch.target, path) {
            (TargetPlan::Entities(_), [list, position, ..]) => {
                let entity = [list.clone(), position.clone()];
                self.exactly(&entity).unwrap_or_default()
            }
            _ => Missing::default(),
        }
    }

    /// What a path without a position may be about, of each entity.
    pub(super) fn wherever_null(&self, path: &[SubgraphPathSegment]) -> Vec<Missing<'a>> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let batch = self.batch(first);
        batch.map_or_else(Vec::new, |batch| self.of_batch(batch, rest))
    }

    /// Which batch has this response key.
    fn batch(&self, key: &SubgraphPathSegment) -> Option<usize> {
        let TargetPlan::Entities(batches) = &self.call.fetch.target else {
            return None;
        };
        let SubgraphPathSegment::Key(name) = key else {
            return None;
        };
        batches.iter().position(|batch| batch.alias_name == *name)
    }

    /// What is not there of each entity of a batch.
    fn of_batch(&self, batch: usize, path: &[SubgraphPathSegment]) -> Vec<Missing<'a>> {
        let TargetPlan::Entities(batches) = &self.call.fetch.target else {
            return Vec::new();
        };
        let Some(target) = self.of_entities(self.call.fetch, &batches[batch]) else {
            return Vec::new();
        };
        let entities = self.call.asked[batch].values();
        let missing = entities.map(|asked| at(target, self.places(batch, asked), path));
        missing.collect()
    }

    /// The places of one of the entities that a batch asked for.
    fn places(&self, batch: usize, asked: &Asked) -> impl Iterator<Item = &Slot> {
        let places = self.places[batch].get_or_init(|| {
            let mut places: HashMap<ObjectId, Vec<Slot>> = HashMap::new();
            let (_, plan) = batches(self.call.fetch).nth(batch).unzip();
            for path in plan.iter().flat_map(|plan: &&BatchPlan| &plan.paths) {
                each_place(self.store, self.scope.types, path, &mut |slot, object| {
                    places.entry(object).or_default().push(slot.clone());
                });
            }
            places
        });
        let mut objects = Vec::new();
        for object in &asked.objects {
            self.store.with_copies(*object, &mut objects);
        }
        // One that two paths lead to is asked for by both.
        objects.sort_unstable();
        objects.dedup();
        let slots = objects.into_iter().filter_map(|object| places.get(&object));
        slots.flatten()
    }

    /// What is not there of each object that a fetch without entities completes.
    fn at_each(&self, path: &[SubgraphPathSegment]) -> Missing<'a> {
        let slots = match &self.call.fetch.target {
            TargetPlan::Path(target) => self.slots(target),
            TargetPlan::Root | TargetPlan::Entities(_) => vec![Slot::new()],
        };
        let mut target = self.target(&self.call.fetch.shape);
        target.renames = &self.call.fetch.renames;
        at(target, &slots, path)
    }

    /// The places that the client asked for, those of fetches included that could not be made for want of the others.
    pub(super) fn blamed(&self, missing: Missing<'a>) -> Vec<Place<'a>> {
        let Missing {
            mut places, needed, ..
        } = missing;
        let mut waiting = needed;
        let mut objects: HashMap<*const BatchPlan, HashSet<Slot>> = HashMap::new();
        while let Some((slot, key)) = waiting.pop() {
            for (fetch, batch) in self.plan.fetches.iter().flat_map(batches) {
                if !batch.needs(key) {
                    continue;
                }
                let left = objects.entry(batch).or_insert_with(|| self.objects(batch));
                // Each object of a batch is told of once.
                if !left.remove(&slot) {
                    continue;
                }
                if let Some(target) = self.of_entities(fetch, batch) {
                    let more = target.missing(&slot, &[]);
                    places.extend(more.places);
                    waiting.extend(more.needed);
                }
            }
        }
        places
    }

    /// The objects that a batch completes.
    fn objects(&self, batch: &BatchPlan) -> HashSet<Slot> {
        let paths = batch.paths.iter();
        paths.flat_map(|path| self.slots(path)).collect()
    }

    fn slots(&self, path: &[PathElement]) -> Vec<Slot> {
        let mut slots = Vec::new();
        each_place(self.store, self.scope.types, path, &mut |slot, _| {
            slots.push(slot.clone());
        });
        slots
    }

    fn of_entities(&self, fetch: &'a FetchPlan, batch: &'a BatchPlan) -> Option<Target<'a>> {
        let mut fields = fetch.shape.fields.iter();
        let list = fields.find(|field| field.key == batch.alias)?;
        let mut target = self.target(list.child.as_ref()?);
        target.renames = &batch.renames;
        Some(target)
    }

    fn target(&self, brings: &'a ReadShape) -> Target<'a> {
        Target {
            store: self.store,
            keys: self.scope.keys,
            asked: self.scope.shape,
            brings,
            renames: &[],
        }
    }
}

/// What of a path is not there of the objects at these slots.
fn at<'a, 's>(
    target: Target<'a>,
    slots: impl IntoIterator<Item = &'s Slot>,
    path: &[SubgraphPathSegment],
) -> Missing<'a> {
    let mut missing = Missing::default();
    for slot in slots {
        missing.extend(target.missing(slot, path));
    }
    missing
}

/// The batches of a fetch of entities.
fn batches(fetch: &FetchPlan) -> impl Iterator<Item = (&FetchPlan, &BatchPlan)> {
    let batches = match &fetch.target {
        TargetPlan::Entities(batches) => batches.as_slice(),
        TargetPlan::Root | TargetPlan::Path(_) => &[],
    };
    batches.iter().map(move |batch| (fetch, batch))
}
