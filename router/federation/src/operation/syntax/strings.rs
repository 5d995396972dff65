//! The values of strings.
//!
//! Source: GraphQL specification, 2.9.4 String Value.

/// What is wrong with a string, and at which byte of it.
pub(super) type Fault = (String, usize);

/// The value of the string that a text begins with, and the bytes that it takes, quotes included.
///
/// # Errors
/// A string that does not end, or an escape that is none.
pub(super) fn quoted(text: &str) -> Result<(String, usize), Fault> {
    let mut value = String::new();
    let mut at = 1;
    loop {
        let rest = &text[at..];
        let Some(plain) = rest.find(['"', '\\', '\n', '\r']) else {
            return Err(("Unterminated string.".to_owned(), text.len()));
        };
        value.push_str(&rest[..plain]);
        at += plain;
        match rest.as_bytes()[plain] {
            b'"' => return Ok((value, at + 1)),
            b'\\' => {
                let (decoded, length) = escape(&text[at..]).map_err(|sentence| (sentence, at))?;
                value.push(decoded);
                at += length;
            }
            _ => return Err(("Unterminated string.".to_owned(), at)),
        }
    }
}

/// The character of an escape, and the bytes that it takes.
fn escape(text: &str) -> Result<(char, usize), String> {
    let simple = |decoded| Ok((decoded, 2));
    match text.as_bytes().get(1) {
        Some(b'"') => simple('"'),
        Some(b'\\') => simple('\\'),
        Some(b'/') => simple('/'),
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') if text.as_bytes().get(2) == Some(&b'{') => braced(text),
        Some(b'u') => fixed(text),
        _ => Err(format!(
            "Invalid character escape sequence: \"{}\".",
            start(text, 2)
        )),
    }
}

/// `\u{1F600}`
fn braced(text: &str) -> Result<(char, usize), String> {
    let wrong = || format!("Invalid Unicode escape sequence: \"{}\".", start(text, 12));
    let end = text.find('}').ok_or_else(wrong)?;
    let code = hex(&text[3..end]).ok_or_else(wrong)?;
    let decoded = char::from_u32(code).ok_or_else(wrong)?;
    Ok((decoded, end + 1))
}

/// `\u00e9`, and `\ud83d\ude00`, which is one character in two halves.
fn fixed(text: &str) -> Result<(char, usize), String> {
    let wrong = || format!("Invalid Unicode escape sequence: \"{}\".", start(text, 6));
    let unit = |text: &str| {
        let digits = text.get(2..6).filter(|_| text.starts_with("\\u"))?;
        u16::try_from(hex(digits)?).ok()
    };
    let first = unit(text).ok_or_else(wrong)?;
    if let Some(decoded) = char::from_u32(u32::from(first)) {
        return Ok((decoded, 6));
    }
    let second = text.get(6..).and_then(unit).ok_or_else(wrong)?;
    match char::decode_utf16([first, second]).next() {
        Some(Ok(decoded)) => Ok((decoded, 12)),
        _ => Err(wrong()),
    }
}

/// Hexadecimal digits alone: no sign, and at least one.
fn hex(digits: &str) -> Option<u32> {
    let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = digits.trim_start_matches('0');
    match digits {
        "" => is_hex.then_some(0),
        digits => u32::from_str_radix(digits, 16).ok().filter(|_| is_hex),
    }
}

fn start(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// The bytes of the block string that a text begins with, quotes included; `None` when it does not end.
pub(super) fn block_length(text: &str) -> Option<usize> {
    let mut at = 3;
    loop {
        at += text.get(at..)?.find("\"\"\"")?;
        if !text[..at].ends_with('\\') {
            return Some(at + 3);
        }
        at += 3;
    }
}

/// The value of a block string by what stands between its quotes: lines without their common indentation, and without the
/// blank ones around them.
pub(super) fn block(raw: &str) -> String {
    let text = raw.replace("\\\"\"\"", "\"\"\"").replace("\r\n", "\n");
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let indent_of = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = |line: &str| indent_of(line) == line.len();
    let indented = lines.iter().skip(1).filter(|line| !is_blank(line));
    let common = indented.map(|line| indent_of(line)).min().unwrap_or(0);
    let first = lines.iter().position(|line| !is_blank(line));
    let last = lines.iter().rposition(|line| !is_blank(line));
    let (Some(first), Some(last)) = (first, last) else {
        return String::new();
    };
    let cut = |number: usize| match number {
        0 => lines[0],
        _ => lines[number].get(common..).unwrap_or_default(),
    };
    (first..=last).map(cut).collect::<Vec<_>>().join("\n")
}

/// A character in a message.
pub(super) fn character(found: char) -> String {
    match found {
        '"' => "'\"'".to_owned(),
        ' '..='~' => format!("\"{found}\""),
        _ => format!("U+{:04X}", u32::from(found)),
    }
}
