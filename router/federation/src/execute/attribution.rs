//! Error attribution: from the path of a subgraph's error, or from none, to paths of the response.
//!
//! Done once all fetches of a plan are in, so that nothing is blamed that another subgraph brought. An error stands at
//! the field that failed, once a place. A subgraph whose errors of entities lack the position in the list is believed
//! about the field alone: the places are those where it is null. A fetch that failed as a whole is reported at every
//! field that it should have brought and the client asked for, so no null stays without a reason.
//! Source: GraphQL specification, 7.1.7 Path.

use std::collections::HashSet;

use indexmap::IndexMap;

use crate::execute::error::{ClientError, Errors, Place, SubgraphError, SubgraphPathSegment};
use crate::execute::fetched::Fetched;
use crate::execute::missing::Missing;
use crate::execute::state::{Call, Progress, Scope};
use crate::plan::compile::CompiledPlan;
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
    let fetched = Fetched::new(scope, plan, call, &store);
    match fault {
        Fault::Failed(error) => {
            tracing::warn!(subgraph = %call.fetch.subgraph, %error, "a fetch failed");
            let places = fetched.blamed(fetched.everywhere());
            // Who lacks nothing is told nothing.
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

/// Where an error without a position may belong: the places of one entity.
#[derive(Debug, Clone)]
struct Group<'a> {
    places: Vec<Place<'a>>,
    /// Whether the null is that of the field itself, so that one of the errors is about it.
    is_own: bool,
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
    let mut told = HashSet::new();
    for (_, groups, reports) in vague {
        let groups = groups.into_iter().map(|missing| Group {
            is_own: missing.is_own,
            places: fetched.blamed(missing),
        });
        let mut groups = unexplained(groups.collect(), &progress.errors);
        // Who blames what is blamed already has nothing new to tell.
        if groups.iter().any(|group| has_new(group, &progress.errors)) {
            groups.retain(|group| has_new(group, &progress.errors));
        }
        let (groups, others) = likeliest(groups, reports.len());
        let places = groups.into_iter().map(|group| group.places);
        let places: Vec<_> = places.collect();
        told.extend(places.iter().flatten().map(|place| place.null().to_vec()));
        left.push((reports.last().cloned(), others));
        deal(&reports, &places, progress);
    }
    // Fewer errors than places: the same happened there, unless another error told what.
    for (report, groups) in left {
        let is_free = |group: &Group<'_>, place: &Place<'_>| {
            let errors = &progress.errors;
            let went_up = !group.is_own && told.contains(place.null());
            !went_up
                && !errors.is_reported_above(&place.path)
                && !errors.is_reported_below(&place.path)
        };
        let others = groups.into_iter().flat_map(|mut group| {
            let places = std::mem::take(&mut group.places).into_iter();
            places.filter(move |place| is_free(&group, place))
        });
        let others: Vec<_> = others.collect();
        told.extend(others.iter().map(|place| place.null().to_vec()));
        if !others.is_empty() {
            deal(report.as_slice(), &[others], progress);
        }
    }
}

/// As many groups as there are errors, and the others. A null of the field itself has an error in any case; one that went up
/// may be another field's.
fn likeliest(groups: Vec<Group<'_>>, errors: usize) -> (Vec<Group<'_>>, Vec<Group<'_>>) {
    let own = groups.iter().filter(|group| group.is_own).count();
    let mut own = own.min(errors);
    let mut others = errors - own;
    groups.into_iter().partition(|group| {
        let left = if group.is_own { &mut own } else { &mut others };
        let is_chosen = *left > 0;
        *left = left.saturating_sub(1);
        is_chosen
    })
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
fn unexplained<'a>(groups: Vec<Group<'a>>, errors: &Errors) -> Vec<Group<'a>> {
    let is_free = |place: &&Place<'_>| !errors.is_reported_above(&place.path);
    let free = groups.iter().map(|group| Group {
        is_own: group.is_own,
        places: group.places.iter().filter(is_free).cloned().collect(),
    });
    let free: Vec<_> = free.collect();
    match free.iter().all(|group| group.places.is_empty()) {
        true => groups,
        false => free,
    }
}

/// Whether some of the places are not blamed yet.
fn has_new(group: &Group<'_>, errors: &Errors) -> bool {
    let mut places = group.places.iter();
    places.any(|place| !errors.is_reported(&place.path))
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
