//! Which file names what of which: the modules of one crate, and the paths in their source.
//!
//! This reads tokens, not syntax: comments, strings and `#[cfg(test)]` items are passed over, and so paths inside of
//! macros count too. What another crate defines is no arrow, and neither is what a folder's `mod.rs` takes from its own
//! files: it stands for them. A crate's root is no such face, so `main.rs` must not lend its files what they work with.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// One file names something that another one defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) line: usize,
    pub(super) to: String,
    pub(super) name: String,
}

/// The arrows between the files of one crate, with paths from the root of the repository.
pub(super) struct Graph {
    pub(super) arrows: Vec<Arrow>,
}

/// A path in the source: its segments, where it stands, and how many inline modules are around it.
#[derive(Debug, Clone)]
struct Named {
    segments: Vec<String>,
    line: usize,
    inline: usize,
}

/// What one `use` brings into a module.
#[derive(Debug, Clone)]
struct Import {
    named: Named,
    /// `pub use`: the module may only pass it on.
    is_public: bool,
}

#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    parent: usize,
    children: HashMap<String, usize>,
    imports: HashMap<String, Import>,
    paths: Vec<Named>,
    /// Every word outside of `use` lines.
    words: HashSet<String>,
}

/// What a path leads to.
struct Found {
    module: usize,
    /// The path ends at the module itself, not at an item in it.
    is_module: bool,
}

impl Graph {
    /// Reads the crate whose root file is `file`.
    pub(super) fn read(root: &Path, file: &Path) -> Self {
        let mut modules = Vec::new();
        read_module(&mut modules, file.to_owned(), file.parent().unwrap(), 0);
        let name = |module: &Module| {
            let path = module.file.strip_prefix(root).unwrap();
            path.display().to_string()
        };
        let mut arrows = Vec::new();
        for (index, module) in modules.iter().enumerate() {
            let used = module.imports.iter().filter(|(name, import)| {
                // A name that is only passed on is not this file's business.
                !import.is_public || module.words.contains(*name)
            });
            let imports = used.map(|(_, import)| &import.named);
            for named in imports.chain(&module.paths) {
                let found = resolve(&modules, index, named, 0);
                let Some(Found {
                    module: to,
                    is_module: false,
                }) = found
                else {
                    continue;
                };
                if to != index && (index == 0 || !is_below(&modules, to, index)) {
                    arrows.push(Arrow {
                        from: name(module),
                        line: named.line,
                        to: name(&modules[to]),
                        name: named.segments.last().unwrap().clone(),
                    });
                }
            }
        }
        arrows.sort_by(|one, other| (&one.from, one.line).cmp(&(&other.from, other.line)));
        Self { arrows }
    }
}

/// Whether a module is another one's child, or a child's child.
fn is_below(modules: &[Module], mut below: usize, above: usize) -> bool {
    while below != 0 && below != above {
        below = modules[below].parent;
    }
    below == above
}

/// Follows a path to the module that defines its item; `None` when that is another crate's.
fn resolve(modules: &[Module], from: usize, named: &Named, depth: usize) -> Option<Found> {
    let mut segments = named.segments.iter().map(String::as_str).peekable();
    let (mut at, mut inline) = (from, named.inline);
    match *segments.peek()? {
        "crate" => {
            at = 0;
            segments.next();
        }
        "self" => drop(segments.next()),
        "super" => {
            while segments.next_if_eq(&"super").is_some() {
                if inline == 0 {
                    at = modules[at].parent;
                } else {
                    inline -= 1;
                }
            }
        }
        first if modules[at].children.contains_key(first) => {}
        first if modules[at].imports.contains_key(first) && depth < 8 => {}
        _ => return None,
    }
    while let Some(segment) = segments.next() {
        let module = &modules[at];
        if let Some(child) = module.children.get(segment) {
            at = *child;
        } else if segment == "self" {
            // `use a::{self}`
        } else if let Some(import) = module.imports.get(segment).filter(|_| depth < 8) {
            let mut on = import.named.clone();
            on.segments.extend(segments.map(str::to_owned));
            return resolve(modules, at, &on, depth + 1);
        } else {
            return Some(Found {
                module: at,
                is_module: false,
            });
        }
    }
    Some(Found {
        module: at,
        is_module: true,
    })
}

/// Reads a file and the files of its modules. `folder` is where its children are.
fn read_module(modules: &mut Vec<Module>, file: PathBuf, folder: &Path, parent: usize) -> usize {
    let index = modules.len();
    let source = std::fs::read_to_string(&file).unwrap();
    modules.push(Module {
        file,
        parent,
        ..Module::default()
    });
    let tokens = tokens(&source);
    let mut reader = Reader {
        tokens: &tokens,
        at: 0,
        inline: Vec::new(),
        braces: 0,
        module: Module::default(),
        files: Vec::new(),
    };
    reader.read();
    let (found, files) = (reader.module, reader.files);
    for name in files {
        let (flat, nested) = (
            folder.join(format!("{name}.rs")),
            folder.join(&name).join("mod.rs"),
        );
        let file = if flat.exists() { flat } else { nested };
        let child = read_module(modules, file, &folder.join(&name), index);
        modules[index].children.insert(name, child);
    }
    let module = &mut modules[index];
    (module.imports, module.paths, module.words) = (found.imports, found.paths, found.words);
    index
}

struct Reader<'a> {
    tokens: &'a [(usize, &'a str)],
    at: usize,
    /// The depths of braces at which inline modules end.
    inline: Vec<usize>,
    braces: usize,
    module: Module,
    /// Modules in files of their own.
    files: Vec<String>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> &'a str {
        self.tokens.get(self.at + ahead).map_or("", |token| token.1)
    }

    fn read(&mut self) {
        while self.at < self.tokens.len() {
            match self.peek(0) {
                "#" if (1..6)
                    .map(|it| self.peek(it))
                    .eq(["[", "cfg", "(", "test", ")"]) =>
                {
                    self.at += 7;
                    self.skip_item();
                }
                // A file that stands with another crate is that crate's.
                "#" if self.peek(1) == "[" && self.peek(2) == "path" => self.skip_item(),
                "mod" if self.peek(2) == ";" => {
                    self.files.push(self.peek(1).to_owned());
                    self.at += 3;
                }
                "mod" if self.peek(2) == "{" => {
                    self.inline.push(self.braces);
                    self.braces += 1;
                    self.at += 3;
                }
                "use" if is_name(self.peek(1)) || self.peek(1) == "{" => {
                    let before = self.at.checked_sub(1).map_or("", |at| self.tokens[at].1);
                    self.at += 1;
                    self.read_use(&[], ["pub", ")"].contains(&before));
                }
                "{" => self.step(1),
                "}" => self.step(-1),
                name if is_name(name) => self.read_path(),
                _ => self.at += 1,
            }
        }
    }

    fn step(&mut self, braces: isize) {
        self.at += 1;
        self.braces = self.braces.saturating_add_signed(braces);
        if self.inline.last() == Some(&self.braces) && braces < 0 {
            self.inline.pop();
        }
    }

    /// Passes over one item: to its `;`, or to the end of its braces.
    fn skip_item(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            let token = self.peek(0);
            if token == "}" && depth == 0 {
                return; // a field or a variant was the last of its kind
            }
            self.at += 1;
            match token {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            if depth == 0 && (token == ";" || token == "}") {
                return;
            }
        }
    }

    /// Reads one branch of a `use` tree, after `before`.
    fn read_use(&mut self, before: &[String], is_public: bool) {
        let mut segments = before.to_vec();
        loop {
            let (line, token) = self.tokens[self.at];
            self.at += 1;
            match token {
                "::" => {}
                "{" => {
                    while self.peek(0) != "}" {
                        self.read_use(&segments, is_public);
                        self.at += usize::from(self.peek(0) == ",");
                    }
                    self.at += 1;
                    return;
                }
                name => {
                    segments.push(name.to_owned());
                    if self.peek(0) == "::" {
                        continue;
                    }
                    let mut alias = match name {
                        "self" => segments.iter().rev().nth(1).cloned().unwrap_or_default(),
                        "*" => format!("{}#{line}", segments.join("::")),
                        name => name.to_owned(),
                    };
                    if self.peek(0) == "as" {
                        alias = match self.peek(1) {
                            "_" => segments.join("::"),
                            name => name.to_owned(),
                        };
                        self.at += 2;
                    }
                    let named = Named {
                        segments,
                        line,
                        inline: self.inline.len(),
                    };
                    self.module
                        .imports
                        .insert(alias, Import { named, is_public });
                    return;
                }
            }
        }
    }

    /// Reads a path outside of `use`, or a single word.
    fn read_path(&mut self) {
        let (line, first) = self.tokens[self.at];
        let before = self.at.checked_sub(1).map_or("", |at| self.tokens[at].1);
        self.module.words.insert(first.to_owned());
        self.at += 1;
        let mut segments = vec![first.to_owned()];
        while self.peek(0) == "::" && is_name(self.peek(1)) {
            segments.push(self.peek(1).to_owned());
            self.at += 2;
        }
        if segments.len() > 1 && !["::", "."].contains(&before) {
            self.module.paths.push(Named {
                segments,
                line,
                inline: self.inline.len(),
            });
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|it: char| it.is_alphabetic() || it == '_')
}

/// The tokens of a source, each with its line. Comments are left out; a string is the token `""`.
fn tokens(source: &str) -> Vec<(usize, &str)> {
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let (length, token) = match first {
            _ if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), ""),
            _ if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), ""),
            '"' => (string(rest), "\"\""),
            'r' | 'b' if raw(rest).is_some() => (raw(rest).unwrap(), "\"\""),
            '\'' => (quote(rest), "''"),
            _ if rest.starts_with("::") => (2, "::"),
            _ if is_name(rest) || first.is_ascii_digit() => {
                let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_');
                let end = end.unwrap_or(rest.len());
                (end, &rest[..end])
            }
            _ if first.is_whitespace() => (first.len_utf8(), ""),
            _ => (first.len_utf8(), &rest[..first.len_utf8()]),
        };
        if !token.is_empty() {
            tokens.push((line, token));
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// The length of a string with escapes.
fn string(rest: &str) -> usize {
    let mut escaped = true; // the opening quote
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// The length of a raw string or a byte string, if it is one.
fn raw(rest: &str) -> Option<usize> {
    let prefix = rest.len() - rest.trim_start_matches(['b', 'r']).len();
    let after = &rest[prefix..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    if prefix > 2 || !after[hashes..].starts_with('"') {
        return None;
    }
    if !rest[..prefix].contains('r') {
        return Some(prefix + string(after));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = prefix + hashes + 1;
    Some(
        rest[body..]
            .find(&end)
            .map_or(rest.len(), |at| body + at + end.len()),
    )
}

/// The length of a character, or of a lifetime's quote.
fn quote(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |at| at + 4),
        Some((_, _)) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}
