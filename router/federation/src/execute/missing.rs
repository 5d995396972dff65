//! What of a fetch is not there: from an object that the fetch was to complete, and a path from it on, to the places of
//! the response that hold no data.

use crate::execute::error::{Place, SubgraphPathSegment};
use crate::execute::read::list_items;
use crate::execute::store::{ObjectId, PathSegment, Slot, Store, Value};
use crate::plan::compile::{PathElement, RenamePlan};
use crate::shape::{Key, Keys, ReadShape, Shape, ShapeField};

/// What of a fetch is not there.
#[derive(Debug, Default)]
pub(crate) struct Missing<'a> {
    /// What the client asked for.
    pub(crate) places: Vec<Place<'a>>,
    /// What other fetches need: the slot of its object, and its key there.
    pub(crate) needed: Vec<(Slot, Key)>,
    /// Whether the path ended at something that is there, so that all this is below it.
    pub(crate) is_below: bool,
    /// Whether the path ended at a null of its own: one that did not come with a null above it.
    pub(crate) is_own: bool,
}

impl Missing<'_> {
    /// Whether nothing is.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty() && self.needed.is_empty()
    }

    /// Takes in what else is missing.
    pub(crate) fn extend(&mut self, other: Self) {
        self.places.extend(other.places);
        self.needed.extend(other.needed);
        self.is_below |= other.is_below;
        self.is_own |= other.is_own;
    }
}

/// An object that a fetch was to complete.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The data.
    pub(crate) store: &'a Store,
    /// The operation's response keys.
    pub(crate) keys: &'a Keys,
    /// What the client asked for of the root.
    pub(crate) asked: &'a Shape,
    /// What the fetch brings of the object.
    pub(crate) brings: &'a ReadShape,
    /// What it calls otherwise.
    pub(crate) renames: &'a [RenamePlan],
}

/// Where a walk is: a value, what it is to hold, and how it was reached.
#[derive(Debug, Clone)]
struct Here<'a> {
    value: &'a Value,
    /// What the client asked for here; `None` below a leaf, and where it asked for nothing.
    asked: Option<&'a Shape>,
    brings: Option<&'a ReadShape>,
    place: Place<'a>,
    slot: Slot,
    /// Whether something says that the value is null, where it is.
    is_there: bool,
    /// The keys since the object, as the subgraph has them.
    raw: Vec<Key>,
}

impl<'a> Target<'a> {
    /// The places without data that a path from the object at this slot on leads to. The path is the subgraph's; where it
    /// ends at an object that is there, or is empty, they are all that the fetch was to bring.
    pub(crate) fn missing(&self, slot: &Slot, path: &[SubgraphPathSegment]) -> Missing<'a> {
        let mut found = Missing::default();
        if let Some(here) = self.object(slot) {
            self.walk(here, path, &mut found);
        }
        found
    }

    /// The object at a slot.
    fn object(&self, slot: &Slot) -> Option<Here<'a>> {
        let mut here = Here {
            value: &self.store.root,
            asked: Some(self.asked),
            brings: Some(self.brings),
            place: Place {
                path: Vec::with_capacity(slot.len() + 2),
                fields: Vec::new(),
                null: 0,
            },
            slot: slot.clone(),
            is_there: true,
            raw: Vec::new(),
        };
        for position in slot {
            match here.value {
                Value::Object(id) => {
                    let fields = self.store.fields(*id);
                    let (key, next) = fields.get(*position as usize)?;
                    let asked = self.asked(&here, *key).first().copied();
                    here.place.path.push(PathSegment::Key(*key));
                    here.place.fields.extend(asked);
                    here.asked = asked.and_then(|asked| asked.child.as_deref());
                    here.value = next;
                }
                Value::List(items) => {
                    here.place.path.push(PathSegment::Index(*position));
                    here.value = items.get(*position as usize)?;
                }
                Value::Null | Value::Leaf(_) => return None,
            }
        }
        Some(here)
    }

    /// The fields that the client asked for under this key: several names may stand for one.
    fn asked(&self, here: &Here<'a>, key: Key) -> Vec<&'a ShapeField> {
        let Some(shape) = here.asked else {
            return Vec::new();
        };
        let case = match here.value {
            Value::Object(id) => shape.case(self.store.typename_bytes(self.store.fields(*id))),
            _ => None,
        };
        let fields = match case {
            Some(case) => &case.fields,
            // A null tells no type.
            None => return shape.field(key).into_iter().collect(),
        };
        fields.iter().filter(|field| field.key == key).collect()
    }

    fn walk(&self, here: Here<'a>, path: &[SubgraphPathSegment], found: &mut Missing<'a>) {
        let Some((step, rest)) = path.split_first() else {
            return self.from(here, found);
        };
        match (step, here.value) {
            (SubgraphPathSegment::Key(name), Value::Object(_) | Value::Null) => {
                let raw = self.keys.find(name);
                let brings = |raw: &Key| {
                    let mut fields = here.brings.iter().flat_map(|shape| &shape.fields);
                    fields.any(|field| field.key == *raw)
                };
                match raw.filter(brings) {
                    Some(raw) => {
                        let (below, needed) = self.below(&here, raw);
                        if below.is_empty() {
                            // The client is not told of it there, so of what depends on it.
                            found.needed.extend(needed);
                        }
                        for next in below {
                            self.walk(next, rest, found);
                        }
                    }
                    // Nobody asked for that, so it is about what stands here.
                    None => self.from(here, found),
                }
            }
            (SubgraphPathSegment::Index(position), Value::List(items)) => {
                // There may be no such item: without its position an error is tried on every entity.
                if let Some(value) = items.get(*position as usize) {
                    self.walk(item(&here, *position, value), rest, found);
                }
            }
            (SubgraphPathSegment::Index(position), Value::Null) => {
                self.walk(item(&here, *position, &Value::Null), rest, found);
            }
            (_, Value::Leaf(span)) => {
                if leads_to_null(self.store.bytes(*span), path) {
                    let mut place = here.place;
                    place.path.extend(path.iter().filter_map(position));
                    place.null = place.path.len();
                    found.places.push(place);
                    found.is_own = true;
                }
            }
            (SubgraphPathSegment::Key(_), Value::List(_))
            | (SubgraphPathSegment::Index(_), Value::Object(_)) => self.from(here, found),
        }
    }

    /// What is reached by a key of the subgraph, under each name that the client has for it, and the key where it is null.
    fn below(&self, here: &Here<'a>, raw: Key) -> (Vec<Here<'a>>, Option<(Slot, Key)>) {
        let key = self.renamed(&here.raw, raw);
        let (position, value) = match here.value {
            Value::Object(id) => (0_u32..)
                .zip(self.store.fields(*id))
                .find(|(_, (name, _))| *name == key)
                .map(|(position, (_, value))| (position, value))
                .unzip(),
            _ => (None, None),
        };
        let value = value.unwrap_or(&Value::Null);
        let is_missing = *value == Value::Null && matches!(here.value, Value::Object(_));
        let needed = is_missing.then(|| (here.slot.clone(), key));
        let brought = here.brings.iter().flat_map(|shape| &shape.fields);
        let brought = brought.clone().find(|field| field.key == raw);
        let mut next = here.clone();
        next.value = value;
        next.brings = brought.and_then(|field| field.child.as_ref());
        next.place.path.push(PathSegment::Key(key));
        next.slot.extend(position);
        next.is_there = position.is_some();
        next.raw.push(raw);
        if *here.value != Value::Null {
            // What is not there at all went with its object, as the entity that a subgraph has none of.
            next.place.null = next.place.path.len() - usize::from(!next.is_there);
        }
        let asked = self.asked(here, key).into_iter();
        let below = asked.map(|asked| {
            let mut next = next.clone();
            next.asked = asked.child.as_deref();
            next.place.fields.push(asked);
            next
        });
        (below.collect(), needed)
    }

    /// Whether the client asked for what depends on the type of an object, of which no more is known than its interface.
    fn lacks_type(&self, here: &Here<'a>, object: ObjectId) -> bool {
        let typename = self.store.typename_bytes(self.store.fields(object));
        let is_known = |shape: &Shape| typename.is_some() && shape.case(typename).is_some();
        let asked = here.asked.filter(|_| !here.place.fields.is_empty());
        asked.is_some_and(|shape| !is_known(shape) && shape.case_of_any().is_none())
    }

    /// The key under which the response has what the subgraph calls this, below these keys.
    fn renamed(&self, above: &[Key], raw: Key) -> Key {
        let is_it = |rename: &&RenamePlan| {
            let steps = rename.path.iter().filter_map(|element| match element {
                PathElement::Field(key) => Some(key),
                PathElement::List | PathElement::Types(_) => None,
            });
            rename.from == raw && steps.eq(above)
        };
        let rename = self.renames.iter().find(is_it);
        rename.map_or(raw, |rename| rename.to)
    }

    /// All that is to be here and is not, at the end of a path.
    fn from(&self, here: Here<'a>, found: &mut Missing<'a>) {
        match here.value {
            Value::Null => found.is_own |= here.is_there,
            Value::Leaf(_) | Value::List(_) | Value::Object(_) => found.is_below = true,
        }
        self.all(here, found);
    }

    /// All that is to be here and is not.
    fn all(&self, here: Here<'a>, found: &mut Missing<'a>) {
        match here.value {
            Value::Null => {
                if !here.place.fields.is_empty() {
                    found.places.push(here.place);
                }
            }
            Value::Leaf(_) => {}
            Value::List(items) => {
                for (position, value) in (0_u32..).zip(items) {
                    self.all(item(&here, position, value), found);
                }
            }
            Value::Object(id) => {
                let fields = here.brings.map_or(&[][..], |brings| &brings.fields);
                let brings_type = fields.iter().any(|it| it.key == Key::TYPENAME);
                if brings_type && self.lacks_type(&here, *id) {
                    // Without its type the whole object cannot be shown.
                    let mut place = here.place;
                    place.null = place.path.len();
                    found.places.push(place);
                    return;
                }
                for brought in fields.iter().filter(|it| it.key != Key::TYPENAME) {
                    let (below, needed) = self.below(&here, brought.key);
                    found.needed.extend(needed);
                    for next in below {
                        self.all(next, found);
                    }
                }
            }
        }
    }
}

fn item<'a>(list: &Here<'a>, position: u32, value: &'a Value) -> Here<'a> {
    let mut next = list.clone();
    next.value = value;
    next.place.path.push(PathSegment::Index(position));
    next.slot.push(position);
    next.is_there = matches!(list.value, Value::List(_));
    if next.is_there {
        next.place.null = next.place.path.len();
    }
    next
}

fn position(step: &SubgraphPathSegment) -> Option<PathSegment> {
    match step {
        SubgraphPathSegment::Index(position) => Some(PathSegment::Index(*position)),
        SubgraphPathSegment::Key(_) => None,
    }
}

/// Whether a path through lists that were kept as they were written ends at a null.
fn leads_to_null(bytes: &[u8], path: &[SubgraphPathSegment]) -> bool {
    if bytes == b"null" {
        return true;
    }
    let Some((SubgraphPathSegment::Index(position), rest)) = path.split_first() else {
        return false;
    };
    if bytes.first() != Some(&b'[') {
        return false;
    }
    let items = list_items(bytes);
    items
        .get(*position as usize)
        .is_some_and(|item| leads_to_null(item, rest))
}
