//! Reads what a workflow file says about its trigger, its jobs and their steps.
//!
//! Only block YAML with flow lists of plain words is understood: the dialect that sbi renders. A file that can't be
//! read makes a run that fails before its first job, as a broken file does on GitHub, so a gap here is loud.

/// What the stand-in needs of a workflow.
pub(super) struct Workflow {
    pub(super) name: Option<String>,
    /// The activity types of `on: release`, `None` when releases don't start it.
    pub(super) release_types: Option<Vec<String>>,
    /// `on: workflow_dispatch`
    pub(super) by_hand: bool,
    pub(super) jobs: Vec<Job>,
}

#[derive(Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) environment: Option<String>,
    pub(super) needs: Vec<String>,
    /// It runs although a job that it needs has failed.
    pub(super) always: bool,
    /// `permissions: id-token: write`: it may ask for an OIDC token.
    pub(super) id_token: bool,
    pub(super) steps: Vec<String>,
    /// Every `uses:` of its steps, or its own.
    pub(super) uses: Vec<String>,
}

impl Workflow {
    /// The activity types for which a release starts a workflow: all when none is named.
    pub(super) fn waits_for_publication(&self) -> bool {
        self.release_types.as_ref().is_some_and(|types| types.is_empty() || types.iter().any(|t| t == "published"))
    }

    /// Whether people may start it by hand.
    pub(super) fn waits_for_dispatch(&self) -> bool {
        self.by_hand
    }

    /// `None` when the text is not a workflow that can be read here.
    pub(super) fn read(text: &str) -> Option<Self> {
        let document = parse(text)?;
        let release_types = match document.get("on")? {
            Node::Text(event) => (event == "release").then(Vec::new),
            Node::List(events) => events.iter().any(|event| event.text() == Some("release")).then(Vec::new),
            Node::Map(events) => events
                .iter()
                .find(|(name, _)| name == "release")
                .map(|(_, release)| release.get("types").map(Node::words).unwrap_or_default()),
        };
        let by_hand = match document.get("on")? {
            Node::Text(event) => event == "workflow_dispatch",
            Node::List(events) => events.iter().any(|event| event.text() == Some("workflow_dispatch")),
            Node::Map(events) => events.iter().any(|(name, _)| name == "workflow_dispatch"),
        };
        let inherited = document.get("permissions").is_some_and(grants_id_token);
        let Node::Map(jobs) = document.get("jobs")? else { return None };
        let jobs: Option<Vec<Job>> = jobs.iter().map(|(id, job)| read_job(id, job, inherited)).collect();
        let name = document.get("name").and_then(Node::text).map(str::to_owned);
        Some(Self { name, release_types, by_hand, jobs: jobs.filter(|jobs| !jobs.is_empty())? })
    }
}

fn read_job(id: &str, job: &Node, inherited: bool) -> Option<Job> {
    let text = |key: &str| job.get(key).and_then(Node::text).map(str::to_owned);
    let environment = match job.get("environment") {
        Some(Node::Map(_)) => job.get("environment")?.get("name").and_then(Node::text).map(str::to_owned),
        Some(node) => node.text().map(str::to_owned),
        None => None,
    };
    let mut uses: Vec<String> = text("uses").into_iter().collect();
    let mut steps = Vec::new();
    if let Some(Node::List(items)) = job.get("steps") {
        for step in items {
            let part = |key: &str| step.get(key).and_then(Node::text);
            uses.extend(part("uses").map(str::to_owned));
            let first_line = part("run").and_then(|run| run.lines().next());
            let unnamed = || part("uses").or(first_line).map(|what| format!("Run {what}"));
            steps.push(part("name").map(str::to_owned).or_else(unnamed)?);
        }
    }
    // A job is steps on a runner, or a workflow that is called.
    if uses.is_empty() && steps.is_empty() {
        return None;
    }
    Some(Job {
        id: id.to_owned(),
        // No matrix is expanded here: one job stands for all, without the expression that tells them apart.
        name: text("name").map_or_else(|| id.to_owned(), |name| name.split(" (${{").next().unwrap_or(&name).to_owned()),
        environment,
        needs: job.get("needs").map(Node::words).unwrap_or_default(),
        always: text("if").is_some_and(|condition| condition.contains("always()") || condition.contains("failure()")),
        id_token: job.get("permissions").map_or(inherited, grants_id_token),
        steps,
        uses,
    })
}

fn grants_id_token(permissions: &Node) -> bool {
    permissions.text() == Some("write-all") || permissions.get("id-token").and_then(Node::text) == Some("write")
}

enum Node {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Map(members) => members.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// One word or a list of them.
    fn words(&self) -> Vec<String> {
        match self {
            Self::List(items) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            Self::Text(_) | Self::Map(_) => self.text().map(str::to_owned).into_iter().collect(),
        }
    }
}

struct Line<'t> {
    indent: usize,
    text: &'t str,
}

fn parse(text: &str) -> Option<Node> {
    let lines: Vec<Line<'_>> = text
        .lines()
        .map(|line| Line {
            indent: line.len() - line.trim_start_matches(' ').len(),
            text: line.trim_start_matches(' '),
        })
        .collect();
    let mut at = 0;
    let node = block(&lines, &mut at, 0)?;
    skip_blank(&lines, &mut at);
    (at == lines.len()).then_some(node)
}

fn skip_blank(lines: &[Line<'_>], at: &mut usize) {
    while lines.get(*at).is_some_and(|line| line.text.is_empty() || line.text.starts_with('#') || line.text == "---") {
        *at += 1;
    }
}

/// A map or a list whose lines start at `indent` or further in.
fn block(lines: &[Line<'_>], at: &mut usize, indent: usize) -> Option<Node> {
    skip_blank(lines, at);
    let Some(first) = lines.get(*at).filter(|line| line.indent >= indent) else {
        return Some(Node::Text(String::new()));
    };
    let indent = first.indent;
    let mut items = Vec::new();
    let mut members = Vec::new();
    loop {
        skip_blank(lines, at);
        let Some(line) = lines.get(*at).filter(|line| line.indent == indent) else { break };
        if let Some(rest) = line.text.strip_prefix("- ") {
            // The item's first member stands on the dash's own line.
            let inner = indent + line.text.len() - rest.trim_start().len();
            items.push(match key(rest.trim_start()) {
                Some(_) => {
                    let mut item = Vec::new();
                    member(lines, at, inner, rest.trim_start(), &mut item)?;
                    if let Node::Map(more) = block_at(lines, at, inner)? {
                        item.extend(more);
                    }
                    Node::Map(item)
                }
                None => {
                    *at += 1;
                    scalar(rest)?
                }
            });
        } else {
            let text = line.text;
            member(lines, at, indent, text, &mut members)?;
        }
    }
    match (items.is_empty(), members.is_empty()) {
        (false, true) => Some(Node::List(items)),
        (true, false) => Some(Node::Map(members)),
        _ => None,
    }
}

/// The rest of a map that starts at exactly this indent, or an empty one.
fn block_at(lines: &[Line<'_>], at: &mut usize, indent: usize) -> Option<Node> {
    skip_blank(lines, at);
    match lines.get(*at) {
        Some(line) if line.indent == indent && !line.text.starts_with("- ") => block(lines, at, indent),
        _ => Some(Node::Map(Vec::new())),
    }
}

/// `key: value` on the current line, with whatever belongs to it on the next ones.
fn member(lines: &[Line<'_>], at: &mut usize, indent: usize, text: &str, into: &mut Vec<(String, Node)>) -> Option<()> {
    let (name, value) = key(text)?;
    *at += 1;
    let value = without_comment(value);
    let node = if value.is_empty() {
        skip_blank(lines, at);
        // A list may stand as far left as its key.
        let dash = lines.get(*at).is_some_and(|next| next.indent == indent && next.text.starts_with("- "));
        block(lines, at, if dash { indent } else { indent + 1 })?
    } else if value.starts_with(['|', '>']) {
        let mut kept = Vec::new();
        while let Some(line) = lines.get(*at).filter(|line| line.indent > indent || line.text.is_empty()) {
            kept.push(line.text);
            *at += 1;
        }
        Node::Text(kept.join("\n").trim().to_owned())
    } else {
        scalar(value)?
    };
    into.push((name, node));
    Some(())
}

/// Splits `key: value`; `None` when the text is no such thing.
fn key(text: &str) -> Option<(String, &str)> {
    let (name, value) = match text.chars().next()? {
        quote @ ('"' | '\'') => {
            let (name, rest) = text[1..].split_once(quote)?;
            (name, rest.strip_prefix(':')?)
        }
        '{' | '[' => return None,
        _ => {
            let (name, value) = text.split_once(':')?;
            (name, value)
        }
    };
    (value.is_empty() || value.starts_with(' ')).then(|| (name.to_owned(), value.trim()))
}

fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    // A quoted value may hold anything; its end is where its quote closes.
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return value[1..].find(quote).map_or(value, |end| &value[..end + 2]);
    }
    value.split(" #").next().unwrap_or(value).trim_end()
}

fn scalar(value: &str) -> Option<Node> {
    let value = without_comment(value.trim());
    if let Some(list) = value.strip_prefix('[') {
        let items = list.strip_suffix(']')?.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Some(Node::List(items.map(|item| Node::Text(unquoted(item).to_owned())).collect()));
    }
    if value == "{}" {
        return Some(Node::Map(Vec::new()));
    }
    Some(Node::Text(unquoted(value).to_owned()))
}

fn unquoted(text: &str) -> &str {
    ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::Workflow;

    const PIPELINE: &str = "\
name: Publish to ECR
on:
  release:
    types: [published]   # not `created`: a draft has no tag
permissions: {}
concurrency:
  group: \"publish: ${{ github.ref }}\"
  cancel-in-progress: false
jobs:
  build:
    name: Build
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@0000000000000000000000000000000000000000 # v5
        with:
          persist-credentials: false
      - name: Scan
        run: |
          # a comment: not yaml
          trivy image
      - run: echo done
  publish:
    name: Publish
    needs: [build]
    environment:
      name: production
    permissions:
      id-token: write # to sign in to AWS
    steps:
    - name: Push
      run: docker push
";

    #[test]
    fn a_pipeline_is_read() {
        let workflow = Workflow::read(PIPELINE).unwrap();
        assert_eq!(workflow.name.as_deref(), Some("Publish to ECR"));
        assert!(workflow.waits_for_publication());
        let [build, publish] = workflow.jobs.as_slice() else { panic!("two jobs") };
        assert_eq!((build.id.as_str(), build.name.as_str()), ("build", "Build"));
        assert_eq!(
            build.steps,
            ["Run actions/checkout@0000000000000000000000000000000000000000", "Scan", "Run echo done"]
        );
        assert!(!build.id_token && build.environment.is_none());
        assert_eq!(publish.needs, ["build"]);
        assert_eq!(publish.environment.as_deref(), Some("production"));
        assert_eq!(publish.steps, ["Push"]);
        assert!(publish.id_token);
    }

    #[test]
    fn triggers_are_read_in_every_spelling() {
        let jobs = "jobs:\n  a:\n    steps:\n      - run: x\n";
        for (on, waits) in [
            ("on: release\n", true),
            ("on: [push, release]\n", true),
            ("\"on\":\n  release:\n", true),
            ("on:\n  release:\n    types:\n      - created\n      - published\n", true),
            ("on:\n  release:\n    types: [created]\n", false),
            ("on: push\n", false),
            ("on:\n  workflow_dispatch:\n", false),
            ("on:\n  push:\n    branches: [main]\n", false),
        ] {
            let workflow = Workflow::read(&format!("{on}{jobs}")).unwrap();
            assert_eq!(workflow.waits_for_publication(), waits, "{on}");
            assert_eq!(workflow.waits_for_dispatch(), on.contains("workflow_dispatch"), "{on}");
        }
    }

    #[test]
    fn what_is_no_workflow_is_not_read() {
        for text in ["", "on: push\n", "on: push\njobs:\n", "on: push\njobs:\n  a:\n    runs-on: x\n", "just text\n"] {
            assert!(Workflow::read(text).is_none(), "{text}");
        }
    }
}
