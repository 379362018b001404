//! The entries, section by section.

mod distribution;
mod files;
mod pipeline;
mod publication;
mod secrets;

use super::ledger::Ledger;
use super::{Entry, Section, State, Topic};
use crate::model::config::{Auth, Visibility};
use crate::model::go_to_market::PersonsPart;
use crate::model::observed::GithubRepository;
use crate::model::status::Seen;
use crate::plan::setup::FileState;
use files::{Strictness, by_files};

/// Every step of the go-to-market plan, in its order.
pub(super) fn entries(ledger: &Ledger<'_>) -> Vec<Entry> {
    let mut list = List { section: Section::Product, entries: Vec::new() };
    product(ledger, &mut list);
    list.section = Section::Security;
    security(ledger, &mut list);
    list.section = Section::Pipeline;
    pipeline::entries(ledger, &mut list);
    list.section = Section::Distribution;
    distribution::entries(ledger, &mut list);
    list.section = Section::Marketing;
    for part in [PersonsPart::VerifiedPublisher, PersonsPart::CommunityImage] {
        list.persons(ledger, part);
    }
    list.section = Section::Actions;
    actions(ledger, &mut list);
    list.entries
}

/// The list as it grows.
struct List {
    section: Section,
    entries: Vec<Entry>,
}

impl List {
    fn add(&mut self, id: impl Into<String>, title: impl Into<String>, state: State) {
        self.entries.push(Entry { section: self.section, id: id.into(), title: title.into(), state });
    }

    /// The same, where what it takes may be untold.
    fn add_seen(&mut self, id: impl Into<String>, title: impl Into<String>, state: Seen<State>) {
        self.add(id, title, state.unwrap_or_else(State::Untold));
    }

    fn persons(&mut self, ledger: &Ledger<'_>, part: PersonsPart) {
        let (id, title) = match part {
            PersonsPart::Reviewer => ("reviewer", "A reviewer before each publication"),
            PersonsPart::CodeScanning => ("code-scanning", "Code scanning"),
            PersonsPart::Seller => ("marketplace-seller", "AWS Marketplace seller"),
            PersonsPart::Listing => ("marketplace-listing", "AWS Marketplace listing"),
            PersonsPart::VerifiedPublisher => ("docker-verified-publisher", "Docker Verified Publisher"),
            PersonsPart::CommunityImage => ("docker-hub-community-image", "Community image on Docker Hub"),
        };
        self.add(id, title, persons(ledger, part));
    }
}

fn persons(ledger: &Ledger<'_>, part: PersonsPart) -> State {
    State::Person {
        what: part.what().into(),
        url: Some(part.place(ledger.question.repository_url)),
        optional: part.is_optional(),
    }
}

fn product(ledger: &Ledger<'_>, list: &mut List) {
    let name = &ledger.config().github.repository;
    list.add_seen("github-settings", format!("GitHub repository {name} keeps its settings"), settings(ledger));
    for promises in ledger.question.promises {
        let title = format!("Product {}", promises.image);
        list.add(format!("product:{}", promises.image), title, State::done(promises.title.clone()));
    }
    let documents = ["README.md", "SECURITY.md", "docs/verify.md"];
    let state = by_files(ledger, &documents, Strictness::Theirs, || "README.md, SECURITY.md, docs/verify.md".into());
    list.add_seen("documents", "Documentation", state);
}

fn settings(ledger: &Ledger<'_>) -> Seen<State> {
    let Some(repository) = ledger.repository()? else {
        // A new repository is not drifted from anything.
        let state = ledger.by_steps(&Topic::GithubSettings, String::new);
        return Ok(match state {
            State::Drifted { differs, mend } => State::Undone { lacks: differs, command: mend },
            state => state,
        });
    };
    let found = &repository.found;
    let mut differs = Vec::new();
    let mut mend = ledger.question.converge.to_owned();
    if let State::Drifted { differs: steps, .. } | State::Undone { lacks: steps, .. } =
        ledger.by_steps(&Topic::GithubSettings, String::new)
    {
        differs.extend(steps);
    }
    if let Some((difference, by_hand)) = by_hand(ledger, found) {
        differs.insert(0, difference);
        mend = by_hand;
    }
    if !differs.is_empty() {
        return Ok(State::Drifted { differs, mend });
    }
    if found.actions.is_none() {
        return Err(crate::model::status::Unread {
            why: "this token may not read the Actions settings".into(),
            help: Some(
                "a fine-grained token reads them with `administration: read`; so does an administrator's".into(),
            ),
        });
    }
    Ok(State::done("GITHUB_TOKEN reads only, actions run only by full commit SHA"))
}

/// What keeps sbi from planning on the repository at all, and no step of its mends.
fn by_hand(ledger: &Ledger<'_>, found: &GithubRepository) -> Option<(String, String)> {
    let wanted = &ledger.config().github.repository;
    let full_name = &found.full_name;
    if !full_name.eq_ignore_ascii_case(&wanted.to_string()) {
        return Some((
            format!("{wanted} is called {full_name} now"),
            format!("put `repository = \"{full_name}\"` into sbi.toml, then `{}`", ledger.question.converge),
        ));
    }
    if found.archived {
        return Some((format!("{wanted} is archived and takes no change"), format!("gh repo unarchive {wanted}")));
    }
    if found.actions.as_ref().is_some_and(|actions| !actions.enabled) {
        let page = ledger.page("settings/actions");
        return Some(("GitHub Actions is switched off: nothing is built".into(), format!("switch it on: {page}")));
    }
    let is = if found.private { Visibility::Private } else { Visibility::Public };
    let visibility = ledger.config().github.visibility;
    (is != visibility).then(|| {
        let (is, visibility) = (is.as_str(), visibility.as_str());
        (format!("it is {is}, sbi.toml says {visibility}"), "change one of them by hand".into())
    })
}

fn security(ledger: &Ledger<'_>, list: &mut List) {
    let several = ledger.question.promises.len() > 1;
    for promises in ledger.question.promises {
        let image = &promises.image;
        let of = if several { format!(" of {image}") } else { String::new() };
        let dockerfile = format!("images/{image}/Dockerfile");
        let is_edited = ledger.file(&dockerfile) == Some(FileState::Edited) && !files::only_pins(ledger, &dockerfile);
        // What a Dockerfile that was edited does is its author's to know.
        let claim = |done: String| {
            if is_edited {
                return Ok(State::Person {
                    what: format!(
                        "{dockerfile} was edited: see that this still holds; `sbi rehearse` builds and audits it"
                    ),
                    url: Some(ledger.file_page(&dockerfile)),
                    optional: true,
                });
            }
            by_files(ledger, &[&dockerfile], Strictness::Claim, || done)
        };
        list.add_seen(
            format!("multi-stage:{image}"),
            format!("Multi-stage build{of}"),
            claim("only the result of the build stage is in the image".into()),
        );
        let pin = ledger.question.desired.images.get(&promises.base);
        let base = match pin {
            Some(_) => format!("{}, pinned by digest", promises.base),
            None => format!("{}, by its tag", promises.base),
        };
        list.add_seen(format!("base:{image}"), format!("Minimal base{of}"), claim(base));
        // These are judged by the audit in each build, whatever the Dockerfile says.
        let audit = audit_files(ledger, image.as_str());
        let audited = |done: String| {
            by_files(ledger, &audit, Strictness::Claim, || format!("{done}; the audit in each build judges it"))
        };
        if !promises.shell && !promises.package_manager {
            list.add_seen(
                format!("no-shell:{image}"),
                format!("No shell, no package manager{of}"),
                audited("promised by image.toml".into()),
            );
        }
        list.add_seen(
            format!("non-root:{image}"),
            format!("Non-root execution{of}"),
            audited(format!("user {}", promises.user)),
        );
    }
}

fn audit_files<'l>(ledger: &'l Ledger<'_>, image: &str) -> Vec<&'l str> {
    let folder = format!("images/{image}/audit/");
    ledger.files().map(|(path, _)| path).filter(|path| path.starts_with(&folder)).collect()
}

fn actions(ledger: &Ledger<'_>, list: &mut List) {
    let config = ledger.config();
    let name = &config.github.repository;
    list.add_seen("github-repository", format!("Create GitHub repository {name}"), github_repository(ledger));
    for image in &config.publish.images {
        let folder = format!("images/{image}/");
        let paths: Vec<&str> = ledger.files().map(|(path, _)| path).filter(|path| path.starts_with(&folder)).collect();
        let state = by_files(ledger, &paths, Strictness::Ours, || format!("{} files in {folder}", paths.len()));
        list.add_seen(format!("dockerfile:{image}"), format!("Add the Dockerfile of {image}"), state);
    }
    let state = by_files(ledger, &[pipeline::PUBLISH], Strictness::Ours, || pipeline::PUBLISH.into());
    list.add_seen("workflow", "Add publish-to-ecr.yml", state);
    distribution::ecr_repositories(ledger, list);
    let identity = match config.publish.auth {
        Auth::Oidc => "Create the IAM roles of the pipeline",
        Auth::AccessKey => "Create the IAM user of the pipeline",
    };
    list.add_seen("identity", identity, distribution::identity(ledger));
    list.persons(ledger, PersonsPart::Seller);
    secrets::entries(ledger, list);
    list.add_seen("files", "Commit and push all files", files::all(ledger));
    publication::entries(ledger, list);
    list.persons(ledger, PersonsPart::Listing);
}

fn github_repository(ledger: &Ledger<'_>) -> Seen<State> {
    let github = ledger.github()?;
    let found = ledger.repository()?.map(|repository| &repository.found);
    let state = ledger.by_steps(&Topic::GithubRepository, || {
        let found = found.map_or("", |found| if found.private { "private" } else { "public" });
        found.to_owned()
    });
    Ok(match (state, found) {
        (State::Undone { command, .. }, None) => {
            let lacks = vec![format!("it is not there, or hidden from {}", github.viewer.login)];
            let no_owner = github.owner.as_ref().err().map(|unread| unread.why.clone());
            State::Undone { lacks: lacks.into_iter().chain(no_owner).collect(), command }
        }
        (state, _) => state,
    })
}
