//! What a script tells its runner: `::error title=…::…` on its output, and the files behind `GITHUB_OUTPUT` and its like.

/// One `::error …::` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    pub title: Option<String>,
    pub message: String,
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.title {
            Some(title) => write!(f, "{title}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// The complaint in a line of output (GitHub documentation, "Workflow commands").
#[must_use]
pub fn complaint(line: &str) -> Option<Complaint> {
    let rest = line.trim_start().strip_prefix("::error")?;
    let (properties, message) = rest.split_once("::")?;
    if !properties.is_empty() && !properties.starts_with(' ') {
        return None;
    }
    let title = properties.split(',').find_map(|property| property.trim().strip_prefix("title="));
    let title = title.map(|title| unescape(title, &[("%3A", ":"), ("%2C", ",")])).filter(|title| !title.is_empty());
    Some(Complaint { title, message: unescape(message, &[]) })
}

fn unescape(text: &str, more: &[(&str, &str)]) -> String {
    let text = more.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
}

/// The pairs in a file of `NAME=value` lines and `NAME<<END … END` blocks.
///
/// # Errors
/// Says which line is neither; GitHub ends the step with an error then.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let block = line.split_once("<<").filter(|(name, end)| !name.contains('=') && !end.is_empty());
        if let Some((name, end)) = block {
            let mut value: Vec<&str> = Vec::new();
            loop {
                match lines.next() {
                    Some(line) if line == end => break,
                    Some(line) => value.push(line),
                    None => return Err(format!("the value of `{name}` has no line `{end}` at its end")),
                }
            }
            pairs.push((name.to_owned(), value.join("\n")));
        } else if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.is_empty()) {
            pairs.push((name.to_owned(), value.to_owned()));
        } else {
            return Err(format!("`{line}` is neither NAME=value nor NAME<<END"));
        }
    }
    Ok(pairs)
}
