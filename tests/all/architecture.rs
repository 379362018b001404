//! The arrows between modules, where foreign crates may be named, what must stay pure; and that documents name paths
//! that exist. Reads the sources as text: a line that breaks a rule is reported with its file.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::tools;

/// Module → the modules that it may use. `failure` is open to all.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli", "commands"]),
    ("cli", &["model", "ui"]),
    (
        "commands",
        &["apply", "cli", "journal", "live", "merge", "model", "plan", "rehearsal", "sandbox", "templates", "ui"],
    ),
    ("live", &["apply", "aws", "github", "model", "plan", "registry"]),
    ("apply", &["plan", "model"]),
    ("journal", &["apply", "model", "plan"]),
    ("plan", &["merge", "model"]),
    ("merge", &["model"]),
    ("aws", &["model"]),
    ("github", &["model", "transport"]),
    ("registry", &["model", "transport"]),
    ("transport", &[]),
    ("templates", &["model"]),
    ("ui", &["apply", "journal", "model", "plan"]),
    ("rehearsal", &["model"]),
    ("sandbox", &["model"]),
    ("model", &[]),
    ("failure", &[]),
];

/// Beginning of a foreign crate's name → the modules that may name it.
const FOREIGN: &[(&str, &[&str])] = &[
    ("aws_sdk_", &["aws"]),
    ("aws_config", &["aws"]),
    ("aws_smithy_", &["aws"]),
    ("aws_credential_types", &["aws", "sandbox"]),
    ("aws_sigv4", &["sandbox"]),
    ("octocrab", &["github"]),
    ("hyper_rustls", &["transport"]),
    ("crypto_box", &["github", "sandbox"]),
    ("jsonwebtoken", &["sandbox"]),
    ("dialoguer", &["ui"]),
    ("diffy", &["merge", "plan"]),
    ("saphyr_parser", &["merge"]),
    ("indicatif", &["ui"]),
    ("minijinja", &["templates"]),
    ("clap", &["cli", "commands", "main"]),
];

const PURE: &[&str] = &["src/merge", "src/model", "src/plan", "src/templates", "src/ui/questions"];
const IMPURE: &[&str] = &[
    "async ",
    ".await",
    "tokio::",
    "futures_util::",
    "std::env",
    "env::var",
    "std::fs",
    "TcpStream",
    "std::process",
    "SystemTime",
    "Instant",
    "::now(",
    "println!",
    "eprintln!",
];

const EMPTY_WORDS: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "service", "misc"];
const MOST_LINES: usize = 700;

/// Path below the root → text.
type Tree = BTreeMap<String, String>;

/// The text without comments, and without what only tests see.
fn code(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let before_comment = |line: &'_ str| line.split("//").next().unwrap_or(line).to_owned();
    shipped.lines().map(before_comment).collect::<Vec<_>>().join("\n")
}

/// `src/aws/ecr.rs` → `["aws", "ecr"]`, `src/lib.rs` → `[]`.
fn module_path(path: &str) -> Vec<&str> {
    let stem = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    stem.split('/').filter(|part| *part != "lib").collect()
}

/// The top-level modules that `code`, `depth` modules below the root, names by `crate::`, `sbi::` or enough `super::`.
fn uses(code: &str, depth: usize) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let to_root = "super::".repeat(depth.max(1));
    let mut found = Vec::new();
    for root in ["crate::", "sbi::", &to_root] {
        for (at, _) in code.match_indices(root) {
            if code[..at].ends_with(|c: char| is_name(c) || c == ':') {
                continue;
            }
            let rest = &code[at + root.len()..];
            let Some(group) = rest.strip_prefix('{') else {
                found.push(rest.chars().take_while(|c| is_name(*c)).collect());
                continue;
            };
            let mut level = 0;
            let mut names = vec![String::new()];
            for c in group.chars() {
                match c {
                    '{' => level += 1,
                    '}' if level == 0 => break,
                    '}' => level -= 1,
                    ',' if level == 0 => names.push(String::new()),
                    _ if level == 0 => names.last_mut().unwrap().push(c),
                    _ => {}
                }
            }
            found.extend(names.iter().map(|name| name.trim().chars().take_while(|c| is_name(*c)).collect()));
        }
    }
    // `super::super` and a type of the root module are not modules.
    found.retain(|name: &String| ARROWS.iter().any(|(module, _)| module == name));
    found
}

fn names_crate(code: &str, beginning: &str) -> bool {
    code.match_indices(beginning).any(|(at, _)| {
        let starts = !code[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '"' | '`' | '-'));
        let name_end = code[at..].find(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(code.len(), |end| at + end);
        starts && (code[name_end..].starts_with("::") || code[..at].ends_with("use "))
    })
}

fn violations(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree {
        let mut report = |what: String| found.push(format!("{path}: {what}"));
        let code = code(text);
        let parts = module_path(path);
        let tests_only = parts.last() == Some(&"tests");
        if !text.starts_with("//!") {
            report("does not begin with what it answers for (`//!`)".into());
        }
        if text.lines().count() > MOST_LINES {
            report(format!("has more than {MOST_LINES} lines"));
        }
        for part in parts.iter().filter(|part| EMPTY_WORDS.contains(part)) {
            report(format!("`{part}` says nothing"));
        }
        let Some(module) = parts.first().filter(|_| !tests_only) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == module) else {
            report(format!("`{module}` has no place among the arrows"));
            continue;
        };
        for used in uses(&code, parts.len()) {
            if used != *module && used != "failure" && !allowed.contains(&used.as_str()) {
                report(format!("`{module}` may not use `{used}`"));
            }
        }
        for (foreign, homes) in FOREIGN {
            if !homes.contains(module) && names_crate(&code, foreign) {
                report(format!("`{foreign}` is named outside of {}", homes.join(", ")));
            }
        }
        let below = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '.']));
        if PURE.iter().any(|folder| below(folder)) {
            for word in IMPURE.iter().filter(|word| code.contains(**word)) {
                report(format!("is to be pure, and has `{}`", word.trim()));
            }
        }
    }
    found
}

/// Files below `folder` whose name ends with `ending`.
fn read(folder: &Path, ending: &str) -> Tree {
    let mut tree = Tree::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return tree };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            tree.append(&mut read(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            let name = path.strip_prefix(tools::root()).unwrap().to_string_lossy().replace('\\', "/");
            tree.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
    tree
}

#[test]
fn the_sources_keep_to_the_architecture() {
    let tree = read(&tools::root().join("src"), ".rs");
    assert!(tree.len() > 20, "{} files only", tree.len());
    let found = violations(&tree);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_kind_of_violation_is_noticed() {
    let cases = [
        ("src/model/a.rs", "use crate::plan::Plan;", "`model` may not use `plan`"),
        ("src/plan/a.rs", "use crate::{model::x::{A, B}, ui};", "`plan` may not use `ui`"),
        ("src/aws/ecr.rs", "use super::super::github;", "`aws` may not use `github`"),
        ("src/aws/mod.rs", "use super::github;", "`aws` may not use `github`"),
        ("src/sandbox/aws/a.rs", "fn f(x: crate::aws::Ecr) {}", "`sandbox` may not use `aws`"),
        ("src/commands/init.rs", "use crate::aws;", "`commands` may not use `aws`"),
        ("src/live.rs", "fn f(x: aws_sdk_ecr::Client) {}", "`aws_sdk_` is named outside of aws"),
        ("src/aws/a.rs", "use octocrab::Octocrab;", "`octocrab` is named outside of github"),
        ("src/commands/a.rs", "use dialoguer;", "`dialoguer` is named outside of ui"),
        ("src/model/b.rs", "async fn f() {}", "is to be pure, and has `async`"),
        ("src/plan/b.rs", "let now = jiff::Timestamp::now();", "is to be pure, and has `::now(`"),
        ("src/templates.rs", "std::env::var(\"HOME\")", "is to be pure, and has `std::env`"),
        ("src/ui/questions.rs", "std::fs::read(path)", "is to be pure, and has `std::fs`"),
        ("src/aws/utils.rs", "", "`utils` says nothing"),
        ("src/newcomer/mod.rs", "", "`newcomer` has no place among the arrows"),
        ("src/aws/long.rs", &"\n".repeat(MOST_LINES), "has more than 700 lines"),
    ];
    for (path, text, expected) in cases {
        let tree = Tree::from([(path.to_owned(), format!("//! A.\n{text}\n"))]);
        assert!(violations(&tree).contains(&format!("{path}: {expected}")), "{path} {text}: {:?}", violations(&tree));
    }
    let headless = Tree::from([("src/aws/a.rs".to_owned(), "use crate::model;\n".to_owned())]);
    assert_eq!(violations(&headless), ["src/aws/a.rs: does not begin with what it answers for (`//!`)"]);
}

#[test]
fn what_is_allowed_is_not_reported() {
    let cases = [
        ("src/live.rs", "use crate::{aws, github};\nasync fn f() {}"),
        ("src/aws/ecr.rs", "use super::error::Refusal;\nuse crate::failure::Failure;\nuse aws_sdk_ecr::Client;"),
        ("src/sandbox/aws/mod.rs", "mod ecr;\nuse self::ecr::Repositories;\nuse super::http::Server;"),
        ("src/model/a.rs", "// std::env is not read here\n/// `crate::plan` does\nfn f() {}"),
        ("src/plan/a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::ui;\n}"),
        ("src/ui/terminal.rs", "use std::env;\nuse indicatif::ProgressBar;"),
        ("src/plan/b.rs", "const HINT: &str = \"octocrab: no\";"),
    ];
    for (path, text) in cases {
        let tree = Tree::from([(path.to_owned(), format!("//! A.\n{text}\n"))]);
        assert_eq!(violations(&tree), Vec::<String>::new(), "{path} {text}");
    }
}

/// What stands in backticks and begins like a path of this repository, and the targets of relative links.
fn named_paths(text: &str) -> Vec<&str> {
    const OURS: &[&str] = &["src/", "tests/", "docs/", "benches/", ".ci/"];
    let quoted = text.split('`').skip(1).step_by(2).map(|word| word.split_whitespace().next().unwrap_or_default());
    let ours = quoted.filter(|word| OURS.iter().any(|start| word.starts_with(start)));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    ours.chain(links.filter(|link| !link.is_empty() && !link.contains(':'))).collect()
}

#[test]
fn documents_name_paths_that_exist() {
    let root = tools::root();
    let mut documents = read(&root.join("docs"), ".md");
    if let Ok(text) = std::fs::read_to_string(root.join("README.md")) {
        documents.insert("README.md".into(), text);
    }
    let mut missing = Vec::new();
    for (document, text) in &documents {
        let beside = root.join(document).parent().unwrap().to_owned();
        for path in named_paths(text) {
            let path = path.trim_end_matches(['.', ',', ':', '/']);
            if !path.contains(['*', '{', '<']) && !root.join(path).exists() && !beside.join(path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    assert_eq!(named_paths("see `src/a.rs`, `sbi plan` and [this](docs/b.md#c)"), ["src/a.rs", "docs/b.md"]);
}

#[test]
fn the_lock_of_the_node_tools_names_no_registry() {
    let lock = std::fs::read_to_string(tools::root().join("tests/tools/package-lock.json")).unwrap();
    assert!(!lock.contains("\"resolved\""), "install with tests/tools/.npmrc in place");
}
/// The `sbi …` command lines in the fenced blocks of a document: a `\` at a line's end continues it; a prompt, a comment
/// at the end and what a pipe or a redirection leads to are dropped.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let fenced: String = text.split("```").skip(1).step_by(2).collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let program = |line: &str| {
        let line = line.trim().trim_start_matches("$ ");
        let line = line.split(" #").next().unwrap_or(line).split(['|', '>', '<', ';', '&']).next().unwrap_or(line);
        let words: Vec<String> =
            line.split_whitespace().map(|word| word.trim_matches(['\'', '"']).to_owned()).collect();
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["sbi", ..] => Some(words),
            ["cargo", "run", ..] => {
                let after = words.iter().position(|word| word == "--")?;
                Some(std::iter::once("sbi".to_owned()).chain(words[after + 1..].iter().cloned()).collect())
            }
            _ => None,
        }
    };
    fenced.lines().filter_map(program).collect()
}

#[test]
fn command_lines_in_documents_parse() {
    let root = tools::root();
    let mut documents = read(&root.join("docs"), ".md");
    documents.extend(std::fs::read_to_string(root.join("README.md")).map(|text| ("README.md".to_owned(), text)));
    // Written from the program's own help, usage lines and all.
    documents.remove("docs/cli.md");
    let mut wrong = Vec::new();
    for (document, text) in &documents {
        for words in command_lines(text) {
            if let Err(error) = sbi::cli::command().try_get_matches_from(&words)
                && error.exit_code() != 0
            {
                wrong.push(format!("{document}: {}: {error}", words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let example =
        "a\n```sh\n$ sbi plan --check | head # look\ncargo run --release -- init \\\n  --yes\nls\n```\n`sbi x`";
    assert_eq!(command_lines(example), [vec!["sbi", "plan", "--check"], vec!["sbi", "init", "--yes"]]);
}
