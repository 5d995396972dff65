//! The heap that a compiled plan holds.

use std::mem::size_of;

use crate::plan::compile::{
    BatchPlan, CompiledPlan, FetchPlan, PathElement, RenamePlan, Require, TargetPlan,
};
use crate::weight::{Counted, Weight, allocation};

impl Weight for CompiledPlan {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.fetches.heap(counted)
    }
}

impl Weight for FetchPlan {
    fn heap(&self, counted: &mut Counted) -> usize {
        allocation(self.after.capacity() * size_of::<usize>())
            + self.subgraph.heap(counted)
            + self.text.heap(counted)
            + allocation(self.prefix.len())
            + self.variables.heap(counted)
            + self.fields.heap(counted)
            + self.shape.heap(counted)
            + self.target.heap(counted)
            + self.renames.heap(counted)
    }
}

impl Weight for RenamePlan {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.path.heap(counted)
    }
}

impl Weight for TargetPlan {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Root => 0,
            Self::Path(path) => path.heap(counted),
            Self::Entities(batches) => batches.heap(counted),
        }
    }
}

impl Weight for BatchPlan {
    fn heap(&self, counted: &mut Counted) -> usize {
        self.alias_name.heap(counted)
            + self.variable.heap(counted)
            + self.paths.heap(counted)
            + self.requires.heap(counted)
            + self.typenames.heap(counted)
            + self.renames.heap(counted)
    }
}

impl Weight for PathElement {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Field(_) | Self::List => 0,
            Self::Types(types) => types.heap(counted),
        }
    }
}

impl Weight for Require {
    fn heap(&self, counted: &mut Counted) -> usize {
        match self {
            Self::Field {
                quoted,
                name,
                children,
                ..
            } => quoted.heap(counted) + name.heap(counted) + children.heap(counted),
            Self::On {
                condition,
                children,
            } => condition.heap(counted) + children.heap(counted),
        }
    }
}
