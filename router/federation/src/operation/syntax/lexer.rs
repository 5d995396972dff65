//! The tokens of a text.
//!
//! Source: GraphQL specification, 2.1 Source Text and 2.3 Lexical Tokens.

use graphql_tools::parser::Pos;

use crate::operation::syntax::{MAX_NESTING, SyntaxError, strings};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// A sign of one character.
    Punctuator(char),
    /// `...`
    Spread,
    /// A name or a keyword.
    Name(&'a str),
    /// A whole number as it is written.
    Int(&'a str),
    /// A number with a fraction or an exponent as it is written.
    Float(&'a str),
    /// A string's value.
    String(String),
    /// The text is over.
    End,
}

impl Token<'_> {
    /// The token in a message.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Punctuator(sign) => format!("\"{sign}\""),
            Self::Spread => "\"...\"".to_owned(),
            Self::Name(name) => format!("Name \"{name}\""),
            Self::Int(digits) => format!("Int \"{digits}\""),
            Self::Float(digits) => format!("Float \"{digits}\""),
            Self::String(text) => format!("String \"{text}\""),
            Self::End => "<EOF>".to_owned(),
        }
    }
}

/// Reads tokens one after another.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// A byte of this line up to which its columns are counted, and how many they are.
    counted: (usize, usize),
    left: usize,
    nesting: usize,
}

impl<'a> Lexer<'a> {
    /// A reader of at most so many tokens.
    pub(super) fn new(text: &'a str, tokens: usize) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            counted: (0, 0),
            left: tokens,
            nesting: 0,
        }
    }

    /// The next token and where it begins.
    ///
    /// # Errors
    /// [`SyntaxError`] where no token begins or one does not end, and at a limit.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, Pos), SyntaxError> {
        self.skip_ignored();
        let position = self.position(self.at);
        // A schema may be one long line.
        self.counted = (self.at, position.column - 1);
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else {
            return Ok((Token::End, position));
        };
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(SyntaxError::Tokens(position))?;
        let token = match first {
            '!' | '$' | '&' | ':' | '=' | '@' | '|' | '(' | ')' | '[' | ']' | '{' | '}' => {
                self.nest(first)?;
                self.at += 1;
                Token::Punctuator(first)
            }
            '.' if rest.starts_with("...") => {
                self.at += 3;
                Token::Spread
            }
            '_' | 'a'..='z' | 'A'..='Z' => {
                let is_end = |byte: u8| byte != b'_' && !byte.is_ascii_alphanumeric();
                let end = rest.bytes().position(is_end).unwrap_or(rest.len());
                self.at += end;
                Token::Name(&rest[..end])
            }
            '-' | '0'..='9' => self.number()?,
            '"' => Token::String(self.string()?),
            other => {
                return Err(self.error(
                    format!("Unexpected character: {}.", strings::character(other)),
                    self.at,
                ));
            }
        };
        Ok((token, position))
    }

    fn nest(&mut self, sign: char) -> Result<(), SyntaxError> {
        match sign {
            '(' | '[' | '{' => self.nesting += 1,
            ')' | ']' | '}' => self.nesting = self.nesting.saturating_sub(1),
            _ => {}
        }
        if self.nesting > MAX_NESTING {
            return Err(SyntaxError::Nesting(self.position(self.at)));
        }
        Ok(())
    }

    fn skip_ignored(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b',' => self.at += 1,
                b'\n' | b'\r' => self.end_line(),
                b'#' => {
                    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
                    let rest = &bytes[self.at..];
                    self.at += rest.iter().position(is_end).unwrap_or(rest.len());
                }
                _ if self.text[self.at..].starts_with('\u{feff}') => {
                    self.at += '\u{feff}'.len_utf8();
                }
                _ => return,
            }
        }
    }

    fn end_line(&mut self) {
        self.at += if self.text[self.at..].starts_with("\r\n") {
            2
        } else {
            1
        };
        self.line += 1;
        self.counted = (self.at, 0);
    }

    /// Columns are counted in UTF-16 units, as the clients' own tools count them.
    fn position(&self, at: usize) -> Pos {
        let (start, counted) = self.counted;
        let before = &self.text[start..at];
        let column = if before.is_ascii() {
            before.len()
        } else {
            before.encode_utf16().count()
        };
        Pos {
            line: self.line,
            column: counted + column + 1,
        }
    }

    fn error(&self, sentence: impl Into<String>, at: usize) -> SyntaxError {
        SyntaxError::Unexpected(sentence.into(), self.position(at))
    }

    fn number(&mut self) -> Result<Token<'a>, SyntaxError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start;
        let mut is_float = false;
        if bytes[at] == b'-' {
            at += 1;
        }
        if bytes.get(at) == Some(&b'0') {
            at += 1;
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                return Err(self.not_a_number(at));
            }
        } else {
            at = self.digits(at)?;
        }
        if bytes.get(at) == Some(&b'.') {
            is_float = true;
            at = self.digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            is_float = true;
            at += 1;
            if matches!(bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        let goes_on = |byte: &u8| matches!(byte, b'.' | b'_') || byte.is_ascii_alphabetic();
        if bytes.get(at).is_some_and(goes_on) {
            return Err(self.not_a_number(at));
        }
        self.at = at;
        let digits = &self.text[start..at];
        Ok(if is_float {
            Token::Float(digits)
        } else {
            Token::Int(digits)
        })
    }

    /// The end of one digit or more.
    fn digits(&self, at: usize) -> Result<usize, SyntaxError> {
        let rest = &self.text.as_bytes()[at..];
        let is_end = |byte: &u8| !byte.is_ascii_digit();
        match rest.iter().position(is_end).unwrap_or(rest.len()) {
            0 => Err(self.not_a_number(at)),
            length => Ok(at + length),
        }
    }

    fn not_a_number(&self, at: usize) -> SyntaxError {
        let found = self.text[at..].chars().next();
        let found = found.map_or("<EOF>".to_owned(), strings::character);
        self.error(
            format!("Invalid number, expected digit but got: {found}."),
            at,
        )
    }

    fn string(&mut self) -> Result<String, SyntaxError> {
        let rest = &self.text[self.at..];
        if rest.starts_with("\"\"\"") {
            return self.block_string();
        }
        match strings::quoted(rest) {
            Ok((value, length)) => {
                self.at += length;
                Ok(value)
            }
            Err((sentence, offset)) => Err(self.error(sentence, self.at + offset)),
        }
    }

    fn block_string(&mut self) -> Result<String, SyntaxError> {
        let start = self.at;
        let Some(length) = strings::block_length(&self.text[start..]) else {
            return Err(self.error("Unterminated string.", start));
        };
        let end = start + length;
        let raw = &self.text[start + 3..end - 3];
        while let Some(next) = self.text[self.at..end].find(['\n', '\r']) {
            self.at += next;
            self.end_line();
        }
        self.at = end;
        Ok(strings::block(raw))
    }
}
