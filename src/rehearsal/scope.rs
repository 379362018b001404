//! Evaluates expressions with what a rehearsal knows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::expression::{Expression, Operator, Part, Template};
use super::value::{compare, is_true, text};

/// Why an expression has no value here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// A runner has it, a rehearsal does not: a secret, a token, the output of a step that was left out.
    Absent(String),
    /// The rehearsal does not know the construct, or the file names something that isn't there.
    Unknown(String),
}

/// Contexts whose names one level down are all known, so that another name is a mistake.
const COMPLETE: &[&str] = &["github", "inputs", "needs", "runner", "steps"];

/// How the job has gone so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    pub failed: bool,
}

/// Everything that an expression can name.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub contexts: BTreeMap<String, Value>,
    /// Beginnings of paths, such as `secrets` or `steps.aws.outputs`, that only a runner has.
    pub absent: Vec<String>,
    pub status: Status,
    /// Where `hashFiles` looks; nowhere before a job has a work folder.
    pub workspace: Option<PathBuf>,
}

impl Scope {
    /// # Errors
    /// `Gap`, for what a rehearsal lacks or does not know.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, Gap> {
        if let Some(path) = expression.path() {
            self.refuse_absent(&path)?;
        }
        match expression {
            Expression::Literal(value) => Ok(value.clone()),
            Expression::Context(name) => {
                Ok(self.contexts.get(name).cloned().unwrap_or_else(|| Value::Object(Map::new())))
            }
            Expression::Property(inner, name) => self.member(inner, name),
            Expression::Index(inner, index) => match self.evaluate(index)? {
                Value::Number(number) => {
                    let at = number.as_u64().and_then(|at| usize::try_from(at).ok());
                    let list = self.evaluate(inner)?;
                    Ok(at.and_then(|at| list.get(at)).cloned().unwrap_or(Value::Null))
                }
                other => self.member(inner, &text(&other)),
            },
            Expression::Not(inner) => Ok(Value::Bool(!is_true(&self.evaluate(inner)?))),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expression::Call(name, arguments) => self.call(name, arguments),
        }
    }

    /// # Errors
    /// As `evaluate`.
    pub fn holds(&self, condition: Option<&Expression>) -> Result<bool, Gap> {
        match condition {
            None => Ok(!self.status.failed),
            Some(condition) if !condition.asks_for_status() && self.status.failed => {
                // Evaluated all the same, so that a mistake in it is found.
                self.evaluate(condition).map(|_| false)
            }
            Some(condition) => self.evaluate(condition).map(|value| is_true(&value)),
        }
    }

    /// The value of a text: of its one expression, or the whole as a text.
    ///
    /// # Errors
    /// As `evaluate`.
    pub fn fill(&self, template: &Template) -> Result<Value, Gap> {
        if let [Part::Expression(expression)] = template.0.as_slice() {
            return self.evaluate(expression);
        }
        let mut filled = String::new();
        for part in &template.0 {
            match part {
                Part::Text(fixed) => filled.push_str(fixed),
                Part::Expression(expression) => filled.push_str(&text(&self.evaluate(expression)?)),
            }
        }
        Ok(Value::String(filled))
    }

    fn refuse_absent(&self, path: &str) -> Result<(), Gap> {
        let is_below = |start: &String| path.strip_prefix(start.as_str()).is_some_and(|rest| rest.starts_with('.'));
        if self.absent.iter().any(|start| path == start || is_below(start)) {
            return Err(Gap::Absent(path.to_owned()));
        }
        Ok(())
    }

    fn member(&self, inner: &Expression, name: &str) -> Result<Value, Gap> {
        let value = self.evaluate(inner)?;
        let path = inner.path().map(|path| format!("{path}.{name}"));
        if let Some(path) = &path {
            self.refuse_absent(path)?;
        }
        // Names are found in any case, as on GitHub.
        let found = value.as_object().and_then(|map| {
            map.get(name).or_else(|| map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        });
        match (found, inner) {
            (Some(value), _) => Ok(value.clone()),
            (None, Expression::Context(context)) if COMPLETE.contains(&context.as_str()) => {
                Err(Gap::Unknown(format!("there is no `{context}.{name}`")))
            }
            (None, _) => Ok(Value::Null),
        }
    }

    fn binary(&self, operator: Operator, left: &Expression, right: &Expression) -> Result<Value, Gap> {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let left = self.evaluate(left)?;
        match operator {
            Operator::Or => return if is_true(&left) { Ok(left) } else { self.evaluate(right) },
            Operator::And => return if is_true(&left) { self.evaluate(right) } else { Ok(left) },
            _ => {}
        }
        let order = compare(&left, &self.evaluate(right)?);
        Ok(Value::Bool(match operator {
            Operator::Equal => order == Some(Equal),
            Operator::NotEqual => order != Some(Equal),
            Operator::Less => order == Some(Less),
            Operator::AtMost => matches!(order, Some(Less | Equal)),
            Operator::Greater => order == Some(Greater),
            Operator::AtLeast => matches!(order, Some(Greater | Equal)),
            Operator::Or | Operator::And => false,
        }))
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> Result<Value, Gap> {
        let arguments: Vec<Value> =
            arguments.iter().map(|argument| self.evaluate(argument)).collect::<Result<_, _>>()?;
        let lower = |at: usize| arguments.get(at).map(text).unwrap_or_default().to_lowercase();
        match name {
            "always" => Ok(Value::Bool(true)),
            "success" => Ok(Value::Bool(!self.status.failed)),
            "failure" => Ok(Value::Bool(self.status.failed)),
            // A rehearsal that is cancelled evaluates nothing more.
            "cancelled" => Ok(Value::Bool(false)),
            "startsWith" => Ok(Value::Bool(lower(0).starts_with(&lower(1)))),
            "endsWith" => Ok(Value::Bool(lower(0).ends_with(&lower(1)))),
            "contains" => Ok(Value::Bool(match arguments.first() {
                Some(Value::Array(items)) => {
                    items.iter().any(|item| compare(item, &arguments[1]) == Some(std::cmp::Ordering::Equal))
                }
                _ => lower(0).contains(&lower(1)),
            })),
            "join" => {
                let separator = arguments.get(1).map_or_else(|| ",".to_owned(), text);
                Ok(Value::String(match &arguments[0] {
                    Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(&separator),
                    other => text(other),
                }))
            }
            "format" => format(&arguments).map(Value::String),
            "toJSON" => Ok(Value::String(serde_json::to_string_pretty(&arguments[0]).unwrap_or_default())),
            "fromJSON" => serde_json::from_str(&text(&arguments[0]))
                .map_err(|error| Gap::Unknown(format!("fromJSON() was given no JSON: {error}"))),
            "hashFiles" => self.hash_files(&arguments).map(Value::String),
            _ => Err(Gap::Unknown(format!("`{name}()` is no function that the rehearsal knows"))),
        }
    }

    /// SHA-256 over the SHA-256 of each file, as the runner does it; an empty text when there is no file.
    fn hash_files(&self, patterns: &[Value]) -> Result<String, Gap> {
        let Some(workspace) = &self.workspace else {
            return Err(Gap::Unknown("hashFiles() stands where there are no files yet".into()));
        };
        let mut whole = Sha256::new();
        let mut found = false;
        for pattern in patterns.iter().map(text) {
            if pattern.contains(['*', '?', '[', '!']) {
                return Err(Gap::Unknown(format!(
                    "hashFiles('{pattern}') has a pattern; the rehearsal knows names only"
                )));
            }
            if let Ok(bytes) = std::fs::read(workspace.join(&pattern)) {
                whole.update(Sha256::digest(bytes));
                found = true;
            }
        }
        Ok(if found { whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect() } else { String::new() })
    }
}

/// `{0}` is the first argument after the text; `{{` and `}}` stand for one brace.
fn format(arguments: &[Value]) -> Result<String, Gap> {
    let pattern = text(&arguments[0]);
    let mut filled = String::new();
    let mut rest = pattern.as_str();
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let doubled = rest.get(at..at + 2).filter(|two| matches!(*two, "{{" | "}}"));
        if let Some(two) = doubled {
            filled.push_str(&two[..1]);
            rest = &rest[at + 2..];
            continue;
        }
        let hole = rest[at..].strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let value = hole.and_then(|(number, _)| number.parse::<usize>().ok()).and_then(|n| arguments.get(n + 1));
        let (Some((_, after)), Some(value)) = (hole, value) else {
            return Err(Gap::Unknown(format!("format('{pattern}') has no argument for a brace")));
        };
        filled.push_str(&text(value));
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
