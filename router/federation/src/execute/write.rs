//! Writes values: the client's names in the client's order, and nulls where the specification puts them.
//!
//! One pass into one buffer. A null of a non-null type propagates: the buffer is cut back to the nearest nullable
//! parent. The error that goes with it is written once, unless a subgraph already explained it.
//! Source: GraphQL specification, 6.4.4 Handling Execution Errors.

use serde_json::Value as Json;

use crate::execute::error::{ClientError, Errors, Explained};
use crate::execute::read::list_items;
use crate::execute::store::{ObjectId, PathSegment, Store, Value, field};
use crate::execute::written::{Copied, Pieces};
use crate::graph::{TypeKind, TypeRef, TypeTable};
use crate::request::{Code, Location};
use crate::shape::{Case, Key, Leaf, Shape, ShapeField};

/// A null of a non-null type, which the parent must take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PropagatedNull;

/// Writes values of one store.
pub(crate) struct Writer<'a> {
    store: &'a Store,
    types: &'a TypeTable,
    /// Errors that writing found, each with its path.
    found: Vec<(ClientError, Vec<Step<'a>>, &'a [Location])>,
    path: Vec<Step<'a>>,
    /// Where the client asks for the field that is being written.
    places: &'a [Location],
    /// What may be written again.
    pieces: Pieces,
    /// Nulls so far that a value of its type would not be, whether or not an error tells of them.
    faults: u64,
    /// Objects written so far, those that a null cut off again included.
    objects: u64,
    max_bytes: usize,
    is_too_long: bool,
    /// What is written so far.
    pub(crate) out: Vec<u8>,
}

/// A step of a path in the client's words. Most paths lead to no error, so names stay borrowed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    Item(u32),
}

impl From<Step<'_>> for Json {
    fn from(step: Step<'_>) -> Self {
        match step {
            Step::Field(name) => name.into(),
            Step::Item(position) => position.into(),
        }
    }
}

/// What a writer leaves behind.
pub(crate) struct Written {
    /// What was written.
    pub(crate) out: Vec<u8>,
    /// The objects in it.
    pub(crate) objects: u64,
    /// Whether it is only the beginning, because all of it would be too long.
    pub(crate) is_too_long: bool,
}

/// A value on its way out.
#[derive(Clone, Copy)]
enum Source<'a> {
    Null,
    Tree(&'a Value),
    Raw(&'a [u8]),
}

/// Whether an error is already reported at, above or below a path.
#[derive(Clone, Copy)]
struct Reported<'a> {
    above: bool,
    here: Option<&'a Explained>,
}

impl<'a> Reported<'a> {
    fn child(self, item: PathSegment) -> Self {
        let here = self.here.and_then(|node| node.child(item));
        Self {
            above: self.above || here.is_some_and(|node| node.whole),
            here,
        }
    }

    fn explains(self) -> bool {
        self.above || self.here.is_some()
    }
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`, and stops soon after it holds more than so many bytes.
    pub(crate) fn new(
        store: &'a Store,
        types: &'a TypeTable,
        out: Vec<u8>,
        max_bytes: usize,
    ) -> Self {
        Self {
            store,
            types,
            found: Vec::new(),
            path: Vec::new(),
            places: &[],
            pieces: Pieces::default(),
            faults: 0,
            objects: 0,
            max_bytes,
            is_too_long: false,
            out,
        }
    }

    /// Writes one root field with its name.
    ///
    /// # Errors
    /// [`PropagatedNull`] when the field is null and its type is not: then `data` is null.
    pub(crate) fn root_field(
        &mut self,
        case: &'a Case,
        field: &'a ShapeField,
        explained: &Explained,
    ) -> Result<(), PropagatedNull> {
        let Value::Object(root) = self.store.root else {
            return Err(PropagatedNull);
        };
        let root = self.store.fields(root);
        let reported = Reported {
            above: explained.whole,
            here: Some(explained),
        };
        self.field(root, case, field, reported)
    }

    /// Hands over the errors that writing found, and what was written.
    pub(crate) fn finish(self, errors: &mut Errors) -> Written {
        for (report, path, places) in self.found {
            errors.add_at(&report, path.into_iter().map(Json::from).collect(), places);
        }
        let is_too_long = self.is_too_long || self.out.len() > self.max_bytes;
        Written {
            out: self.out,
            objects: self.objects,
            is_too_long,
        }
    }

    fn field(
        &mut self,
        object: &'a [(Key, Value)],
        case: &'a Case,
        wanted: &'a ShapeField,
        reported: Reported<'_>,
    ) -> Result<(), PropagatedNull> {
        self.is_too_long |= self.out.len() > self.max_bytes;
        if self.is_too_long {
            return Err(PropagatedNull);
        }
        self.out.extend(&*wanted.quoted);
        if wanted.key == Key::TYPENAME {
            self.typename(object, case);
            return Ok(());
        }
        let source = field(object, wanted.key).map_or(Source::Null, Source::Tree);
        self.path.push(Step::Field(&wanted.response));
        let reported = reported.child(PathSegment::Key(wanted.key));
        let written = self.value(&wanted.ty, source, wanted, reported);
        self.path.pop();
        written.map(|_| ())
    }

    fn typename(&mut self, object: &[(Key, Value)], case: &Case) {
        let known = match case.types.as_slice() {
            [only] => Some(&**only),
            _ => self.store.typename(object),
        };
        self.out.push(b'"');
        self.out.extend(known.unwrap_or_default().as_bytes());
        self.out.push(b'"');
    }

    /// Writes a value, and tells whether it was not null.
    fn value(
        &mut self,
        ty: &TypeRef,
        source: Source<'a>,
        wanted: &'a ShapeField,
        reported: Reported<'_>,
    ) -> Result<bool, PropagatedNull> {
        self.places = &wanted.places;
        match ty {
            TypeRef::NonNull(inner) => {
                if self.value(inner, source, wanted, reported)? {
                    return Ok(true);
                }
                self.places = &wanted.places;
                self.faults += 1;
                if !reported.explains() && !self.is_reported() {
                    let sentence = format!("{} is null, but its type is not nullable", wanted.name);
                    self.error(sentence);
                }
                Err(PropagatedNull)
            }
            TypeRef::List(inner) => Ok(self.list(inner, source, wanted, reported)),
            TypeRef::Named(name) => match &wanted.child {
                Some(shape) => Ok(self.object(shape, source, reported)),
                None => Ok(self.leaf(name, wanted, source)),
            },
        }
    }

    fn list(
        &mut self,
        inner: &TypeRef,
        source: Source<'a>,
        wanted: &'a ShapeField,
        reported: Reported<'_>,
    ) -> bool {
        match source {
            Source::Null | Source::Tree(Value::Null) => self.null(),
            Source::Tree(Value::List(items)) => {
                self.items(inner, items.iter().map(Source::Tree), wanted, reported)
            }
            Source::Tree(Value::Leaf(_)) | Source::Raw(_) => {
                let bytes = self.raw(source);
                if bytes == b"null" {
                    return self.null();
                }
                if bytes.first() != Some(&b'[') {
                    return self.type_mismatch("a list");
                }
                if matches!(wanted.leaf, Leaf::Any) && !has_non_null(inner) {
                    self.out.extend(bytes);
                    return true;
                }
                let items = list_items(bytes).into_iter().map(Source::Raw);
                self.items(inner, items, wanted, reported)
            }
            Source::Tree(Value::Object(_)) => self.type_mismatch("a list"),
        }
    }

    fn items(
        &mut self,
        inner: &TypeRef,
        items: impl Iterator<Item = Source<'a>>,
        wanted: &'a ShapeField,
        reported: Reported<'_>,
    ) -> bool {
        let start = self.out.len();
        self.out.push(b'[');
        for (position, item) in (0_u32..).zip(items) {
            if position > 0 {
                self.out.push(b',');
            }
            self.path.push(Step::Item(position));
            let written = self.value(
                inner,
                item,
                wanted,
                reported.child(PathSegment::Index(position)),
            );
            self.path.pop();
            if written.is_err() {
                self.cut(start);
                return self.null();
            }
        }
        self.out.push(b']');
        true
    }

    fn object(&mut self, shape: &'a Shape, source: Source<'a>, reported: Reported<'_>) -> bool {
        let object = match source {
            Source::Null | Source::Tree(Value::Null) => return self.null(),
            Source::Tree(Value::Object(object)) => *object,
            Source::Tree(_) | Source::Raw(_) => return self.type_mismatch("an object"),
        };
        if !self.store.is_shared(object) {
            return self.new_object(object, shape, reported);
        }
        if let Some(copied) = self.pieces.find(object, shape) {
            return self.copy(copied);
        }
        let (start, objects, faults) = (self.out.len(), self.objects, self.faults);
        let written = self.new_object(object, shape, reported);
        // What is missing is told of at each place.
        if written && faults == self.faults && !self.is_too_long {
            let copied = Copied {
                start,
                end: self.out.len(),
                objects: self.objects - objects,
            };
            self.pieces.keep(object, shape, copied);
        }
        written
    }

    /// Writes what stands there already once more.
    fn copy(&mut self, copied: Copied) -> bool {
        let Copied {
            start,
            end,
            objects,
        } = copied;
        self.is_too_long |= self.out.len() + (end - start) > self.max_bytes;
        if self.is_too_long {
            return self.null();
        }
        self.out.extend_from_within(start..end);
        self.objects += objects;
        true
    }

    fn new_object(&mut self, object: ObjectId, shape: &'a Shape, reported: Reported<'_>) -> bool {
        let fields = self.store.fields(object);
        let Some(case) = self.case(shape, fields) else {
            if reported.explains() {
                self.faults += 1;
                return self.null();
            }
            return self.type_mismatch(&shape.parent);
        };
        let start = self.out.len();
        self.objects += 1;
        self.out.push(b'{');
        for (position, field) in case.fields.iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            if self.field(fields, case, field, reported).is_err() {
                self.cut(start);
                return self.null();
            }
        }
        self.out.push(b'}');
        true
    }

    fn case<'s>(&self, shape: &'s Shape, object: &[(Key, Value)]) -> Option<&'s Case> {
        let Some(typename) = self.store.typename_bytes(object) else {
            return shape.case_of_any();
        };
        shape.case(Some(typename)).or_else(|| {
            // Where an interface is an object of a subgraph, its name says nothing about the type.
            let kind = self.types.find(self.store.typename(object)?)?.kind;
            (kind == TypeKind::Interface).then(|| shape.case_of_any())?
        })
    }

    fn leaf(&mut self, ty: &str, wanted: &ShapeField, source: Source<'a>) -> bool {
        match source {
            Source::Null | Source::Tree(Value::Null) => self.null(),
            Source::Tree(Value::Leaf(_)) | Source::Raw(_) => {
                let bytes = self.raw(source);
                if bytes == b"null" {
                    return self.null();
                }
                if !wanted.leaf.takes(bytes) {
                    return self.type_mismatch(ty);
                }
                self.out.extend(bytes);
                true
            }
            Source::Tree(Value::List(_) | Value::Object(_)) => self.type_mismatch(ty),
        }
    }

    fn raw(&self, source: Source<'a>) -> &'a [u8] {
        match source {
            Source::Tree(Value::Leaf(span)) => self.store.bytes(*span),
            Source::Raw(bytes) => bytes,
            Source::Null | Source::Tree(_) => b"null",
        }
    }

    /// Takes back what was written from a position on.
    fn cut(&mut self, position: usize) {
        self.out.truncate(position);
        self.pieces.cut(position);
    }

    fn null(&mut self) -> bool {
        self.out.extend(b"null");
        false
    }

    /// Writes null for a value that is not of its type.
    fn type_mismatch(&mut self, wanted: &str) -> bool {
        self.faults += 1;
        self.error(format!("the value is not {wanted}"));
        self.null()
    }

    /// Whether writing already found the error that this null follows from, here or below.
    fn is_reported(&self) -> bool {
        self.found
            .last()
            .is_some_and(|(_, path, _)| path.starts_with(&self.path))
    }

    fn error(&mut self, sentence: String) {
        if self.is_too_long {
            return;
        }
        self.found.push((
            ClientError::new(Code::INTERNAL, sentence),
            self.path.clone(),
            self.places,
        ));
    }
}

fn has_non_null(ty: &TypeRef) -> bool {
    match ty {
        TypeRef::NonNull(_) => true,
        TypeRef::List(inner) => has_non_null(inner),
        TypeRef::Named(_) => false,
    }
}
