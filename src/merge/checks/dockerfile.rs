//! The rules of a Dockerfile.

use std::collections::BTreeMap;

use super::rules::{BrokenRule, Rule};
use super::scripts;

/// Distributions, and images with one inside: a shell, and mostly a package manager.
const WITH_SHELL: &[&str] = &[
    "almalinux",
    "alpine",
    "amazoncorretto",
    "amazonlinux",
    "archlinux",
    "buildpack-deps",
    "busybox",
    "caddy",
    "centos",
    "debian",
    "eclipse-temurin",
    "fedora",
    "golang",
    "httpd",
    "nginx",
    "node",
    "openjdk",
    "oraclelinux",
    "php",
    "python",
    "rockylinux",
    "ruby",
    "rust",
    "ubi",
    "ubi-minimal",
    "ubi8",
    "ubi9",
    "ubuntu",
];

/// One instruction, continued lines put together.
pub(super) struct Instruction {
    /// From 1.
    line: usize,
    /// In upper case.
    keyword: String,
    rest: String,
}

/// The instructions of a Dockerfile, what stands in a here-document with its instruction.
pub(super) fn instructions(source: &str) -> Vec<Instruction> {
    let escape =
        if source.lines().take_while(|line| line.starts_with('#')).any(is_windows_escape) { '`' } else { '\\' };
    let mut found: Vec<Instruction> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut documents: Vec<String> = Vec::new();
    for (index, line) in source.lines().enumerate() {
        if let Some(end) = documents.first() {
            if line.trim_start_matches('\t') == end {
                documents.remove(0);
            } else if let Some(instruction) = found.last_mut() {
                instruction.rest.push_str(&format!("\n{line}"));
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        let (start, mut text) = open.take().unwrap_or((index, String::new()));
        match trimmed.strip_suffix(escape) {
            Some(part) => {
                text.push_str(part.trim_end());
                text.push(' ');
                open = Some((start, text));
            }
            None => {
                text.push_str(trimmed);
                documents = here_documents(&text);
                found.extend(instruction(start, &text));
            }
        }
    }
    found.extend(open.and_then(|(start, text)| instruction(start, &text)));
    found
}

fn is_windows_escape(line: &str) -> bool {
    line.trim_start_matches('#').trim().to_ascii_lowercase().replace(' ', "") == "escape=`"
}

fn instruction(start: usize, text: &str) -> Option<Instruction> {
    let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let is_word = !keyword.is_empty() && keyword.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_word.then(|| Instruction {
        line: start + 1,
        keyword: keyword.to_ascii_uppercase(),
        rest: rest.trim().to_owned(),
    })
}

/// The lines that end the here-documents of an instruction: `<<EOF`, `<<-'EOF'`.
fn here_documents(text: &str) -> Vec<String> {
    let takes_them = ["RUN", "COPY", "ADD"].iter().any(|keyword| text.to_ascii_uppercase().starts_with(keyword));
    let starts = text.split("<<").skip(1).filter(|_| takes_them);
    let name = |rest: &str| {
        let rest = rest.trim_start_matches('-').trim_start_matches(['"', '\'']);
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        rest[..end].to_owned()
    };
    starts.map(name).filter(|name| !name.is_empty()).collect()
}

/// One `FROM` and what its stage ends with.
#[derive(Default)]
struct Stage {
    line: usize,
    name: String,
    /// With the variables of before the first stage filled in.
    image: String,
    /// The last `USER`, with its line.
    user: Option<(usize, String)>,
}

/// Everything that a Dockerfile breaks.
pub(super) fn broken(source: &str) -> Vec<BrokenRule> {
    let instructions = instructions(source);
    let mut found = Vec::new();
    let mut add = |rule, line: usize, what: String| {
        found.push(BrokenRule { rule, place: super::super::line_place(line), what });
    };
    let mut arguments: BTreeMap<String, String> = BTreeMap::new();
    let mut stages: Vec<Stage> = Vec::new();
    for Instruction { line, keyword, rest } in &instructions {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match keyword.as_str() {
            "FROM" => {
                let words: Vec<&str> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
                let image = filled(words.first().copied().unwrap_or_default(), &arguments);
                let name = match words.as_slice() {
                    [_, keyword, name, ..] if keyword.eq_ignore_ascii_case("as") => name.to_ascii_lowercase(),
                    _ => String::new(),
                };
                let is_stage = stages.iter().any(|stage| stage.name == image.to_ascii_lowercase());
                for (rule, what) in if is_stage { Vec::new() } else { judge_base(&image) } {
                    add(rule, *line, what);
                }
                stages.push(Stage { line: *line, name, image, user: None });
            }
            "ARG" if stages.is_empty() => {
                arguments.extend(
                    words
                        .iter()
                        .filter_map(|word| word.split_once('='))
                        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned())),
                );
            }
            "USER" => {
                if let Some(stage) = stages.last_mut() {
                    stage.user = Some((*line, rest.clone()));
                }
            }
            "ADD" if !rest.contains("--checksum=") => {
                let from_far =
                    |word: &&&str| ["http://", "https://", "git@"].iter().any(|start| word.starts_with(start));
                if let Some(address) = words.iter().find(from_far) {
                    add(Rule::NoAddedDownloads, *line, format!("ADD of {address}"));
                }
            }
            "RUN" => {
                for command in scripts::commands(rest).iter().filter(|command| scripts::pipes_a_download(command)) {
                    add(Rule::NoPipedDownloads, *line, format!("`{}`", super::expression::shortened(command)));
                }
            }
            _ => {}
        }
        if ["ARG", "ENV"].contains(&keyword.as_str()) {
            for name in names(keyword, rest).iter().filter(|name| is_secret(name)) {
                add(Rule::NoSecretsInImage, *line, format!("{keyword} {name}"));
            }
        }
    }
    for (rule, line, what) in judge_last(&stages) {
        add(rule, line, what);
    }
    found
}

/// A word with `$NAME`, `${NAME}` and `${NAME:-default}` filled in, where something is known of them.
fn filled(word: &str, arguments: &BTreeMap<String, String>) -> String {
    let Some((before, rest)) = word.split_once('$') else { return word.to_owned() };
    let (name, default, behind) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((inside, behind)) => {
            let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
            (name, default, behind)
        }
        None => {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (&rest[..end], "", &rest[end..])
        }
    };
    let value = arguments.get(name).map_or(default, String::as_str);
    if value.is_empty() {
        // Nothing is known of what the build is given.
        return String::new();
    }
    format!("{before}{value}{}", filled(behind, arguments))
}

/// Repository and tag of an image; the tag is empty where there is none.
fn parts(image: &str) -> (&str, &str) {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, ""),
    }
}

fn judge_base(image: &str) -> Vec<(Rule, String)> {
    if image.is_empty() || image.eq_ignore_ascii_case("scratch") {
        return Vec::new();
    }
    let mut broken = Vec::new();
    let (repository, tag) = parts(image);
    let has_digest = image.contains("@sha256:");
    if tag == "latest" || (tag.is_empty() && !has_digest) {
        broken.push((Rule::NoLatestTag, format!("{repository} is taken as it is today")));
    }
    // A tag of Amazon ECR does not move where the repository is set up by sbi.
    let is_own = repository.contains(".dkr.ecr.") && !tag.is_empty() && tag != "latest";
    if !has_digest && !is_own {
        broken.push((Rule::PinnedBase, format!("{image} has no digest")));
    }
    broken
}

/// What the image that is left in the end has of its stages.
fn judge_last(stages: &[Stage]) -> Vec<(Rule, usize, String)> {
    let Some(last) = stages.last() else { return Vec::new() };
    let mut broken = Vec::new();
    let mut stage = last;
    let mut user = last.user.as_ref();
    // A stage on a stage has what that one ends with; one can only stand on an earlier one.
    let mut earlier = &stages[..stages.len() - 1];
    while let Some(at) =
        earlier.iter().rposition(|before| !before.name.is_empty() && before.name == stage.image.to_ascii_lowercase())
    {
        stage = &earlier[at];
        user = user.or(stage.user.as_ref());
        earlier = &earlier[..at];
    }
    let (repository, tag) = parts(&stage.image);
    match user {
        Some((line, name)) if is_root(name) => broken.push((Rule::UnprivilegedUser, *line, format!("USER {name}"))),
        Some(_) => {}
        // Whoever builds this names the base, and answers for it.
        None if stage.image.is_empty() || tag.contains("nonroot") || repository.contains("nonroot") => {}
        None => broken.push((Rule::UnprivilegedUser, last.line, "there is no USER".into())),
    }
    let name = repository.rsplit('/').next().unwrap_or(repository);
    if WITH_SHELL.contains(&name) {
        broken.push((Rule::SmallBase, stage.line, format!("{} comes with a shell", stage.image)));
    }
    broken
}

fn is_root(user: &str) -> bool {
    let name = user.trim_matches('"').split(':').next().unwrap_or_default();
    name == "root" || (!name.is_empty() && name.bytes().all(|byte| byte == b'0'))
}

/// The names that an `ARG` or an `ENV` sets.
fn names(keyword: &str, rest: &str) -> Vec<String> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if keyword == "ENV" && !first.contains('=') {
        // `ENV NAME a value of several words`
        return vec![first.to_owned()];
    }
    let name = |word: &str| word.split('=').next().unwrap_or(word).to_owned();
    words_outside_quotes(rest).iter().map(|word| name(word)).collect()
}

/// The words of a text, a quoted one being part of its word.
fn words_outside_quotes(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match quote {
            None if character.is_whitespace() => words.push(String::new()),
            None if matches!(character, '"' | '\'') => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ => words.last_mut().into_iter().for_each(|word| word.push(character)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether something of this name is mostly a secret, and not where one is found.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split('_').collect();
    let secret = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "CREDENTIALS", "APIKEY"];
    let pairs = [["API", "KEY"], ["ACCESS", "KEY"], ["PRIVATE", "KEY"], ["SECRET", "KEY"]];
    let place = ["FILE", "PATH", "DIR", "URL", "URI", "NAME", "TTL"];
    let is_one = words.iter().any(|word| secret.contains(word))
        || words.windows(2).any(|two| pairs.iter().any(|pair| pair == two));
    is_one && !words.last().is_some_and(|last| place.contains(last))
}
