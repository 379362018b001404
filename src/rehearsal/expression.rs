//! GitHub's expressions, read: `${{ github.event_name == 'release' && !cancelled() }}` to a tree.
//!
//! Strict where GitHub is lenient: a context, a function or an operator that the rehearsal doesn't know is an error
//! when the file is read, not an empty text when a job runs. (Grammar: GitHub documentation, "Evaluate expressions in
//! workflows and actions".)

use serde_json::Value;

/// Contexts that can be evaluated.
const CONTEXTS: &[&str] =
    &["env", "github", "inputs", "job", "matrix", "needs", "runner", "secrets", "steps", "strategy", "vars"];

/// Functions that can be evaluated, and how many arguments each takes.
const FUNCTIONS: &[(&str, usize, usize)] = &[
    ("always", 0, 0),
    ("cancelled", 0, 0),
    ("contains", 2, 2),
    ("endsWith", 2, 2),
    ("failure", 0, 0),
    ("format", 1, usize::MAX),
    ("fromJSON", 1, 1),
    ("hashFiles", 1, usize::MAX),
    ("join", 1, 2),
    ("startsWith", 2, 2),
    ("success", 0, 0),
    ("toJSON", 1, 1),
];

/// How deep parentheses, `!` and indices may nest: GitHub's own limit is 50.
const DEEPEST: usize = 50;

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Literal(Value),
    Context(String),
    Property(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call(String, Vec<Self>),
    Not(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Expression {
    /// Reads what stands between `${{` and `}}`.
    ///
    /// # Errors
    /// Says what can't be understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let expression = parser.or()?;
        match parser.peek() {
            None => Ok(expression),
            Some(token) => Err(format!("`{token}` is not expected in `{}`", text.trim())),
        }
    }

    /// `steps.tag.outputs.tag`, for a chain of names that starts with a context.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        match self {
            Self::Context(name) => Some(name.clone()),
            Self::Property(inner, name) => Some(format!("{}.{name}", inner.path()?)),
            Self::Index(inner, index) => match index.as_ref() {
                Self::Literal(Value::String(name)) => Some(format!("{}.{name}", inner.path()?)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether one of `success()`, `failure()`, `always()` and `cancelled()` is called: then GitHub adds no `success()`.
    #[must_use]
    pub fn asks_for_status(&self) -> bool {
        match self {
            Self::Call(name, arguments) => {
                matches!(name.as_str(), "success" | "failure" | "always" | "cancelled")
                    || arguments.iter().any(Self::asks_for_status)
            }
            Self::Literal(_) | Self::Context(_) => false,
            Self::Property(inner, _) | Self::Not(inner) => inner.asks_for_status(),
            Self::Index(left, right) | Self::Binary(_, left, right) => {
                left.asks_for_status() || right.asks_for_status()
            }
        }
    }
}

/// A text with expressions in it, as `env:`, `with:` and `name:` hold them.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(pub Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    Expression(Expression),
}

impl Template {
    /// Whether its text, outside of expressions, has these words.
    #[must_use]
    pub fn mentions(&self, words: &str) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Text(text) if text.contains(words)))
    }

    /// # Errors
    /// Says what can't be understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let end = end_of_expression(after).ok_or_else(|| format!("`${{{{` is not closed in `{}`", text.trim()))?;
            parts.push(Part::Expression(Expression::parse(&after[..end])?));
            rest = &after[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// What `if:` holds: one expression, with or without `${{ }}` around it.
    ///
    /// # Errors
    /// Says what can't be understood; a text around `${{ }}` would make the condition always true.
    pub fn condition(text: &str) -> Result<Expression, String> {
        if !text.contains("${{") {
            return Expression::parse(text);
        }
        match Self::parse(text.trim())?.0.as_slice() {
            [Part::Expression(expression)] => Ok(expression.clone()),
            _ => Err(format!("`if: {}` has text beside `${{{{ }}}}`, which is always true", text.trim())),
        }
    }
}

/// Where `}}` stands outside of quotes.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quoted = false;
    let bytes = text.as_bytes();
    (0..bytes.len()).find(|&at| {
        if bytes[at] == b'\'' {
            quoted = !quoted;
        }
        !quoted && bytes[at..].starts_with(b"}}")
    })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Sign(&'static str),
    Name(String),
    Number(f64),
    Text(String),
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sign(sign) => f.write_str(sign),
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "'{text}'"),
        }
    }
}

/// Longer signs first.
const SIGNS: &[&str] = &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ".", ",", "*"];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after_dot = tokens.last() == Some(&Token::Sign("."));
        let signed =
            rest.strip_prefix(['-', '+']).is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit()));
        if first == '\'' {
            let (token, length) = quoted(rest).ok_or_else(|| format!("a quote is not closed in `{}`", text.trim()))?;
            tokens.push(Token::Text(token));
            rest = &rest[length..];
        } else if (first.is_ascii_digit() || signed) && !after_dot {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let number = number(&rest[..end]).ok_or_else(|| format!("`{}` is not a number", &rest[..end]))?;
            tokens.push(Token::Number(number));
            rest = &rest[end..];
        } else if first.is_ascii_alphabetic() || first == '_' || (after_dot && first.is_ascii_digit()) {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return Err(format!("`{first}` is not expected in `{}`", text.trim()));
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// The text of a quoted literal and the bytes it takes; `''` inside stands for one quote.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c != '\'' {
            value.push(c);
        } else if characters.next_if(|(_, next)| *next == '\'').is_some() {
            value.push('\'');
        } else {
            return Some((value, at + 1));
        }
    }
    None
}

fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok().map(f64::from);
    }
    // Rust also reads `inf` and `nan`, which are no numbers here.
    let written_in_digits = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    text.parse().ok().filter(|number: &f64| written_in_digits && number.is_finite())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn takes(&mut self, sign: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(format!("`{sign}` is missing{}", self.place())) }
    }

    fn place(&self) -> String {
        self.peek().map_or_else(|| " at the end".to_owned(), |token| format!(" before `{token}`"))
    }

    fn binary(
        &mut self,
        signs: &[(&'static str, Operator)],
        next: fn(&mut Self) -> Result<Expression, String>,
    ) -> Result<Expression, String> {
        let mut left = next(self)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.takes(sign)) {
            left = Expression::Binary(*operator, Box::new(left), Box::new(next(self)?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("an expression is nested deeper than {DEEPEST} levels"));
        }
        let expression = self.binary(&[("||", Operator::Or)], Self::and);
        self.depth -= 1;
        expression
    }

    fn and(&mut self) -> Result<Expression, String> {
        self.binary(&[("&&", Operator::And)], Self::equality)
    }

    fn equality(&mut self) -> Result<Expression, String> {
        self.binary(&[("==", Operator::Equal), ("!=", Operator::NotEqual)], Self::comparison)
    }

    fn comparison(&mut self) -> Result<Expression, String> {
        let signs =
            [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Less), (">", Operator::Greater)];
        self.binary(&signs, Self::not)
    }

    fn not(&mut self) -> Result<Expression, String> {
        let mut times = 0;
        while self.takes("!") {
            times += 1;
        }
        let mut expression = self.chain()?;
        for _ in 0..times {
            expression = Expression::Not(Box::new(expression));
        }
        Ok(expression)
    }

    fn chain(&mut self) -> Result<Expression, String> {
        let mut expression = self.primary()?;
        loop {
            if self.takes(".") {
                let Some(Token::Name(name)) = self.peek().cloned() else {
                    return Err(format!("a name is missing after `.`{}", self.place()));
                };
                self.at += 1;
                expression = Expression::Property(Box::new(expression), name);
            } else if self.takes("[") {
                let index = self.or()?;
                self.expect("]")?;
                expression = Expression::Index(Box::new(expression), Box::new(index));
            } else {
                return Ok(expression);
            }
        }
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned().ok_or("an expression is missing at the end")?;
        self.at += 1;
        match token {
            Token::Sign("(") => {
                let inner = self.or()?;
                self.expect(")")?;
                Ok(inner)
            }
            Token::Number(number) => Ok(Expression::Literal(super::value::of_number(number))),
            Token::Text(text) => Ok(Expression::Literal(Value::String(text))),
            Token::Name(name) => match name.as_str() {
                "true" => Ok(Expression::Literal(Value::Bool(true))),
                "false" => Ok(Expression::Literal(Value::Bool(false))),
                "null" => Ok(Expression::Literal(Value::Null)),
                _ if self.takes("(") => self.call(&name),
                _ if CONTEXTS.contains(&name.as_str()) => Ok(Expression::Context(name)),
                _ => Err(format!("`{name}` is no context that the rehearsal knows")),
            },
            Token::Sign(sign) => Err(format!("`{sign}` is not expected")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let mut arguments = Vec::new();
        while !self.takes(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            arguments.push(self.or()?);
        }
        // GitHub takes function names in any case.
        let known = FUNCTIONS.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((known, least, most)) if (*least..=*most).contains(&arguments.len()) => {
                Ok(Expression::Call((*known).to_owned(), arguments))
            }
            Some(_) => Err(format!("`{name}()` does not take {} arguments", arguments.len())),
            None => Err(format!("`{name}()` is no function that the rehearsal knows")),
        }
    }
}
