//! A validating JSON scanner: it tells where values begin and end, and decodes none of them.

/// Nesting past this is refused, whatever the operation asked for.
const MAX_NESTING: u32 = 128;

const TOO_MANY_OBJECTS: &str = "more objects than a response may hold";

/// What is wrong with a response, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(crate) struct ReadError {
    /// The fault.
    pub(super) what: &'static str,
    /// The position of the byte.
    pub(super) at: usize,
}

impl ReadError {
    /// Whether nothing is wrong but the number of objects.
    pub(crate) fn is_too_many_objects(&self) -> bool {
        self.what == TOO_MANY_OBJECTS
    }
}

/// A position in a JSON text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    nesting: u32,
    /// How many more objects may be read further.
    objects_left: u64,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte; at most so many objects are read further.
    pub(super) fn new(bytes: &'a [u8], objects: u64) -> Self {
        Self {
            bytes,
            at: 0,
            nesting: 0,
            objects_left: objects,
        }
    }

    /// Counts objects that are read further.
    ///
    /// # Errors
    /// [`ReadError`] when there are too many.
    pub(super) fn count_objects(&mut self, objects: u64) -> Result<(), ReadError> {
        match self.objects_left.checked_sub(objects) {
            Some(left) => {
                self.objects_left = left;
                Ok(())
            }
            None => Err(self.error(TOO_MANY_OBJECTS)),
        }
    }

    /// How many more objects could be read.
    pub(super) fn objects_left(&self) -> u64 {
        self.objects_left
    }

    /// The bytes of a range that [`Scanner::skip`] gave.
    pub(super) fn text(&self, (start, end): (usize, usize)) -> &'a [u8] {
        &self.bytes[start..end]
    }

    /// All of the text.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The position of the byte that [`Scanner::peek`] gave.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Steps over bytes that are known: the one that [`Scanner::peek`] gave, and more.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Refuses everything but white space up to the end.
    ///
    /// # Errors
    /// [`ReadError`] with the position of the first other byte.
    pub(super) fn end(&mut self, what: &'static str) -> Result<(), ReadError> {
        if self.peek().is_none() {
            return Ok(());
        }
        Err(self.error(what))
    }

    /// An error at this position.
    pub(super) fn error(&self, what: &'static str) -> ReadError {
        ReadError { what, at: self.at }
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.space();
        self.bytes.get(self.at).copied()
    }

    /// Steps over one byte.
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), ReadError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(what))
        }
    }

    fn deeper(&mut self) -> Result<(), ReadError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(self.error("nested too deep"));
        }
        Ok(())
    }

    /// Reads the members of an object, behind its opening brace.
    pub(super) fn members(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.deeper()?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.nesting -= 1;
            return Ok(());
        }
        loop {
            self.space();
            let (start, end) = self.string()?;
            self.expect(b':', "a colon is missing")?;
            member(self, &self.bytes[start + 1..end - 1])?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.nesting -= 1;
                    return Ok(());
                }
                _ => return Err(self.error("an object does not end")),
            }
        }
    }

    /// Reads the items of a list, behind its opening bracket.
    pub(super) fn items(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        self.deeper()?;
        if self.peek() == Some(b']') {
            self.at += 1;
            self.nesting -= 1;
            return Ok(());
        }
        loop {
            item(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    self.nesting -= 1;
                    return Ok(());
                }
                _ => return Err(self.error("a list does not end")),
            }
        }
    }

    /// Validates one value and gives its first byte and the one after its last.
    pub(super) fn skip(&mut self) -> Result<(usize, usize), ReadError> {
        let Some(first) = self.peek() else {
            return Err(self.error("a value is missing"));
        };
        let start = self.at;
        match first {
            b'"' => return self.string(),
            b'{' => {
                self.at += 1;
                self.members(|scanner, _| scanner.skip().map(|_| ()))?;
            }
            b'[' => {
                self.at += 1;
                self.items(|scanner| scanner.skip().map(|_| ()))?;
            }
            b't' => self.word(b"true")?,
            b'f' => self.word(b"false")?,
            b'n' => self.word(b"null")?,
            _ => self.number()?,
        }
        Ok((start, self.at))
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), ReadError> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.error("not a JSON value"));
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(usize, usize), ReadError> {
        let start = self.at;
        self.expect(b'"', "a string is missing")?;
        loop {
            self.plain();
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start, self.at));
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(self.error("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.error("a string does not end")),
            }
        }
    }

    /// Steps over the bytes of a string that mean themselves, eight at a time; fewer than eight may be left to the caller.
    fn plain(&mut self) {
        while let Some(eight) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let special = special(u64::from_le_bytes(*eight));
            if special == 0 {
                self.at += 8;
                continue;
            }
            self.at += special.trailing_zeros() as usize / 8;
            return;
        }
    }

    fn escape(&mut self) -> Result<(), ReadError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.error("a broken escape in a string"));
                }
                self.at += 6;
            }
            _ => return Err(self.error("a broken escape in a string")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ReadError> {
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(self.error("a number with a leading zero"));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<usize, ReadError> {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.error("not a JSON value"));
        }
        Ok(self.at - start)
    }
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// The high bits of the bytes that do not mean themselves in a string: quotes, backslashes, control characters. The lowest
/// bit is right, those above it may be too many: a subtraction borrows from the next byte.
/// Source: Mycroft's test for a zero byte.
fn special(eight: u64) -> u64 {
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = zero(eight ^ (ONES * u64::from(b'"')));
    let backslash = zero(eight ^ (ONES * u64::from(b'\\')));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (quote | backslash | control) & HIGH
}
