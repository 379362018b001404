//! GitHub's expressions, as far as the rendered workflows use them. What is unknown is a panic, never an empty string.

use std::collections::BTreeMap;

/// What expressions see: `github.sha` → its value, and whether an earlier step or job failed.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) values: BTreeMap<String, String>,
    pub(super) failed: bool,
    /// Where `hashFiles` looks.
    pub(super) folder: std::path::PathBuf,
}

impl Scope {
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Replaces each `${{ … }}` of a text.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap_or_else(|| panic!("`{text}` has no end"));
            filled.push_str(before);
            filled.push_str(&self.value(expression));
            rest = after;
        }
        filled + rest
    }

    /// Whether a job or step with this `if:` runs. Without a status function, only after success.
    pub(super) fn allows(&self, condition: Option<&str>) -> bool {
        let condition = condition.unwrap_or("success()").trim();
        let inner = condition.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(condition);
        let asks = ["success()", "failure()", "always()", "cancelled()"].iter().any(|status| inner.contains(status));
        is_true(&self.value(inner)) && (asks || !self.failed)
    }

    fn value(&self, expression: &str) -> String {
        let mut parser = Parser { words: words(expression), at: 0, scope: self };
        let value = parser.either();
        assert_eq!(parser.at, parser.words.len(), "`{expression}` is not understood");
        value
    }
}

fn is_true(value: &str) -> bool {
    !matches!(value, "" | "false" | "0" | "null")
}

fn words(expression: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => rest[1..].find('\'').unwrap_or_else(|| panic!("`{expression}` has an open string")) + 2,
            '&' | '|' | '=' => 2,
            '!' if rest.starts_with("!=") => 2,
            '!' | '(' | ')' | ',' | '[' | ']' => 1,
            _ => rest.find(|c: char| !c.is_alphanumeric() && !"._-*".contains(c)).unwrap_or(rest.len()),
        };
        assert!(length > 0, "`{expression}` is not understood at `{rest}`");
        words.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    words
}

struct Parser<'a> {
    words: Vec<String>,
    at: usize,
    scope: &'a Scope,
}

impl Parser<'_> {
    fn eat(&mut self, word: &str) -> bool {
        let found = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(found);
        found
    }

    // Both operators give one of their operands, as GitHub's do.
    fn either(&mut self) -> String {
        let mut value = self.both();
        while self.eat("||") {
            let other = self.both();
            value = if is_true(&value) { value } else { other };
        }
        value
    }

    fn both(&mut self) -> String {
        let mut value = self.comparison();
        while self.eat("&&") {
            let other = self.comparison();
            value = if is_true(&value) { other } else { value };
        }
        value
    }

    fn comparison(&mut self) -> String {
        let value = self.one();
        if self.eat("==") {
            return value.eq_ignore_ascii_case(&self.one()).to_string();
        }
        if self.eat("!=") {
            return (!value.eq_ignore_ascii_case(&self.one())).to_string();
        }
        value
    }

    fn one(&mut self) -> String {
        if self.eat("!") {
            return (!is_true(&self.one())).to_string();
        }
        if self.eat("(") {
            let value = self.either();
            assert!(self.eat(")"), "a bracket is open");
            return value;
        }
        let word = self.words.get(self.at).expect("an expression ends too early").clone();
        self.at += 1;
        if let Some(text) = word.strip_prefix('\'') {
            return text.trim_end_matches('\'').to_owned();
        }
        if matches!(word.as_str(), "true" | "false" | "null") || word.parse::<f64>().is_ok() {
            return word;
        }
        if self.eat("(") {
            let mut arguments = Vec::new();
            while !self.eat(")") {
                arguments.push(self.either());
                self.eat(",");
            }
            return self.call(&word, &arguments);
        }
        // Secrets, variables, inputs and outputs that nobody set are empty on GitHub too.
        let optional = ["secrets.", "vars.", "inputs.", "steps.", "needs.", "github.event."];
        match self.scope.values.get(&word) {
            Some(value) => value.clone(),
            None if optional.iter().any(|prefix| word.starts_with(prefix)) => String::new(),
            None => panic!("nothing is known of `{word}`"),
        }
    }

    fn call(&self, name: &str, arguments: &[String]) -> String {
        match (name, arguments) {
            ("success", []) => (!self.scope.failed).to_string(),
            ("failure", []) => self.scope.failed.to_string(),
            ("always", []) => "true".into(),
            ("cancelled", []) => "false".into(),
            ("hashFiles", [file]) => std::fs::read(self.scope.folder.join(file))
                .map(|bytes| super::layout::sha256(&bytes))
                .unwrap_or_default(),
            ("format", [pattern, values @ ..]) => values
                .iter()
                .enumerate()
                .fold(pattern.clone(), |text, (number, value)| text.replace(&format!("{{{number}}}"), value)),
            ("startsWith", [text, start]) => text.to_lowercase().starts_with(&start.to_lowercase()).to_string(),
            ("contains", [text, part]) => text.to_lowercase().contains(&part.to_lowercase()).to_string(),
            _ => panic!("`{name}` with {} arguments is not understood", arguments.len()),
        }
    }
}

#[test]
fn expressions_mean_what_github_says_they_mean() {
    let mut scope = Scope::default();
    scope.set("github.event_name", "release");
    scope.set("needs.scan.result", "failure");
    for (expression, value) in [
        ("a ${{ github.event_name }} b", "a release b"),
        ("${{ github.event_name == 'Release' && 'yes' || 'no' }}", "yes"),
        ("${{ !(needs.scan.result == 'success') }}", "true"),
        ("${{ vars.UNSET }}", ""),
        ("${{ hashFiles('absent') != '' }}", "false"),
    ] {
        assert_eq!(scope.fill(expression), value, "{expression}");
    }
    scope.failed = true;
    assert!(!scope.allows(None) && !scope.allows(Some("github.event_name == 'release'")));
    assert!(scope.allows(Some("${{ !cancelled() && github.event_name == 'release' }}")));
    assert!(std::panic::catch_unwind(|| scope.fill("${{ github.unheard_of }}")).is_err());
}
