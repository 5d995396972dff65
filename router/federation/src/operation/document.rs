//! Parsing a request's text, choosing its operation, and checking both.
//!
//! Order: text, operation, limits, validation. Limits come first because validation of a huge operation is what
//! an attacker would pay us to do.

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document as Ast, Field, OperationDefinition, Selection, SelectionSet,
    Value, VariableDefinition,
};
use graphql_tools::validation::rules::default_rules_validation_plan;
use graphql_tools::validation::utils::ValidationError;
use graphql_tools::validation::validate::{ValidationPlan, validate};

use crate::graph::Supergraph;
use crate::operation::definition::kind;
use crate::operation::limits::{self, Limits};
use crate::operation::places::Places;
use crate::operation::syntax::{MAX_NESTING, Parsed, SyntaxError, parse};
use crate::operation::{literals, overlap, subscriptions};
use crate::request::{Code, GraphqlError, Location, OperationKind, RequestError};

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
        let Parsed {
            document: ast,
            of_variables,
        } = parse(text, limits.tokens).map_err(|error| refused(limits, error))?;
        let first = ast.definitions.first().map_or(Location::TOP, start);
        let chosen = pick(&ast, wanted).map_err(|error| error.or_at(first))?;
        let place = start(&ast.definitions[chosen.0]);
        let document = Self::check(graph, rules, limits, ast, &of_variables, chosen);
        document.map_err(|error| error.or_at(place))
    }

    fn check(
        graph: &Supergraph,
        rules: &ValidationPlan,
        limits: &Limits,
        ast: Ast,
        of_variables: &[Directive],
        (position, kind): (usize, OperationKind),
    ) -> Result<Self, RequestError> {
        if graph.types.root(kind).is_none() {
            let text = format!("the schema has no {}", kind.as_str());
            return Err(RequestError::new(Code::GRAPHQL_VALIDATION_FAILED, text));
        }
        let Definition::Operation(operation) = &ast.definitions[position] else {
            return Err(RequestError::internal());
        };
        limits::check(limits, &ast, operation.selection_set())?;
        check(graph, rules, limits, &ast)?;
        check_variable_directives(graph, of_variables)?;
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

    /// Refuses a text that looks at the schema.
    ///
    /// # Errors
    /// [`Code::GRAPHQL_VALIDATION_FAILED`] at the first `__schema` or `__type`.
    pub(crate) fn refuse_introspection(&self) -> Result<(), RequestError> {
        let sets = self.ast.definitions.iter().map(selection_set);
        let Some(field) = sets.filter_map(introspection).next() else {
            return Ok(());
        };
        let text = format!(
            "{} is not served: introspection is switched off",
            field.name
        );
        let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
        Err(at(error, field.position).into())
    }

    /// Where the chosen operation begins.
    pub(crate) fn place(&self) -> Location {
        start(&self.ast.definitions[self.position])
    }

    /// The operation's variable definitions.
    pub(crate) fn variables(&self) -> &[VariableDefinition] {
        self.operation().variable_definitions()
    }
}

/// The rules that are checked by the library. Two are checked here: of merging fields the library compares every pair,
/// and it takes an object for any scalar.
pub(crate) fn rules() -> ValidationPlan {
    let mut plan = default_rules_validation_plan();
    let own = ["OverlappingFieldsCanBeMerged", "ValuesOfCorrectType"];
    plan.rules.retain(|rule| !own.contains(&rule.error_code()));
    plan
}

/// How many times the permitted fields may be looked at to find out whether they can be merged.
const LOOKS: usize = 10;

fn check(
    graph: &Supergraph,
    rules: &ValidationPlan,
    limits: &Limits,
    ast: &Ast,
) -> Result<(), RequestError> {
    let found = validate(&graph.consumer, ast, rules);
    if !found.is_empty() {
        let mut places = Places::new(ast);
        let first = found.iter().take(RequestError::MOST);
        let errors = first.map(|found| validation_error(found, &mut places));
        return Err(RequestError::many(errors.collect()));
    }
    let faults = subscriptions::faults(ast);
    if !faults.is_empty() {
        return Err(RequestError::many(faults));
    }
    let misfits = literals::misfits(&graph.types, ast);
    if !misfits.is_empty() {
        return Err(RequestError::many(misfits));
    }
    let budget = limits.fields.saturating_mul(LOOKS);
    let found = overlap::find(&graph.types, ast, budget);
    if !found.conflicts.is_empty() {
        return Err(RequestError::many(found.conflicts));
    }
    if found.is_over_budget {
        return Err(limits::over("fields", found.steps, limits.fields));
    }
    Ok(())
}

fn refused(limits: &Limits, error: SyntaxError) -> RequestError {
    match error {
        SyntaxError::Tokens(first) => {
            limits::over("tokens", limits.tokens.saturating_add(1), limits.tokens)
                .or_at(place(first))
        }
        SyntaxError::Nesting(first) => {
            let text = format!("brackets are nested more than {MAX_NESTING} deep");
            RequestError::new(Code::LIMIT_EXCEEDED, text)
                .with("limit", "nesting")
                .with("max", MAX_NESTING)
                .or_at(place(first))
        }
        SyntaxError::Unexpected(sentence, position) => {
            let text = format!("Syntax Error: {sentence}");
            at(
                GraphqlError::new(Code::GRAPHQL_PARSE_FAILED, text),
                position,
            )
            .into()
        }
    }
}

/// Variables take the directives that the schema has for them; the library's rules do not see these.
fn check_variable_directives(graph: &Supergraph, found: &[Directive]) -> Result<(), RequestError> {
    let refuse = |directive: &Directive, text: String| {
        let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
        Err(at(error, directive.position).into())
    };
    for directive in found {
        let name = &directive.name;
        match graph.is_for_variables(name) {
            Some(true) => {}
            Some(false) => {
                let text = format!("Directive \"@{name}\" may not be used on VARIABLE_DEFINITION.");
                return refuse(directive, text);
            }
            None => return refuse(directive, format!("Unknown directive \"@{name}\".")),
        }
    }
    Ok(())
}

fn validation_error<'a>(found: &'a ValidationError, places: &mut Places<'a>) -> GraphqlError {
    let text = not_served(&found.message).unwrap_or_else(|| found.message.clone());
    let error = GraphqlError::new(Code::GRAPHQL_VALIDATION_FAILED, text);
    if found.locations.is_empty() {
        return at(error, places.find(found));
    }
    let positions = found.locations.iter();
    positions.fold(error, |error, position| at(error, *position))
}

/// The sentence for a directive that clients know from elsewhere, where the library says that nobody knows it.
fn not_served(message: &str) -> Option<String> {
    let name = ["defer", "stream"].into_iter();
    let mut found = name.filter(|name| message == format!("Unknown directive \"@{name}\"."));
    let name = found.next()?;
    Some(format!(
        "@{name} is not served: a response comes in one piece."
    ))
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

/// Where a definition begins.
fn start(definition: &Definition) -> Location {
    place(match definition {
        Definition::Fragment(found) => found.position,
        Definition::Operation(OperationDefinition::SelectionSet(set)) => set.span.0,
        Definition::Operation(OperationDefinition::Query(found)) => found.position,
        Definition::Operation(OperationDefinition::Mutation(found)) => found.position,
        Definition::Operation(OperationDefinition::Subscription(found)) => found.position,
    })
}

fn place(Pos { line, column }: Pos) -> Location {
    Location { line, column }
}

fn operation_name(operation: &OperationDefinition) -> Option<&str> {
    match operation {
        OperationDefinition::Query(query) => query.name.as_deref(),
        OperationDefinition::SelectionSet(_) => None,
        OperationDefinition::Mutation(mutation) => mutation.name.as_deref(),
        OperationDefinition::Subscription(subscription) => subscription.name.as_deref(),
    }
}

fn selection_set(definition: &Definition) -> &SelectionSet {
    match definition {
        Definition::Operation(operation) => operation.selection_set(),
        Definition::Fragment(fragment) => &fragment.selection_set,
    }
}

/// The first field that looks at the schema.
fn introspection(set: &SelectionSet) -> Option<&Field> {
    set.items.iter().find_map(|item| match item {
        Selection::Field(field) if matches!(&*field.name, "__schema" | "__type") => Some(field),
        Selection::Field(field) => introspection(&field.selection_set),
        Selection::InlineFragment(inline) => introspection(&inline.selection_set),
        Selection::FragmentSpread(_) => None,
    })
}

fn conditions(ast: &Ast) -> Vec<String> {
    let mut names = Vec::new();
    for definition in &ast.definitions {
        in_set(selection_set(definition), &mut names);
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
