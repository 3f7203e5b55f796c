//! Finds the modules that a source file names, without compiling it.
//!
//! The file is cut into words and signs (comments, strings and lifetimes fall away), and paths
//! that begin with `crate`, `super` or the crate's own names are followed to the module they
//! reach. Items behind `#[cfg(test)]` and `#[test]` are passed over.

/// The names under which core's own source may write itself.
const ROOTS: &[&str] = &["crate", "remotemedia", "remotemedia_core"];

/// What a file names.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// First step below the crate's root of every path; a macro ends in `!`.
    pub(super) uses: Vec<Name>,
    /// Every word of the code.
    pub(super) words: Vec<Name>,
    /// Paths of the modules in files of their own that are built for tests only.
    pub(super) test_modules: Vec<Vec<String>>,
}

/// A name and the line on which it stands.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) line: usize,
}

/// A word, `::`, or any other sign.
type Token = Name;

/// Scans the source of the module with the path `module`.
pub(super) fn scan(text: &str, module: &[String]) -> Scan {
    let mut scanner = Scanner {
        tokens: tokens(text),
        at: 0,
        module: module.to_vec(),
        open: Vec::new(),
        scan: Scan::default(),
    };
    scanner.run();
    scanner.scan
}

struct Scanner {
    tokens: Vec<Token>,
    at: usize,
    /// Where we are, inline modules included.
    module: Vec<String>,
    /// For each open brace, whether it is an inline module's.
    open: Vec<bool>,
    scan: Scan,
}

impl Scanner {
    fn run(&mut self) {
        while let Some(token) = self.tokens.get(self.at).cloned() {
            self.at += 1;
            match token.name.as_str() {
                "#" if self.peek(0) == "[" => self.attribute(),
                "mod" if self.peek(1) == "{" => {
                    self.module.push(self.peek(0).to_owned());
                    self.open.push(true);
                    self.at += 2;
                }
                "{" => self.open.push(false),
                "}" => self.close(),
                name if self.peek(0) == "::" && ROOTS.contains(&name) => {
                    self.at += 1;
                    self.tree(Vec::new());
                }
                "super" if self.peek(0) == "::" => {
                    let mut base = self.module.clone();
                    base.pop();
                    self.at += 1;
                    while self.peek(0) == "super" && self.peek(1) == "::" {
                        base.pop();
                        self.at += 2;
                    }
                    self.tree(base);
                }
                name if is_word(name) => self.scan.words.push(token),
                _ => {}
            }
        }
    }

    fn close(&mut self) {
        if self.open.pop() == Some(true) {
            self.module.pop();
        }
    }

    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", |t| &t.name)
    }

    /// What follows a path's `::`; `base` is where that path has come to.
    fn tree(&mut self, base: Vec<String>) {
        if self.peek(0) != "{" {
            return self.path(base);
        }
        self.at += 1;
        while !matches!(self.peek(0), "}" | "") {
            if self.peek(0) == "," {
                self.at += 1;
            } else {
                self.path(base.clone());
                while !matches!(self.peek(0), "," | "}" | "") {
                    self.at += 1; // `as name`
                }
            }
        }
        self.at += 1;
    }

    /// One path, to its end; its first step below the root is what is used.
    fn path(&mut self, mut base: Vec<String>) {
        let line = self.tokens.get(self.at).map_or(0, |t| t.line);
        let mut group = false;
        while is_word(self.peek(0)) {
            let word = self.peek(0).to_owned();
            self.scan.words.push(Name { name: word.clone(), line });
            self.at += 1;
            let step = if self.peek(0) == "!" { format!("{word}!") } else { word };
            base.push(step);
            if self.peek(0) != "::" {
                break;
            }
            self.at += 1;
            if self.peek(0) == "{" {
                group = true;
                self.tree(base.clone());
                break;
            }
        }
        if let (Some(first), false) = (base.first(), group) {
            self.scan.uses.push(Name { name: first.clone(), line });
        }
        if self.peek(0) == "*" && base.is_empty() {
            self.scan.uses.push(Name { name: "*".to_owned(), line });
            self.at += 1;
        }
    }

    /// At the `[` of an attribute. If it is for tests only, passes over the item behind it.
    fn attribute(&mut self) {
        let mut words = Vec::new();
        let mut depth = 0;
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token.name.as_str() {
                "[" => depth += 1,
                "]" => depth -= 1,
                word => words.push(word.to_owned()),
            }
            if depth == 0 {
                break;
            }
        }
        let has = |word: &str| words.iter().any(|w| w == word);
        let for_tests = words == ["test"] || (has("cfg") && has("test") && !has("not"));
        if for_tests {
            self.skip_item();
        }
    }

    fn skip_item(&mut self) {
        let mut depth = 0;
        let mut previous = (String::new(), String::new());
        while let Some(token) = self.tokens.get(self.at) {
            self.at += 1;
            match token.name.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                ";" if depth == 0 && previous.0 == "mod" => {
                    let mut path = self.module.clone();
                    path.push(previous.1);
                    self.scan.test_modules.push(path);
                    return;
                }
                _ => {}
            }
            // An item ends with `;`, or with the brace of its body.
            let end = matches!(token.name.as_str(), ";" | "}") && depth == 0;
            // Otherwise it is the last field, variant or arm of what is around it.
            if end || depth < 0 {
                if depth < 0 {
                    self.at -= 1;
                }
                return;
            }
            previous = (previous.1, token.name.clone());
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c == '_' || c.is_alphanumeric())
}

/// Cuts source text into words and signs.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        let begins = line;
        let rest = &chars[at..];
        at += if let Some(length) = blank(rest).or_else(|| literal(rest)) {
            length
        } else if is_word(&rest[0].to_string()) {
            let length = rest.iter().take_while(|c| **c == '_' || c.is_alphanumeric()).count();
            tokens.push(Name { name: rest[..length].iter().collect(), line });
            length
        } else if rest.starts_with(&[':', ':']) {
            tokens.push(Name { name: "::".to_owned(), line });
            2
        } else {
            tokens.push(Name { name: rest[0].to_string(), line });
            1
        };
        line = begins + chars[start..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// Length of the white space or comment at the start.
fn blank(rest: &[char]) -> Option<usize> {
    if rest[0].is_whitespace() {
        return Some(1);
    }
    if rest.starts_with(&['/', '/']) {
        return Some(rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(&['/', '*']) {
        return None;
    }
    let (mut depth, mut at) = (1, 2);
    while at < rest.len() && depth > 0 {
        if rest[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    Some(at)
}

/// Length of the string, character or lifetime at the start.
fn literal(rest: &[char]) -> Option<usize> {
    match rest {
        ['"', ..] => Some(quoted(rest, '"')),
        ['b' | 'c', '"', ..] => Some(1 + quoted(&rest[1..], '"')),
        ['b', '\'', ..] => Some(1 + quoted(&rest[1..], '\'')),
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => Some(quoted(rest, '\'')),
        ['\'', ..] => {
            Some(1 + rest[1..].iter().take_while(|c| **c == '_' || c.is_alphanumeric()).count())
        }
        ['r', '"' | '#', ..] => raw(rest, 1),
        ['b' | 'c', 'r', '"' | '#', ..] => raw(rest, 2),
        _ => None,
    }
}

fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw(rest: &[char], prefix: usize) -> Option<usize> {
    let hashes = rest[prefix..].iter().take_while(|c| **c == '#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&'"') {
        return None; // a raw identifier, `r#type`
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = &rest[open + 1..];
    let length = body.windows(end.len()).position(|w| w == end).unwrap_or(body.len());
    Some((open + 1 + length + end.len()).min(rest.len()))
}
