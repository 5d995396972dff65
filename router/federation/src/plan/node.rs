//! A query plan in words of our own, as the planner decided it and before anything is compiled.

use std::collections::BTreeSet;
use std::fmt;

use crate::request::OperationKind;

/// A part of a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PlanNode {
    /// One operation for one subgraph.
    Fetch(Box<Fetch>),
    /// One after another.
    Sequence(Vec<PlanNode>),
    /// Side by side.
    Parallel(Vec<PlanNode>),
}

/// One operation for one subgraph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fetch {
    /// The subgraph's name.
    pub(crate) subgraph: String,
    /// What the operation is.
    pub(crate) kind: OperationKind,
    /// The operation's text.
    pub(crate) text: String,
    /// The client's variables that it uses.
    pub(crate) variables: Vec<String>,
    /// All variables as the operation declares them, those of the representations too.
    pub(crate) declarations: Vec<String>,
    /// What it selects, fragments inlined.
    pub(crate) selection: Vec<Selection>,
    /// Where its response goes.
    pub(crate) target: Target,
    /// Fields of the response to be renamed before it is merged; a batch of entities has its own.
    pub(crate) renames: Vec<Rename>,
}

/// Where the response of a fetch goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// Into the root of the response.
    Root,
    /// Root fields asked again, to be merged into every object at the end of a path.
    Path(Vec<PathStep>),
    /// Entities, each to where its representation came from.
    Entities(Vec<Batch>),
}

/// One `_entities` field of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Batch {
    /// Its response key.
    pub(crate) alias: String,
    /// The variable that takes the representations.
    pub(crate) variable: String,
    /// The paths of the objects that the representations are made from.
    pub(crate) paths: Vec<Vec<PathStep>>,
    /// The fields of a representation.
    pub(crate) requires: Vec<Selection>,
    /// Objects of these types (all when empty) go under this type name.
    pub(crate) typenames: Vec<(BTreeSet<String>, String)>,
    /// Fields of the response to be renamed before it is merged.
    pub(crate) renames: Vec<Rename>,
}

/// A step of a path through the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathStep {
    /// Into a field, by response key.
    Field(String),
    /// Into every item of a list.
    List,
    /// On, if the object is of one of these types.
    Types(BTreeSet<String>),
}

/// The last field of the path gets another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rename {
    /// From the entity down, or from the root of the response.
    pub(crate) path: Vec<PathStep>,
    /// The new response key.
    pub(crate) to: String,
}

/// A selection without names of fragments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selection {
    /// A field.
    Field {
        /// Its name in the subgraph.
        name: String,
        /// Its response key when that is another.
        alias: Option<String>,
        /// Its arguments as the operation writes them, without the parentheses; empty when it has none.
        arguments: String,
        /// What is selected below it.
        children: Vec<Selection>,
    },
    /// A part for some types only.
    On {
        /// The type condition.
        condition: String,
        /// What is selected there.
        children: Vec<Selection>,
    },
}

impl Selection {
    /// The name of a field.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Field { name, .. } => Some(name),
            Self::On { .. } => None,
        }
    }

    /// The response key of a field.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Field { name, alias, .. } => Some(alias.as_ref().unwrap_or(name)),
            Self::On { .. } => None,
        }
    }

    /// What is selected below it.
    pub(crate) fn children(&self) -> &[Self] {
        match self {
            Self::Field { children, .. } | Self::On { children, .. } => children,
        }
    }

    /// The same, to be changed.
    pub(crate) fn children_mut(&mut self) -> &mut Vec<Self> {
        match self {
            Self::Field { children, .. } | Self::On { children, .. } => children,
        }
    }
}

impl Fetch {
    /// What it selects under a response key of the outermost level, such as that of a batch of entities.
    pub(crate) fn asked(&self, key: &str) -> &[Selection] {
        let mut items = self.selection.iter();
        let found = items.find(|item| item.key() == Some(key));
        found.map_or(&[], Selection::children)
    }

    /// What a batch asks of whom: equal for two of one operation that ask the same subgraph for the same fields of entities, in
    /// whatever order.
    ///
    /// Arguments are left out: a field with arguments has a response key of its own within an operation.
    pub(crate) fn question(&self, alias: &str) -> String {
        let mut text = format!("{} ", self.subgraph);
        write_sorted(self.asked(alias), &mut text);
        text
    }

    /// Its batches of entities.
    pub(crate) fn batches(&self) -> &[Batch] {
        match &self.target {
            Target::Root | Target::Path(_) => &[],
            Target::Entities(batches) => batches,
        }
    }

    /// Writes the operation's text anew, from what it selects.
    pub(crate) fn write_text(&mut self) {
        let selection = Braces(&self.selection);
        self.text = match (self.kind, self.declarations.is_empty()) {
            (OperationKind::Query, true) => selection.to_string(),
            (kind, true) => format!("{}{selection}", kind.as_str()),
            (kind, false) => {
                let declarations = self.declarations.join(", ");
                format!("{}({declarations}){selection}", kind.as_str())
            }
        };
    }
}

/// Writes a selection so that the order of its fields does not matter.
fn write_sorted(selection: &[Selection], out: &mut String) {
    let part = |item: &Selection| {
        let mut text = match item {
            Selection::Field { name, alias, .. } => {
                format!("{}:{name}", alias.as_deref().unwrap_or_default())
            }
            Selection::On { condition, .. } => format!("..{condition}"),
        };
        if !item.children().is_empty() {
            write_sorted(item.children(), &mut text);
        }
        text
    };
    let mut parts: Vec<_> = selection.iter().map(part).collect();
    parts.sort_unstable();
    out.push('{');
    for part in parts {
        out.push_str(&part);
        out.push(' ');
    }
    out.push('}');
}

/// A selection as an operation writes it.
struct Braces<'a>(&'a [Selection]);

impl fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, item) in self.0.iter().enumerate() {
            f.write_str(if position == 0 { "{" } else { " " })?;
            write!(f, "{item}")?;
        }
        f.write_str(if self.0.is_empty() { "" } else { "}" })
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field {
                name,
                alias,
                arguments,
                children,
            } => {
                if let Some(alias) = alias {
                    write!(f, "{alias}: ")?;
                }
                f.write_str(name)?;
                if !arguments.is_empty() {
                    write!(f, "({arguments})")?;
                }
                write!(f, "{}", Braces(children))
            }
            Self::On {
                condition,
                children,
            } => write!(f, "...on {condition}{}", Braces(children)),
        }
    }
}

impl PlanNode {
    /// Does something to each fetch.
    ///
    /// # Errors
    /// The first that it gives.
    pub(crate) fn each<E>(
        &mut self,
        work: &mut impl FnMut(&mut Fetch) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Fetch(fetch) => work(fetch),
            Self::Sequence(steps) | Self::Parallel(steps) => {
                steps.iter_mut().try_for_each(|step| step.each(work))
            }
        }
    }

    /// Cuts the plan into waves: everything in a wave may run together, once all that came before is done.
    pub(crate) fn into_waves(self) -> Vec<Vec<Fetch>> {
        match self {
            Self::Fetch(fetch) => vec![vec![*fetch]],
            Self::Sequence(steps) => steps.into_iter().flat_map(Self::into_waves).collect(),
            Self::Parallel(steps) => {
                let mut waves: Vec<Vec<Fetch>> = Vec::new();
                for step in steps {
                    for (position, wave) in step.into_waves().into_iter().enumerate() {
                        match waves.get_mut(position) {
                            Some(together) => together.extend(wave),
                            None => waves.push(wave),
                        }
                    }
                }
                waves
            }
        }
    }
}
