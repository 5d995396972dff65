//! Error attribution: from the path of a subgraph's error, or from none, to paths of the response.
//!
//! Done once all fetches of a plan are in, so that nothing is blamed that another subgraph brought. An error stands at
//! the field that failed, once a place. A subgraph whose errors of entities lack the position in the list is believed
//! about the field alone: the places are those where it is null. A fetch that failed as a whole is reported at every
//! field that it should have brought and the client asked for, so no null stays without a reason.
//! Source: GraphQL specification, 7.1.7 Path.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use crate::execute::error::{ClientError, Errors, Place, SubgraphError, SubgraphPathSegment};
use crate::execute::missing::{Missing, Target};
use crate::execute::places::each_place;
use crate::execute::representations::Asked;
use crate::execute::state::{Call, Progress, Scope};
use crate::execute::store::{ObjectId, Slot, Store};
use crate::plan::compile::{BatchPlan, CompiledPlan, FetchPlan, PathElement, TargetPlan};
use crate::shape::ReadShape;
use crate::subgraph::FetchError;

/// What went wrong with a fetch.
#[derive(Debug)]
pub(crate) enum Fault {
    /// All of it.
    Failed(FetchError),
    /// What its subgraph says.
    Reported {
        /// The errors beside its data.
        errors: Vec<SubgraphError>,
        /// Whether there was no data.
        is_all: bool,
    },
}

impl Fault {
    /// Whether the subgraph stopped at what its caller takes in.
    pub(crate) fn is_too_many_objects(&self) -> bool {
        match self {
            Self::Failed(_) => false,
            Self::Reported { errors, .. } => errors.iter().any(SubgraphError::is_too_many_objects),
        }
    }
}

/// Reports what went wrong with a fetch of a plan whose data is in the store.
pub(crate) fn attribute(
    scope: Scope<'_>,
    plan: &CompiledPlan,
    call: &Call<'_>,
    fault: Fault,
    progress: &mut Progress,
) {
    let store = std::mem::take(&mut progress.store);
    let fetched = Fetched {
        scope,
        plan,
        call,
        store: &store,
        places: call.asked.iter().map(|_| OnceCell::new()).collect(),
    };
    match fault {
        Fault::Failed(error) => {
            tracing::warn!(subgraph = %call.fetch.subgraph, %error, "a fetch failed");
            let places = fetched.blamed(fetched.everywhere());
            // Who lacks nothing is told nothing: it may have been asked for objects of other types than they are.
            if !places.is_empty() {
                deal(&[ClientError::unavailable()], &[places], progress);
            }
        }
        Fault::Reported { errors, is_all } => report(&fetched, errors, is_all, progress),
    }
    progress.store = store;
}

/// Passes on the errors that a subgraph reported.
fn report(
    fetched: &Fetched<'_>,
    errors: Vec<SubgraphError>,
    is_all: bool,
    progress: &mut Progress,
) {
    let mut vague: IndexMap<Vec<SubgraphPathSegment>, Vec<ClientError>> = IndexMap::new();
    let mut general = Vec::new();
    let mut taken = Missing::default();
    // Those that name their place come first: the others are about what is left.
    let Scope {
        host, subgraphs, ..
    } = fetched.scope;
    let name = &*fetched.call.fetch.subgraph;
    let codes = subgraphs.get(name).map_or(&host.codes, |it| &it.codes);
    for mut error in errors {
        let report = ClientError::from_subgraph(codes, name, &error);
        let path = error.path.take().unwrap_or_default();
        match fetched.exactly(&path) {
            Some(missing) => {
                taken.extend(fetched.beside(&path));
                if missing.is_below {
                    general.push((report, missing));
                } else {
                    deal(&[report], &[fetched.blamed(missing)], progress);
                }
            }
            None => vague.entry(path).or_default().push(report),
        }
    }
    for (report, missing) in general {
        deal(&[report], &[fetched.blamed(missing)], progress);
    }
    if is_all || !vague.is_empty() {
        taken = fetched.everywhere();
    }
    report_vague(fetched, vague, is_all, progress);
    // A null that went up in the subgraph took its neighbours along.
    for place in taken.places {
        progress.errors.explain(&place.path);
    }
}

/// Passes on errors whose paths lack the position in the list of entities, by path.
fn report_vague(
    fetched: &Fetched<'_>,
    vague: IndexMap<Vec<SubgraphPathSegment>, Vec<ClientError>>,
    is_all: bool,
    progress: &mut Progress,
) {
    let mut vague: Vec<_> = vague
        .into_iter()
        .map(|(path, reports)| {
            let (is_general, groups) = if path.is_empty() && is_all {
                (true, vec![fetched.everywhere()])
            } else {
                at_the_end(fetched.wherever_null(&path))
            };
            ((is_general, path.len()), groups, reports)
        })
        .collect();
    // What failed as a whole has none of what a longer path is about.
    vague.sort_by_key(|(order, ..)| *order);
    let mut left = Vec::new();
    for (_, groups, reports) in vague {
        let groups = groups.into_iter().map(|missing| fetched.blamed(missing));
        let mut groups = unexplained(groups.collect(), &progress.errors);
        // Who blames what is blamed already has nothing new to tell.
        if groups.iter().any(|group| has_new(group, &progress.errors)) {
            groups.retain(|group| has_new(group, &progress.errors));
        }
        let others = groups.split_off(groups.len().min(reports.len()));
        left.push((reports.last().cloned(), others));
        deal(&reports, &groups, progress);
    }
    // Fewer errors than places: the same happened there, unless a longer path told what.
    for (report, groups) in left {
        let others = groups.into_iter().flatten();
        let is_free = |place: &Place<'_>| {
            let errors = &progress.errors;
            !errors.is_reported_above(&place.path) && !errors.is_reported_below(&place.path)
        };
        let others: Vec<_> = others.filter(is_free).collect();
        if !others.is_empty() {
            deal(report.as_slice(), &[others], progress);
        }
    }
}

/// Where a path leads to a null, or through one. Where it leads to none, which is told beside, it is about what is missing
/// below its end.
fn at_the_end(mut groups: Vec<Missing<'_>>) -> (bool, Vec<Missing<'_>>) {
    let is_at = |missing: &Missing<'_>| !missing.is_below && !missing.is_empty();
    let is_general = !groups.iter().any(is_at);
    groups.retain(|missing| is_general || is_at(missing));
    (is_general, groups)
}

/// The places below no error. Where each is below one they are all left, for none is the likelier.
fn unexplained<'a>(groups: Vec<Vec<Place<'a>>>, errors: &Errors) -> Vec<Vec<Place<'a>>> {
    let is_free = |place: &&Place<'_>| !errors.is_reported_above(&place.path);
    let free = groups
        .iter()
        .map(|group| group.iter().filter(is_free).cloned().collect());
    let free: Vec<Vec<_>> = free.collect();
    match free.iter().all(Vec::is_empty) {
        true => groups,
        false => free,
    }
}

/// Whether some of the places are not blamed yet.
fn has_new(group: &[Place<'_>], errors: &Errors) -> bool {
    group.iter().any(|place| !errors.is_reported(&place.path))
}

/// Reports errors at places that are not blamed yet: one for each group, the last for all groups that are left. Without a
/// place for it an error stands without a path.
fn deal(reports: &[ClientError], groups: &[Vec<Place<'_>>], progress: &mut Progress) {
    let errors = &mut progress.errors;
    let is_new = |place: &&Place<'_>| !errors.is_reported(&place.path);
    let new = groups
        .iter()
        .map(|group| group.iter().filter(is_new).collect());
    let new: Vec<Vec<_>> = new.filter(|group: &Vec<_>| !group.is_empty()).collect();
    let told = new.len();
    let Some(last) = reports.last() else {
        return;
    };
    let reports_of_groups = reports.iter().chain(std::iter::repeat(last));
    for (group, report) in new.into_iter().zip(reports_of_groups) {
        for place in group {
            errors.add(report, place);
        }
    }
    // Who blames what is blamed already has nothing new to tell.
    if told == 0 && groups.iter().any(|group| !group.is_empty()) {
        return;
    }
    let (told, untold) = reports.split_at(told.min(reports.len()));
    let mut said: Vec<_> = told.iter().collect();
    for report in untold {
        if !said.contains(&report) {
            errors.add_without_path(report);
            said.push(report);
        }
    }
}

/// A fetch and the data that it is about.
struct Fetched<'a> {
    scope: Scope<'a>,
    plan: &'a CompiledPlan,
    call: &'a Call<'a>,
    store: &'a Store,
    /// Where the objects of each batch are, once an error asks for it.
    places: Vec<OnceCell<HashMap<ObjectId, Vec<Slot>>>>,
}

impl<'a> Fetched<'a> {
    /// All that the fetch was to bring and is not there.
    fn everywhere(&self) -> Missing<'a> {
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
    fn exactly(&self, path: &[SubgraphPathSegment]) -> Option<Missing<'a>> {
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
    fn beside(&self, path: &[SubgraphPathSegment]) -> Missing<'a> {
        match (&self.call.fetch.target, path) {
            (TargetPlan::Entities(_), [list, position, ..]) => {
                let entity = [list.clone(), position.clone()];
                self.exactly(&entity).unwrap_or_default()
            }
            _ => Missing::default(),
        }
    }

    /// What a path without a position may be about, of each entity.
    fn wherever_null(&self, path: &[SubgraphPathSegment]) -> Vec<Missing<'a>> {
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
    fn blamed(&self, missing: Missing<'a>) -> Vec<Place<'a>> {
        let Missing {
            mut places, needed, ..
        } = missing;
        let mut waiting = needed;
        let mut objects: HashMap<*const BatchPlan, HashSet<Slot>> = HashMap::new();
        while let Some((slot, key)) = waiting.pop() {
            for (fetch, batch) in self.plan.waves.iter().flatten().flat_map(batches) {
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
