//! Parsing a request's text, choosing its operation, and checking both.
//!
//! Order: text, operation, limits, validation. Limits come first because validation of a huge operation is what
//! an attacker would pay us to do.

use graphql_tools::parser::Pos;
use graphql_tools::parser::query::{ParseError, parse_query_with_token_limit};
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document as Ast, OperationDefinition, Selection, SelectionSet, Value,
    VariableDefinition,
};
use graphql_tools::validation::validate::{ValidationPlan, validate};

use crate::graph::Supergraph;
use crate::operation::limits::{self, Limits};
use crate::request::{Code, GraphqlError, OperationKind, RequestError};

/// A valid document with its chosen operation.
#[derive(Debug)]
pub(crate) struct Document {
    /// Everything in the text.
    pub(crate) ast: Ast,
    /// Which definition is the operation.
    position: usize,
    /// What it is.
    pub(crate) kind: OperationKind,
    /// Its own name.
    pub(crate) name: Option<String>,
    /// The variables that `@skip` and `@include` use anywhere in the text, sorted.
    pub(crate) conditions: Vec<String>,
}

impl Document {
    /// Parses and checks a text.
    ///
    /// # Errors
    /// Not GraphQL, no or no clear operation, over a limit, or not valid against the consumer schema.
    pub(crate) fn parse(
        graph: &Supergraph,
        rules: &ValidationPlan,
        limits: &Limits,
        text: &str,
        wanted: Option<&str>,
    ) -> Result<Self, RequestError> {
        // The parser is bounded in nesting, too.
        let ast = parse_query_with_token_limit::<String>(text, limits.tokens)
            .map_err(|error| parse_error(limits, &error))?
            .into_static();
        let (position, kind) = pick(&ast, wanted)?;
        if graph.types.root(kind).is_none() {
            let text = format!("the schema has no {}", kind.as_str());
            return Err(RequestError::new(Code::GRAPHQL_VALIDATION_FAILED, text));
        }
        let Definition::Operation(operation) = &ast.definitions[position] else {
            return Err(RequestError::internal());
        };
        limits::check(limits, &ast, operation.selection_set())?;
        let found = validate(&graph.consumer, &ast, rules);
        if !found.is_empty() {
            return Err(RequestError::many(
                found.iter().map(validation_error).collect(),
            ));
        }
        let name = operation_name(operation).map(str::to_owned);
        let conditions = conditions(&ast);
        Ok(Self {
            ast,
            position,
            kind,
            name,
            conditions,
        })
    }

    /// The chosen operation.
    pub(crate) fn operation(&self) -> &OperationDefinition {
        match &self.ast.definitions[self.position] {
            Definition::Operation(operation) => operation,
            Definition::Fragment(_) => unreachable!("`pick` gives the position of an operation"),
        }
    }

    /// The operation's variable definitions.
    pub(crate) fn variables(&self) -> &[VariableDefinition] {
        self.operation().variable_definitions()
    }
}

fn parse_error(limits: &Limits, error: &ParseError) -> RequestError {
    let sentence = one_line(&error.to_string());
    if sentence.contains("Token limit exceeded") {
        let max = u64::try_from(limits.tokens).unwrap_or(u64::MAX);
        return limits::exceeded("tokens", max.saturating_add(1), max);
    }
    if sentence.contains("Recursion limit exceeded") {
        let text = "brackets are nested more than 50 deep";
        return RequestError::new(Code::LIMIT_EXCEEDED, text).with("limit", "nesting");
    }
    let refused = GraphqlError::new(Code::GRAPHQL_PARSE_FAILED, sentence);
    at(refused, error.0.position).into()
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

fn validation_error(found: &graphql_tools::validation::utils::ValidationError) -> GraphqlError {
    let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, found.message.clone());
    found
        .locations
        .iter()
        .fold(error, |error, position| at(error, *position))
}

fn at(error: GraphqlError, position: Pos) -> GraphqlError {
    if position.line == 0 {
        error
    } else {
        error.at(position.line, position.column)
    }
}

fn pick(ast: &Ast, wanted: Option<&str>) -> Result<(usize, OperationKind), RequestError> {
    let refuse = |text: String| Err(RequestError::new(Code::OPERATION_NOT_FOUND, text));
    let wanted = wanted.filter(|name| !name.is_empty());
    let mut operations = ast
        .definitions
        .iter()
        .enumerate()
        .filter_map(|(position, definition)| match definition {
            Definition::Operation(operation) => Some((position, operation)),
            Definition::Fragment(_) => None,
        });
    let found = match wanted {
        Some(name) => operations.find(|(_, operation)| operation_name(operation) == Some(name)),
        None => {
            let first = operations.next();
            if operations.next().is_some() {
                return refuse("several operations need an operationName".to_owned());
            }
            first
        }
    };
    match (found, wanted) {
        (Some((position, operation)), _) => Ok((position, kind(operation))),
        (None, Some(name)) => refuse(format!("no operation is named {name}")),
        (None, None) => refuse("the document holds no operation".to_owned()),
    }
}

fn kind(operation: &OperationDefinition) -> OperationKind {
    match operation {
        OperationDefinition::Query(_) | OperationDefinition::SelectionSet(_) => {
            OperationKind::Query
        }
        OperationDefinition::Mutation(_) => OperationKind::Mutation,
        OperationDefinition::Subscription(_) => OperationKind::Subscription,
    }
}

fn operation_name(operation: &OperationDefinition) -> Option<&str> {
    match operation {
        OperationDefinition::Query(query) => query.name.as_deref(),
        OperationDefinition::SelectionSet(_) => None,
        OperationDefinition::Mutation(mutation) => mutation.name.as_deref(),
        OperationDefinition::Subscription(subscription) => subscription.name.as_deref(),
    }
}

fn conditions(ast: &Ast) -> Vec<String> {
    let mut names = Vec::new();
    for definition in &ast.definitions {
        match definition {
            Definition::Operation(operation) => in_set(operation.selection_set(), &mut names),
            Definition::Fragment(fragment) => in_set(&fragment.selection_set, &mut names),
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn in_set(set: &SelectionSet, names: &mut Vec<String>) {
    for item in &set.items {
        match item {
            Selection::Field(field) => {
                in_directives(&field.directives, names);
                in_set(&field.selection_set, names);
            }
            Selection::InlineFragment(inline) => {
                in_directives(&inline.directives, names);
                in_set(&inline.selection_set, names);
            }
            Selection::FragmentSpread(spread) => in_directives(&spread.directives, names),
        }
    }
}

fn in_directives(directives: &[Directive], names: &mut Vec<String>) {
    for directive in directives
        .iter()
        .filter(|found| matches!(&*found.name, "skip" | "include"))
    {
        for (_, value) in &directive.arguments {
            if let Value::Variable(name) = value {
                names.push(name.clone());
            }
        }
    }
}
