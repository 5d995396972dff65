//! The tree of a text, by recursive descent; the reader of tokens bounds how deep it goes.
//!
//! Source: GraphQL specification, appendix C Grammar Summary.

use graphql_tools::parser::Pos;
use graphql_tools::static_graphql::query::{
    Definition, Directive, Document, Field, FragmentDefinition, FragmentSpread, InlineFragment,
    Mutation, OperationDefinition, Query, Selection, SelectionSet, Subscription, Type,
    TypeCondition, Value, VariableDefinition,
};

use crate::operation::syntax::SyntaxError;
use crate::operation::syntax::lexer::{Lexer, Token};

/// A text's tree.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// The definitions.
    pub(crate) document: Document,
    /// Directives of variables, for which the library's tree has no place.
    pub(crate) of_variables: Vec<Directive>,
}

type Result<T> = std::result::Result<T, SyntaxError>;
type Arguments = Vec<(String, Value)>;

/// Reads a text of at most so many tokens.
///
/// # Errors
/// [`SyntaxError`] when it is not GraphQL or over a limit.
pub(crate) fn parse(text: &str, tokens: usize) -> Result<Parsed> {
    let mut lexer = Lexer::new(text, tokens);
    let (token, position) = lexer.next()?;
    let mut parser = Parser {
        lexer,
        token,
        position,
        of_variables: Vec::new(),
    };
    let mut definitions = vec![parser.definition()?];
    while parser.token != Token::End {
        definitions.push(parser.definition()?);
    }
    Ok(Parsed {
        document: Document { definitions },
        of_variables: parser.of_variables,
    })
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    position: Pos,
    of_variables: Vec<Directive>,
}

impl<'a> Parser<'a> {
    fn advance(&mut self) -> Result<Token<'a>> {
        let (next, position) = self.lexer.next()?;
        self.position = position;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn unexpected<T>(&self) -> Result<T> {
        let text = format!("Unexpected {}.", self.token.shown());
        Err(SyntaxError::Unexpected(text, self.position))
    }

    fn expected<T>(&self, wanted: &str) -> Result<T> {
        let text = format!("Expected {wanted}, found {}.", self.token.shown());
        Err(SyntaxError::Unexpected(text, self.position))
    }

    fn is(&self, sign: char) -> bool {
        self.token == Token::Punctuator(sign)
    }

    fn skip(&mut self, sign: char) -> Result<bool> {
        let found = self.is(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        if self.skip(sign)? {
            return Ok(());
        }
        self.expected(&format!("\"{sign}\""))
    }

    fn name(&mut self) -> Result<String> {
        let Token::Name(name) = self.token else {
            return self.expected("Name");
        };
        self.advance()?;
        Ok(name.to_owned())
    }

    fn skip_word(&mut self, word: &str) -> Result<bool> {
        let found = self.token == Token::Name(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn definition(&mut self) -> Result<Definition> {
        if self.is('{') {
            let set = self.selection_set()?;
            return Ok(Definition::Operation(OperationDefinition::SelectionSet(
                set,
            )));
        }
        let position = self.position;
        if matches!(self.token, Token::String(_)) {
            // A description says nothing to the execution.
            self.advance()?;
            if self.is('{') {
                let text =
                    "Unexpected description, descriptions are not supported on shorthand queries.";
                return Err(SyntaxError::Unexpected(text.to_owned(), position));
            }
        }
        let position = self.position;
        if self.skip_word("fragment")? {
            return self.fragment(position).map(Definition::Fragment);
        }
        let make = match self.token {
            Token::Name("query") => query,
            Token::Name("mutation") => mutation,
            Token::Name("subscription") => subscription,
            _ => return self.unexpected(),
        };
        self.advance()?;
        let name = match self.token {
            Token::Name(_) => Some(self.name()?),
            _ => None,
        };
        let operation = Operation {
            position,
            name,
            variable_definitions: self.variable_definitions()?,
            directives: self.directives(false)?,
            selection_set: self.selection_set()?,
        };
        Ok(Definition::Operation(make(operation)))
    }

    fn fragment(&mut self, position: Pos) -> Result<FragmentDefinition> {
        if self.token == Token::Name("on") {
            return self.unexpected();
        }
        let name = self.name()?;
        if !self.skip_word("on")? {
            return self.expected("\"on\"");
        }
        Ok(FragmentDefinition {
            position,
            name,
            type_condition: TypeCondition::On(self.name()?),
            directives: self.directives(false)?,
            selection_set: self.selection_set()?,
        })
    }

    fn variable_definitions(&mut self) -> Result<Vec<VariableDefinition>> {
        let mut definitions = Vec::new();
        if !self.skip('(')? {
            return Ok(definitions);
        }
        loop {
            if matches!(self.token, Token::String(_)) {
                self.advance()?;
            }
            let position = self.position;
            self.expect('$')?;
            let name = self.name()?;
            self.expect(':')?;
            let var_type = self.ty()?;
            let default_value = if self.skip('=')? {
                Some(self.value(true)?)
            } else {
                None
            };
            let directives = self.directives(true)?;
            self.of_variables.extend(directives);
            definitions.push(VariableDefinition {
                position,
                name,
                var_type,
                default_value,
            });
            if self.skip(')')? {
                return Ok(definitions);
            }
        }
    }

    fn ty(&mut self) -> Result<Type> {
        let inner = if self.skip('[')? {
            let item = self.ty()?;
            self.expect(']')?;
            Type::ListType(Box::new(item))
        } else {
            Type::NamedType(self.name()?)
        };
        Ok(if self.skip('!')? {
            Type::NonNullType(Box::new(inner))
        } else {
            inner
        })
    }

    fn selection_set(&mut self) -> Result<SelectionSet> {
        let start = self.position;
        self.expect('{')?;
        let mut items = vec![self.selection()?];
        while !self.is('}') {
            items.push(self.selection()?);
        }
        let end = self.position;
        self.advance()?;
        Ok(SelectionSet {
            span: (start, end),
            items,
        })
    }

    fn selection(&mut self) -> Result<Selection> {
        let position = self.position;
        if self.token != Token::Spread {
            return self.field(position).map(Selection::Field);
        }
        self.advance()?;
        match self.token {
            Token::Name(name) if name != "on" => Ok(Selection::FragmentSpread(FragmentSpread {
                position,
                fragment_name: self.name()?,
                directives: self.directives(false)?,
            })),
            _ => {
                let type_condition = if self.skip_word("on")? {
                    Some(TypeCondition::On(self.name()?))
                } else {
                    None
                };
                Ok(Selection::InlineFragment(InlineFragment {
                    position,
                    type_condition,
                    directives: self.directives(false)?,
                    selection_set: self.selection_set()?,
                }))
            }
        }
    }

    fn field(&mut self, position: Pos) -> Result<Field> {
        let first = self.name()?;
        let (alias, name) = if self.skip(':')? {
            (Some(first), self.name()?)
        } else {
            (None, first)
        };
        let arguments = self.arguments(false)?;
        let directives = self.directives(false)?;
        let selection_set = if self.is('{') {
            self.selection_set()?
        } else {
            SelectionSet {
                span: (position, position),
                items: Vec::new(),
            }
        };
        Ok(Field {
            position,
            alias,
            name,
            arguments,
            directives,
            selection_set,
        })
    }

    fn arguments(&mut self, is_constant: bool) -> Result<Arguments> {
        let mut arguments = Vec::new();
        if !self.skip('(')? {
            return Ok(arguments);
        }
        loop {
            let name = self.name()?;
            self.expect(':')?;
            arguments.push((name, self.value(is_constant)?));
            if self.skip(')')? {
                return Ok(arguments);
            }
        }
    }

    fn directives(&mut self, is_constant: bool) -> Result<Vec<Directive>> {
        let mut directives = Vec::new();
        while self.is('@') {
            let position = self.position;
            self.advance()?;
            directives.push(Directive {
                position,
                name: self.name()?,
                arguments: self.arguments(is_constant)?,
            });
        }
        Ok(directives)
    }

    fn value(&mut self, is_constant: bool) -> Result<Value> {
        if self.is('$') {
            return self.variable(is_constant);
        }
        if self.skip('[')? {
            let mut items = Vec::new();
            while !self.skip(']')? {
                items.push(self.value(is_constant)?);
            }
            return Ok(Value::List(items));
        }
        if self.skip('{')? {
            let mut fields = Vec::new();
            while !self.skip('}')? {
                let name = self.name()?;
                self.expect(':')?;
                fields.push((name, self.value(is_constant)?));
            }
            return Ok(Value::Object(fields));
        }
        if matches!(
            self.token,
            Token::Punctuator(_) | Token::Spread | Token::End
        ) {
            return self.unexpected();
        }
        Ok(match self.advance()? {
            Token::Name("true") => Value::Boolean(true),
            Token::Name("false") => Value::Boolean(false),
            Token::Name("null") => Value::Null,
            Token::Name(name) => Value::Enum(name.to_owned()),
            Token::Int(digits) => match digits.parse::<i32>() {
                // -0 is another argument than 0 (graphql-js compares what is written), and another id.
                Ok(number) if digits != "-0" => Value::Int(number.into()),
                _ => Value::Enum(digits.to_owned()),
            },
            Token::Float(digits) => match digits.parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => Value::Enum(digits.to_owned()),
            },
            Token::String(text) => Value::String(text),
            Token::Punctuator(_) | Token::Spread | Token::End => return self.unexpected(),
        })
    }

    fn variable(&mut self, is_constant: bool) -> Result<Value> {
        let position = self.position;
        self.advance()?;
        let name = self.name()?;
        if is_constant {
            let text = format!("Unexpected variable \"${name}\" in constant value.");
            return Err(SyntaxError::Unexpected(text, position));
        }
        Ok(Value::Variable(name))
    }
}

/// What the three kinds of operation have in common.
struct Operation {
    position: Pos,
    name: Option<String>,
    variable_definitions: Vec<VariableDefinition>,
    directives: Vec<Directive>,
    selection_set: SelectionSet,
}

macro_rules! operation {
    ($make:ident, $kind:ident) => {
        fn $make(operation: Operation) -> OperationDefinition {
            OperationDefinition::$kind($kind {
                position: operation.position,
                name: operation.name,
                variable_definitions: operation.variable_definitions,
                directives: operation.directives,
                selection_set: operation.selection_set,
            })
        }
    };
}

operation!(query, Query);
operation!(mutation, Mutation);
operation!(subscription, Subscription);
