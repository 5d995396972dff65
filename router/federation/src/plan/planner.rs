//! The query planner behind one narrow door: this is the only file that names its crate.
//!
//! Every call into the crate runs under `catch_unwind`: it panics on constructs that it does not expect, and a
//! client's operation must not take a worker down. A plan leaves as [`PlanNode`]s, with nothing of the crate in it.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use graphql_tools::static_graphql::{query, schema};
use hive_router_query_planner::ast::fragment::FragmentDefinition;
use hive_router_query_planner::ast::normalization::normalize_operation;
use hive_router_query_planner::ast::operation::VariableDefinition;
use hive_router_query_planner::ast::selection_item::SelectionItem;
use hive_router_query_planner::ast::selection_set::SelectionSet;
use hive_router_query_planner::consumer_schema::ConsumerSchema;
use hive_router_query_planner::graph::PlannerOverrideContext;
use hive_router_query_planner::planner::plan_nodes::{
    BatchFetchNode, EntityBatchAlias, FetchNode, FetchNodePathSegment, FetchRewrite,
    FlattenNodePath, FlattenNodePathSegment, PlanNode as CrateNode,
};
use hive_router_query_planner::planner::{Planner as Crate, PlannerError, QueryPlannerOptions};
use hive_router_query_planner::state::supergraph_state::OperationKind as CrateKind;
use hive_router_query_planner::utils::cancellation::CancellationToken;
use hive_router_query_planner::utils::parsing::safe_parse_schema;

use crate::graph::{self, LoadError, Requirements};
use crate::operation::syntax::{readable, restore_numbers};
use crate::plan::error::PlanError;
use crate::plan::node::{Batch, Fetch, PathStep, PlanNode, Rename, Selection, Target};
use crate::plan::required;
use crate::request::OperationKind;

/// Plans operations over one supergraph. Pure CPU work: call it off the reactor.
pub(crate) struct Planner {
    inner: Crate,
    consumer: Arc<schema::Document>,
    /// Where the planner plans over more fields than the supergraph has.
    requirements: Option<Requirements>,
    /// The panic that a test wants to see caught.
    #[cfg(test)]
    pub(crate) panics: bool,
}

impl Planner {
    /// A planner over a supergraph.
    ///
    /// # Errors
    /// [`LoadError`] when the planner refuses it.
    pub(crate) fn new(document: &schema::Document) -> Result<Self, LoadError> {
        graph::check_queries(document)?;
        let options = QueryPlannerOptions::default();
        let (other, requirements) = Requirements::set_apart(document).unzip();
        let planned_over = other.as_ref().unwrap_or(document);
        let make = || {
            let made = Crate::new_from_supergraph(planned_over, options)?;
            let consumer = match &requirements {
                Some(_) => ConsumerSchema::new_from_supergraph(document).document,
                None => made.consumer_schema.document.clone(),
            };
            Ok((made, consumer))
        };
        let (inner, consumer) = guarded(make)
            .and_then(|made| made.map_err(refused))
            .map_err(|error| LoadError::Planner(error.to_string()))?;
        Ok(Self {
            inner,
            consumer,
            requirements,
            #[cfg(test)]
            panics: false,
        })
    }

    /// Parses a supergraph.
    ///
    /// # Errors
    /// [`LoadError::Parse`].
    pub(crate) fn parse(sdl: &str) -> Result<schema::Document, LoadError> {
        let text = readable(sdl).map_err(|error| LoadError::Parse(error.to_string()))?;
        let parsed = safe_parse_schema(&text);
        let mut document = parsed.map_err(|error| LoadError::Parse(one_line(&error)))?;
        restore_numbers(&mut document);
        Ok(document)
    }

    /// What clients see of the supergraph, with the types of introspection.
    pub(crate) fn consumer_schema(&self) -> Arc<schema::Document> {
        self.consumer.clone()
    }

    /// Plans a document that holds one operation, without fragments, conditions or introspection.
    ///
    /// # Errors
    /// [`PlanError`], also when the planner panics or `limit` is over.
    pub(crate) fn plan(
        &self,
        document: &query::Document,
        limit: Duration,
    ) -> Result<Option<PlanNode>, PlanError> {
        let planned = guarded(|| {
            #[cfg(test)]
            assert!(!self.panics, "a test asked for this");
            let normal = normalize_operation(&self.inner.supergraph, document, None)
                .map_err(|error| PlanError::Refused(error.to_string()))?;
            let context = PlannerOverrideContext::new(HashSet::new(), 0);
            let deadline = CancellationToken::with_timeout(limit);
            self.inner
                .plan_from_normalized_operation(&normal.operation, context, &deadline)
                .map_err(refused)
        })??;
        let mut node = planned.node.map(convert).transpose()?;
        if let (Some(node), Some(requirements)) = (&mut node, &self.requirements) {
            node.each(&mut |fetch| required::restore(fetch, requirements))?;
        }
        Ok(node)
    }
}

fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, PlanError> {
    // Nothing that the closure touches is used again after a panic but the planner's own tables, which it only reads.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        PlanError::Panicked(text.unwrap_or_default())
    })
}

fn refused(error: PlannerError) -> PlanError {
    match error {
        PlannerError::CancellationError(_) => PlanError::TimedOut,
        other => {
            let text = other.to_string();
            if text.contains("timed out") {
                PlanError::TimedOut
            } else {
                PlanError::Refused(text)
            }
        }
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

fn convert(node: CrateNode) -> Result<PlanNode, PlanError> {
    let all = |nodes: Vec<CrateNode>| nodes.into_iter().map(convert).collect::<Result<_, _>>();
    match node {
        CrateNode::Fetch(node) => Ok(PlanNode::Fetch(Box::new(fetch(node, None)))),
        CrateNode::BatchFetch(node) => Ok(PlanNode::Fetch(Box::new(batch_fetch(node)))),
        CrateNode::Sequence(node) => all(node.nodes).map(PlanNode::Sequence),
        CrateNode::Parallel(node) => all(node.nodes).map(PlanNode::Parallel),
        CrateNode::Flatten(node) => match *node.node {
            CrateNode::Fetch(inner) => {
                Ok(PlanNode::Fetch(Box::new(fetch(inner, Some(&node.path)))))
            }
            _ => Err(PlanError::Unsupported(
                "Flatten over something that is not a Fetch",
            )),
        },
        CrateNode::Subscription(node) => Ok(PlanNode::Fetch(Box::new(fetch(node.primary, None)))),
        // Conditions became literals before the planner saw the operation.
        CrateNode::Condition(_) => Err(PlanError::Unsupported("Condition")),
        CrateNode::Defer(_) => Err(PlanError::Unsupported("Defer")),
    }
}

fn fetch(node: FetchNode, path: Option<&FlattenNodePath>) -> Fetch {
    let document = &node.operation.document;
    let selection = selections(&document.operation.selection_set, &document.fragments);
    let steps = path.map(path_steps).unwrap_or_default();
    let renamed = renames(node.output_rewrites);
    let (target, renames) = match (node.requires, path) {
        (Some(requires), _) => {
            let batch = Batch {
                alias: "_entities".to_owned(),
                variable: "representations".to_owned(),
                paths: vec![steps],
                requires: selections(&requires, &[]),
                typenames: typenames(node.input_rewrites),
                renames: renamed,
            };
            (Target::Entities(vec![batch]), Vec::new())
        }
        (None, Some(_)) => (Target::Path(steps), renamed),
        (None, None) => (Target::Root, renamed),
    };
    Fetch {
        subgraph: node.service_name,
        kind: kind(document.operation.operation_kind.as_ref()),
        declarations: declarations(document.operation.variable_definitions.as_deref()),
        variables: node
            .variable_usages
            .unwrap_or_default()
            .into_iter()
            .collect(),
        selection,
        target,
        renames,
        text: node.operation.document_str,
    }
}

fn kind(kind: Option<&CrateKind>) -> OperationKind {
    match kind {
        Some(CrateKind::Mutation) => OperationKind::Mutation,
        Some(CrateKind::Subscription) => OperationKind::Subscription,
        Some(CrateKind::Query) | None => OperationKind::Query,
    }
}

fn declarations(variables: Option<&[VariableDefinition]>) -> Vec<String> {
    let variables = variables.unwrap_or_default().iter();
    variables.map(ToString::to_string).collect()
}

fn batch_fetch(node: BatchFetchNode) -> Fetch {
    let document = &node.operation.document;
    Fetch {
        subgraph: node.service_name,
        kind: kind(document.operation.operation_kind.as_ref()),
        declarations: declarations(document.operation.variable_definitions.as_deref()),
        variables: node
            .variable_usages
            .unwrap_or_default()
            .into_iter()
            .collect(),
        selection: selections(&document.operation.selection_set, &document.fragments),
        target: Target::Entities(node.entity_batch.aliases.into_iter().map(batch).collect()),
        renames: Vec::new(),
        text: node.operation.document_str,
    }
}

fn batch(alias: EntityBatchAlias) -> Batch {
    Batch {
        alias: alias.alias,
        variable: alias.representations_variable_name,
        paths: alias.merge_paths.iter().map(path_steps).collect(),
        requires: selections(&alias.requires, &[]),
        typenames: typenames(alias.input_rewrites),
        renames: renames(alias.output_rewrites),
    }
}

fn path_steps(path: &FlattenNodePath) -> Vec<PathStep> {
    let step = |segment: &FlattenNodePathSegment| match segment {
        FlattenNodePathSegment::Field(name) => PathStep::Field(name.clone()),
        FlattenNodePathSegment::TypeCondition(types) => PathStep::Types(types.clone()),
        FlattenNodePathSegment::List => PathStep::List,
    };
    path.as_slice().iter().map(step).collect()
}

fn typenames(
    rewrites: Option<Vec<FetchRewrite>>,
) -> Vec<(std::collections::BTreeSet<String>, String)> {
    let setter = |rewrite| match rewrite {
        FetchRewrite::ValueSetter(setter) => {
            let types = setter.path.into_iter().find_map(|segment| match segment {
                FetchNodePathSegment::TypenameEquals(types) => Some(types),
                FetchNodePathSegment::Key(_) => None,
            });
            Some((types.unwrap_or_default(), setter.set_value_to))
        }
        FetchRewrite::KeyRenamer(_) => None,
    };
    rewrites
        .unwrap_or_default()
        .into_iter()
        .filter_map(setter)
        .collect()
}

fn renames(rewrites: Option<Vec<FetchRewrite>>) -> Vec<Rename> {
    let step = |segment| match segment {
        FetchNodePathSegment::Key(name) => PathStep::Field(name),
        FetchNodePathSegment::TypenameEquals(types) => PathStep::Types(types),
    };
    let rename = |rewrite| match rewrite {
        FetchRewrite::KeyRenamer(renamer) => Some(Rename {
            path: renamer.path.into_iter().map(step).collect(),
            to: renamer.rename_key_to,
        }),
        FetchRewrite::ValueSetter(_) => None,
    };
    rewrites
        .unwrap_or_default()
        .into_iter()
        .filter_map(rename)
        .collect()
}

fn selections(set: &SelectionSet, fragments: &[FragmentDefinition]) -> Vec<Selection> {
    let by_name: HashMap<&str, &FragmentDefinition> = fragments
        .iter()
        .map(|fragment| (fragment.name.as_str(), fragment))
        .collect();
    inline(set, &by_name)
}

fn inline(set: &SelectionSet, fragments: &HashMap<&str, &FragmentDefinition>) -> Vec<Selection> {
    let item = |item: &SelectionItem| match item {
        SelectionItem::Field(field) => Some(Selection::Field {
            name: field.name.clone(),
            alias: field.alias.clone().filter(|alias| *alias != field.name),
            arguments: field
                .arguments
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            children: inline(&field.selections, fragments),
        }),
        SelectionItem::InlineFragment(fragment) => Some(Selection::On {
            condition: fragment.type_condition.clone(),
            children: inline(&fragment.selections, fragments),
        }),
        SelectionItem::FragmentSpread(name) => {
            fragments.get(name.as_str()).map(|fragment| Selection::On {
                condition: fragment.type_condition.clone(),
                children: inline(&fragment.selection_set, fragments),
            })
        }
    };
    set.items.iter().filter_map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPERGRAPH: &str = include_str!("../../tests/it/toy/supergraph.graphql");
    fn parse(text: &str) -> query::Document {
        graphql_tools::parser::parse_query(text)
            .unwrap()
            .into_static()
    }

    const LIMIT: Duration = Duration::from_secs(10);

    fn load(sdl: &str) -> Result<Planner, LoadError> {
        Planner::new(&Planner::parse(sdl)?)
    }

    fn planner() -> Planner {
        load(SUPERGRAPH).expect("the toy supergraph loads")
    }

    #[test]
    fn a_panic_of_the_planner_is_an_error_of_one_operation() {
        let mut planner = planner();
        let document = parse("{ warehouse }");
        planner.panics = true;
        let panicked = planner.plan(&document, LIMIT);
        assert_eq!(
            panicked,
            Err(PlanError::Panicked("a test asked for this".to_owned()))
        );
        planner.panics = false;
        assert!(matches!(
            planner.plan(&document, LIMIT),
            Ok(Some(PlanNode::Fetch(_)))
        ));
    }

    #[test]
    fn planning_ends_at_its_limit() {
        let document = parse("{ users { reviews { product { stock { total } } } } }");
        let planned = planner().plan(&document, Duration::ZERO);
        assert_eq!(planned, Err(PlanError::TimedOut));
    }

    #[test]
    fn a_supergraph_that_is_none_is_an_error() {
        for sdl in ["", "type Query {", "scalar A"] {
            assert!(load(sdl).is_err(), "{sdl}");
        }
    }
}
