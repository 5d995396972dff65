//! From a text to its tree, by the grammar of executable documents and no other.
//!
//! Read here and not by the library, whose reader takes texts that are not GraphQL, refuses some that are, and changes a few
//! strings (`\b`, surrogate pairs); the tree is the library's, so everything behind it stays as it is.
//! Source: GraphQL specification (September 2025), 2 Language; positions and sentences are those of graphql-js.

mod lexer;
mod parser;
mod schema;
mod strings;

use graphql_tools::parser::Pos;

pub(crate) use parser::{Parsed, parse};
pub(crate) use schema::{readable, restore_numbers};

/// Why a text has no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    /// It is not GraphQL at this position.
    #[error("{0} at line {line}, column {column}", line = .1.line, column = .1.column)]
    Unexpected(String, Pos),
    /// It has more tokens than it may: the first of them.
    #[error("it has too many tokens")]
    Tokens(Pos),
    /// Its brackets are nested deeper than they may be: the first that is.
    #[error("its brackets are nested deeper than {MAX_NESTING}")]
    Nesting(Pos),
}

/// The most brackets in each other: what reads a tree goes down it.
pub(crate) const MAX_NESTING: usize = 50;

/// A number that the tree's own numbers cannot hold stands in it as an enum value, which no name can be taken for, and is
/// written to subgraphs digit by digit.
pub(crate) mod number {
    /// Whether this enum value is a number.
    pub(crate) fn is_number(text: &str) -> bool {
        text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
    }

    /// Whether it is a whole number.
    pub(crate) fn is_whole(text: &str) -> bool {
        is_number(text) && !text.contains(['.', 'e', 'E'])
    }
}

#[cfg(test)]
mod tests;
