//! What people and newer versions do to a rendered workflow, as changes of its text by name. Each can be done before or
//! after another one, so two that give the same in both orders say what a merge of them must mean.

use serde_yaml_ng::Value;

/// One change; `None` from `apply` when what it is about is not there.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Runner { job: String, mark: String },
    Environment { job: String, step: String, key: String, mark: String },
    AddJob { after: String, needs: bool, mark: String },
    AddStep { job: String, after: Option<String>, mark: String },
    RenameStep { job: String, step: String, mark: String },
    DeleteStep { job: String, step: String },
    DeleteJob { job: String },
    AddTrigger { mark: String },
    Pin { job: String, step: String, commit: char, version: u8 },
    CommentAbove { job: String, step: String, mark: String },
    CommentBehind { job: String, mark: String },
    Script { job: String, step: String, line: usize, mark: String },
    Permission { job: String, mark: String },
    QuoteName { job: String, step: String },
}

/// What there is to change in a workflow.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    pub(crate) jobs: Vec<String>,
    /// Job and name.
    pub(crate) steps: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, String, String)>,
    pub(crate) pins: Vec<(String, String)>,
    pub(crate) scripts: Vec<(String, String)>,
}

impl Inventory {
    pub(crate) fn of(text: &str) -> Self {
        let workflow: Value = serde_yaml_ng::from_str(text).unwrap();
        let mut all = Self {
            jobs: Vec::new(),
            steps: Vec::new(),
            environment: Vec::new(),
            pins: Vec::new(),
            scripts: Vec::new(),
        };
        for (job, body) in workflow["jobs"].as_mapping().unwrap() {
            let job = job.as_str().unwrap().to_owned();
            for step in body["steps"].as_sequence().unwrap() {
                let here = (job.clone(), step["name"].as_str().unwrap().to_owned());
                for (key, value) in step["env"].as_mapping().into_iter().flatten() {
                    // Long values stand on lines of their own.
                    if value.as_str().is_some_and(|value| !value.contains('\n')) {
                        all.environment.push((here.0.clone(), here.1.clone(), key.as_str().unwrap().to_owned()));
                    }
                }
                if !step["uses"].is_null() {
                    all.pins.push(here.clone());
                }
                if !step["run"].is_null() {
                    all.scripts.push(here.clone());
                }
                all.steps.push(here);
            }
            all.jobs.push(job);
        }
        all
    }
}

/// A rendered text in lines; jobs are two columns in, their keys four, their steps six.
struct Lines(Vec<String>);

impl Lines {
    fn job(&self, job: &str) -> Option<(usize, usize)> {
        let jobs = self.0.iter().position(|line| line == "jobs:")?;
        let head = format!("  {job}:");
        let start = jobs
            + self.0[jobs..]
                .iter()
                .position(|line| line.trim_end() == head || line.starts_with(&format!("{head} ")))?;
        let ends = |line: &String| indent(line) <= 2 && !line.trim().is_empty();
        let end = self.0[start + 1..].iter().position(ends).map_or(self.0.len(), |length| start + 1 + length);
        Some((start, end))
    }

    /// The first line of a step and the one behind its last, without the comments and the blank line before the next.
    fn step(&self, job: &str, step: &str) -> Option<(usize, usize)> {
        let (from, to) = self.job(job)?;
        let names = [format!("      - name: {step}"), format!("      - name: {step:?}")];
        let start = from + self.0[from..to].iter().position(|line| names.iter().any(|name| line == name))?;
        let ends = |line: &String| indent(line) <= 6 && !line.trim().is_empty();
        let mut end = self.0[start + 1..to].iter().position(ends).map_or(to, |length| start + 1 + length);
        while self.0[end - 1].trim().is_empty() {
            end -= 1;
        }
        Some((start, end))
    }

    /// The first line of the comment above.
    fn lead(&self, start: usize) -> usize {
        (0..start).rev().take_while(|line| self.0[*line].trim().starts_with('#')).last().unwrap_or(start)
    }

    fn within(&self, range: (usize, usize), head: &str) -> Option<usize> {
        self.0[range.0..range.1].iter().position(|line| line.starts_with(head)).map(|at| range.0 + at)
    }

    fn insert(&mut self, at: usize, text: &str) {
        self.0.splice(at..at, text.lines().map(str::to_owned));
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

impl Edit {
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let mut lines = Lines(text.lines().map(str::to_owned).collect());
        match self {
            Self::Runner { job, mark } => {
                let at = lines.within(lines.job(job)?, "    runs-on: ")?;
                lines.0[at] = format!("    runs-on: {mark}");
            }
            Self::Environment { job, step, key, mark } => {
                let at = lines.within(lines.step(job, step)?, &format!("          {key}: "))?;
                lines.0[at] = format!("          {key}: {mark}");
            }
            Self::AddJob { after, needs, mark } => {
                let (_, mut end) = lines.job(after)?;
                while lines.0[end - 1].trim().is_empty() || lines.0[end - 1].starts_with("  #") {
                    end -= 1;
                }
                let needs = if *needs { format!("    needs: [{after}]\n") } else { String::new() };
                let steps = "    steps:\n      - name: Own\n        run: make\n";
                lines
                    .insert(end, &format!("\n  # About {mark}.\n  {mark}:\n{needs}    runs-on: ubuntu-24.04\n{steps}"));
            }
            Self::AddStep { job, after: Some(step), mark } => {
                let (_, end) = lines.step(job, step)?;
                lines.insert(
                    end,
                    &format!("\n      # About {mark}.\n      - name: {mark}\n        run: |\n          echo {mark}\n"),
                );
            }
            Self::AddStep { job, after: None, mark } => {
                let at = lines.within(lines.job(job)?, "    steps:")?;
                lines.insert(at + 1, &format!("      - name: {mark}\n        run: echo {mark}\n\n"));
            }
            Self::RenameStep { job, step, mark } => {
                let (at, _) = lines.step(job, step)?;
                lines.0[at] = format!("      - name: {mark}");
            }
            Self::DeleteStep { job, step } => {
                let (start, end) = lines.step(job, step)?;
                let start = lines.lead(start);
                let blank = lines.0.get(end).is_some_and(|line| line.is_empty());
                lines.0.drain(start..end + usize::from(blank));
            }
            Self::DeleteJob { job } => {
                let (start, end) = lines.job(job)?;
                lines.0.drain(lines.lead(start)..end);
            }
            Self::AddTrigger { mark } => {
                let at = lines.0.iter().position(|line| line == "on:")?;
                lines.insert(at + 1, &format!("  {mark}:\n    branches: [main]"));
            }
            Self::Pin { job, step, commit, version } => {
                let at = lines.within(lines.step(job, step)?, "        uses: ")?;
                let action = lines.0[at].split('@').next()?.to_owned();
                lines.0[at] = format!("{action}@{} # v{version}.0.0", commit.to_string().repeat(40));
            }
            Self::CommentAbove { job, step, mark } => {
                let (at, _) = lines.step(job, step)?;
                lines.insert(at, &format!("      # {mark}"));
            }
            Self::CommentBehind { job, mark } => {
                let at = lines.within(lines.job(job)?, "    steps:")?;
                lines.0[at] = format!("    steps: # {mark}");
            }
            Self::Script { job, step, line, mark } => {
                let range = lines.step(job, step)?;
                let at = lines.within(range, "        run: |")?;
                let length =
                    lines.0[at + 1..range.1].iter().take_while(|line| indent(line) > 8 || line.is_empty()).count();
                lines.insert(at + 1 + line % length, &format!("          echo {mark}"));
            }
            Self::Permission { job, mark } => {
                let at = lines.within(lines.job(job)?, "    permissions:")?;
                if lines.0[at] != "    permissions:" {
                    return None;
                }
                lines.insert(at + 1, &format!("      {mark}: read # about {mark}"));
            }
            Self::QuoteName { job, step } => {
                let (at, _) = lines.step(job, step)?;
                lines.0[at] = format!("      - name: {step:?}");
            }
        }
        Some(lines.0.join("\n") + "\n")
    }

    /// Whether it means the same beside whatever else is done: lists and scripts have an order, and pins an age.
    pub(crate) fn is_of_one_value(&self) -> bool {
        matches!(
            self,
            Self::Runner { .. }
                | Self::Environment { .. }
                | Self::RenameStep { .. }
                | Self::AddTrigger { .. }
                | Self::CommentAbove { .. }
                | Self::CommentBehind { .. }
                | Self::Permission { .. }
                | Self::QuoteName { .. }
        )
    }

    /// What must be found in the result.
    pub(crate) fn mark(&self) -> Option<&str> {
        match self {
            Self::Runner { mark, .. }
            | Self::Environment { mark, .. }
            | Self::AddJob { mark, .. }
            | Self::AddStep { mark, .. }
            | Self::RenameStep { mark, .. }
            | Self::AddTrigger { mark }
            | Self::CommentAbove { mark, .. }
            | Self::CommentBehind { mark, .. }
            | Self::Script { mark, .. }
            | Self::Permission { mark, .. } => Some(mark),
            Self::DeleteStep { .. } | Self::DeleteJob { .. } | Self::Pin { .. } | Self::QuoteName { .. } => None,
        }
    }
}
