//! From a plan in words to one that runs: names become keys, texts become request bytes, paths become walks.
//!
//! Invariant: whatever depends on the operation alone is computed here, once; a request adds only variables and
//! representations.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::plan::dependencies::dependencies;
use crate::plan::node::{Batch, Fetch, PathStep, Rename, Selection, Target};
use crate::shape::{Key, Keys, ReadShape, quoted};

/// A plan that runs.
#[derive(Debug, Default)]
pub(crate) struct CompiledPlan {
    /// None before one that it starts after.
    pub(crate) fetches: Vec<FetchPlan>,
}

/// One operation for one subgraph.
#[derive(Debug)]
pub(crate) struct FetchPlan {
    /// The positions of those that it starts after: all that brings what it needs.
    pub(crate) after: Vec<usize>,
    /// The subgraph's name.
    pub(crate) subgraph: Arc<str>,
    /// The operation's text.
    pub(crate) text: Arc<str>,
    /// `{"query":"…","variables":`, the start of an HTTP body.
    pub(crate) prefix: Bytes,
    /// The client's variables to send along.
    pub(crate) variables: Vec<String>,
    /// Root fields as (response key, name).
    pub(crate) fields: Arc<[(String, String)]>,
    /// How `data` is read.
    pub(crate) shape: ReadShape,
    /// Where it goes.
    pub(crate) target: TargetPlan,
    /// Fields of `data` to be renamed before the merge.
    pub(crate) renames: Vec<RenamePlan>,
}

/// A field of the response that its subgraph calls otherwise.
#[derive(Debug)]
pub(crate) struct RenamePlan {
    /// The path to its object.
    pub(crate) path: Vec<PathElement>,
    /// The key that the subgraph responds with.
    pub(crate) from: Key,
    /// Its own key.
    pub(crate) to: Key,
}

/// Where the response of a fetch goes.
#[derive(Debug)]
pub(crate) enum TargetPlan {
    /// Into the root.
    Root,
    /// Into every object at the end of a path.
    Path(Vec<PathElement>),
    /// Each entity to where its representation came from.
    Entities(Vec<BatchPlan>),
}

/// One `_entities` field.
#[derive(Debug)]
pub(crate) struct BatchPlan {
    /// Its response key.
    pub(crate) alias: Key,
    /// The same as text, for error paths.
    pub(crate) alias_name: String,
    /// The variable that takes the representations.
    pub(crate) variable: Arc<str>,
    /// Where representations come from.
    pub(crate) paths: Vec<Vec<PathElement>>,
    /// What a representation holds.
    pub(crate) requires: Vec<Require>,
    /// Objects of these types (all when empty) go under this type name.
    pub(crate) typenames: Vec<(BTreeSet<String>, String)>,
    /// Fields to be renamed before the merge, from the entity down.
    pub(crate) renames: Vec<RenamePlan>,
    /// Equal for two batches that ask the same subgraph for the same fields.
    pub(crate) cache_key: u32,
}

impl FetchPlan {
    /// The variable with the representations, where one list of entities is all that is asked for.
    pub(crate) fn entities(&self) -> Option<Arc<str>> {
        match &self.target {
            TargetPlan::Entities(batches) => match batches.as_slice() {
                [only] if self.fields.len() == 1 => Some(only.variable.clone()),
                _ => None,
            },
            TargetPlan::Root | TargetPlan::Path(_) => None,
        }
    }
}

impl BatchPlan {
    /// Whether its representations hold this field.
    pub(crate) fn needs(&self, wanted: Key) -> bool {
        fn has(requires: &[Require], wanted: Key) -> bool {
            requires.iter().any(|require| match require {
                Require::Field { key, .. } => *key == wanted,
                Require::On { children, .. } => has(children, wanted),
            })
        }
        has(&self.requires, wanted)
    }
}

/// An element of a path through the response.
#[derive(Debug, Clone)]
pub(crate) enum PathElement {
    /// Into a field.
    Field(Key),
    /// Into every item of a list.
    List,
    /// On, if the object is of one of these types.
    Types(BTreeSet<String>),
}

/// A part of a representation.
#[derive(Debug)]
pub(crate) enum Require {
    /// A field.
    Field {
        /// Where its value is read.
        key: Key,
        /// The name it goes under, as JSON with its colon.
        quoted: Box<[u8]>,
        /// The plain name.
        name: Box<str>,
        /// What of an object goes along.
        children: Vec<Require>,
    },
    /// A part for some types only.
    On {
        /// The type condition.
        condition: String,
        /// What goes along.
        children: Vec<Require>,
    },
}

/// Compiles the plans of one operation; cache keys are shared between them.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// All response keys so far.
    pub(crate) keys: Keys,
    cache_keys: HashMap<String, u32>,
}

impl Compiler {
    /// A compiler that goes on with the keys of a canonical operation.
    pub(crate) fn new(keys: Keys) -> Self {
        Self {
            keys,
            cache_keys: HashMap::new(),
        }
    }

    /// Compiles one plan.
    pub(crate) fn compile(&mut self, waves: Vec<Vec<Fetch>>) -> CompiledPlan {
        let dependencies = dependencies(&waves);
        let fetches = waves.into_iter().flatten().zip(dependencies);
        let fetches = fetches.map(|(fetch, after)| self.fetch(fetch, after));
        CompiledPlan {
            fetches: fetches.collect(),
        }
    }

    fn fetch(&mut self, fetch: Fetch, after: Vec<usize>) -> FetchPlan {
        let shape = self.read_shape(&fetch.selection);
        let mut fields = Vec::new();
        for selection in &fetch.selection {
            if let Some((key, name)) = selection.key().zip(selection.name()) {
                fields.push((key.to_owned(), name.to_owned()));
            }
        }
        let target = match &fetch.target {
            Target::Root => TargetPlan::Root,
            Target::Path(path) => TargetPlan::Path(self.walks(path)),
            Target::Entities(batches) => {
                let compiled = batches.iter().map(|batch| self.batch(&fetch, batch));
                TargetPlan::Entities(compiled.collect())
            }
        };
        let mut prefix = br#"{"query":"#.to_vec();
        prefix.extend(serde_json::to_vec(&fetch.text).expect("a string is JSON"));
        prefix.extend(br#","variables":"#);
        FetchPlan {
            after,
            renames: self.renames(&fetch.renames),
            subgraph: fetch.subgraph.into(),
            text: fetch.text.into(),
            prefix: prefix.into(),
            variables: fetch.variables,
            fields: fields.into(),
            shape,
            target,
        }
    }

    fn batch(&mut self, fetch: &Fetch, batch: &Batch) -> BatchPlan {
        let question = fetch.question(&batch.alias);
        let next = u32::try_from(self.cache_keys.len()).expect("an operation has few fetches");
        let cache_key = *self.cache_keys.entry(question).or_insert(next);
        BatchPlan {
            alias: self.keys.intern(&batch.alias),
            alias_name: batch.alias.clone(),
            variable: batch.variable.as_str().into(),
            paths: batch.paths.iter().map(|path| self.walks(path)).collect(),
            requires: self.requires(&batch.requires),
            typenames: batch.typenames.clone(),
            renames: self.renames(&batch.renames),
            cache_key,
        }
    }

    fn renames(&mut self, renames: &[Rename]) -> Vec<RenamePlan> {
        let mut plans = Vec::new();
        for rename in renames {
            let mut path = self.walks(&rename.path);
            if let Some(PathElement::Field(from)) = path.pop() {
                let to = self.keys.intern(&rename.to);
                plans.push(RenamePlan { path, from, to });
            }
        }
        plans
    }

    fn walks(&mut self, path: &[PathStep]) -> Vec<PathElement> {
        let walk = |step: &PathStep| match step {
            PathStep::Field(name) => PathElement::Field(self.keys.intern(name)),
            PathStep::List => PathElement::List,
            PathStep::Types(types) => PathElement::Types(types.clone()),
        };
        path.iter().map(walk).collect()
    }

    fn requires(&mut self, selection: &[Selection]) -> Vec<Require> {
        let mut requires = Vec::new();
        for item in selection {
            requires.push(match item {
                Selection::Field {
                    name,
                    alias,
                    children,
                    ..
                } => {
                    let sent = alias.as_ref().unwrap_or(name);
                    Require::Field {
                        key: self.keys.intern(name),
                        quoted: quoted(sent),
                        name: sent.as_str().into(),
                        children: self.requires(children),
                    }
                }
                Selection::On {
                    condition,
                    children,
                } => Require::On {
                    condition: condition.clone(),
                    children: self.requires(children),
                },
            });
        }
        requires
    }

    fn read_shape(&mut self, selection: &[Selection]) -> ReadShape {
        let mut shape = ReadShape::default();
        for item in selection {
            match item {
                Selection::Field {
                    name,
                    alias,
                    children,
                    ..
                } => {
                    let response = alias.as_ref().unwrap_or(name);
                    let key = self.keys.intern(response);
                    let child = (!children.is_empty()).then(|| self.read_shape(children));
                    shape.add(response, key, child);
                }
                Selection::On { children, .. } => {
                    let inner = self.read_shape(children);
                    shape.merge(inner);
                }
            }
        }
        shape
    }
}
