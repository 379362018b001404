//! The checklist of `sbi status` as a pure function: from any state, with any fact untold, in every width.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sbi::model::config::{Auth, Visibility};
use sbi::model::desired::{Desired, RenderedFile};
use sbi::model::git::{BlobId, CommitId};
use sbi::model::lock::LOCK_FILE;
use sbi::model::names::GitTag;
use sbi::model::observed::*;
use sbi::model::ownership::ownership_tags;
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::model::status::*;
use sbi::plan::setup::plan_setup;
use sbi::plan::status::{Question, State, Status, Tone, Topic, as_wanted, judge, topic_of};
use sbi::ui::Style;
use sbi::ui::report::Who;
use sbi::ui::status::print_status;

use crate::planning::{any_desired, any_world};
use crate::support::world::desired_of;

const RESCAN: &str = ".github/workflows/rescan.yml";
const PUBLISH: &str = ".github/workflows/publish-to-ecr.yml";

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// With every file that the checklist asks about.
fn whole(mut desired: Desired) -> Desired {
    let mut paths = vec![RESCAN.to_owned(), "SECURITY.md".into(), "docs/verify.md".into()];
    for image in &desired.config.publish.images {
        paths.push(format!("images/{image}/Dockerfile"));
        paths.push(format!("images/{image}/audit/main.go"));
    }
    paths.retain(|path| desired.files.iter().all(|file| file.path != *path));
    desired.files.extend(paths.into_iter().map(|path| RenderedFile { text: format!("{path}\n"), path }));
    desired
}

fn promises(desired: &Desired) -> Vec<ImagePromises> {
    let promise = |image: &sbi::model::names::ImageName| ImagePromises {
        image: image.clone(),
        title: "Base image for static Go binaries".into(),
        base: "gcr.io/distroless/static-debian13:nonroot".into(),
        user: "65532:65532".into(),
        shell: false,
        package_manager: false,
        support: Support {
            base: "Debian 13 (trixie), distroless".into(),
            until: "one year after the release of Debian 14".into(),
            last_day: None,
        },
    };
    desired.config.publish.images.iter().map(promise).collect()
}

/// A run of the publishing workflow for each release, and everything that followed as it should.
fn activity(desired: &Desired) -> Activity {
    let url = |rest: &str| format!("https://github.com/acme/bases/{rest}");
    let run = |number: u64, event: &str, branch: String, hours: i64| RunFacts {
        id: number,
        url: url(&format!("actions/runs/{number}")),
        event: event.into(),
        branch: Some(branch),
        conclusion: Some("success".into()),
        started: now() - SignedDuration::from_hours(hours),
    };
    let outlets = desired.config.outlets().into_iter().zip(100..);
    Activity {
        workflows: Ok([PUBLISH, RESCAN].map(|path| (path.to_owned(), "active".to_owned())).into()),
        publish_runs: Ok(outlets.map(|(outlet, id)| run(id, "release", outlet.tag.to_string(), 72)).collect()),
        rescan: Ok(Some(run(200, "schedule", "main".into(), 8))),
        alerts: Ok(OpenAlerts::default()),
        issue: Ok(None),
        code_scanning: Ok(Some("on".into())),
    }
}

/// Everything told: what a planner was given, and the activity that fits.
fn told(desired: &Desired, observed: &Observed) -> Reality {
    let Observed { aws, github } = observed.clone();
    let places = desired.config.ecr_repositories();
    let image = |tag: &sbi::model::names::ReleaseTag| PublishedImage {
        tag: tag.clone(),
        digest: format!("sha256:{}", "4b".repeat(32)).parse().unwrap(),
        pushed: Some(now() - SignedDuration::from_hours(71)),
    };
    let published = github.repository.iter().flat_map(|found| &found.releases).map(|release| release.tag.clone());
    let repository = github.repository.clone().map(|found| RepositoryReality {
        found,
        secrets: Ok(()),
        environments: Ok(()),
        subject: Ok(()),
        pull_requests: Ok(()),
        published: published.map(|tag| (tag, now() - SignedDuration::from_hours(72))).collect(),
        activity: activity(desired),
    });
    Reality {
        aws: Ok(AwsReality {
            caller: aws.caller,
            ecr_repositories: places
                .iter()
                .map(|name| (name.clone(), Ok(aws.ecr_repositories.get(name).cloned())))
                .collect(),
            oidc_provider: Ok(aws.oidc_provider),
            role: Ok(aws.role),
            read_role: Ok(aws.read_role),
            user: Ok(aws.user),
            images: places.into_iter().map(|name| (name, Ok(Some(image(&desired.config.publish.release))))).collect(),
        }),
        github: Ok(GithubReality { viewer: github.viewer, owner: Ok(github.owner), repository: Ok(repository) }),
    }
}

fn ask(desired: &Desired, reality: &Reality) -> Status {
    ask_with(desired, reality, &promises(desired), &BTreeMap::new())
}

fn ask_with(
    desired: &Desired,
    reality: &Reality,
    promises: &[ImagePromises],
    edits: &BTreeMap<String, Seen<bool>>,
) -> Status {
    judge(&Question {
        desired,
        reality,
        promises,
        edits,
        refusal: None,
        repository_url: "https://github.com/acme/bases",
        converge: "sbi apply",
        update: "sbi update",
        max_age: days(90),
        now: now(),
    })
}

/// Everything as wanted, published three days ago.
fn wanted(auth: Auth, images: &[&str]) -> (Desired, Reality) {
    let desired = whole(desired_of(auth, images));
    let mut observed = as_wanted(&desired);
    // A key of last month, in secrets of the same day.
    if let Some(user) = &mut observed.aws.user {
        user.keys[0].id = "AKIAIOSFODNN7EXAMPLE".into();
        user.keys[0].created = now() - days(30);
    }
    let repository = observed.github.repository.as_mut().unwrap();
    repository.secrets.values_mut().for_each(|at| *at = now() - days(30));
    let reality = told(&desired, &observed);
    (desired, reality)
}

fn repository(reality: &mut Reality) -> &mut RepositoryReality {
    reality.github.as_mut().unwrap().repository.as_mut().unwrap().as_mut().unwrap()
}

fn aws(reality: &mut Reality) -> &mut AwsReality {
    reality.aws.as_mut().unwrap()
}

fn word(state: &State) -> &'static str {
    match state {
        State::Done { .. } => "done",
        State::Drifted { .. } => "drifted",
        State::Undone { .. } => "to do",
        State::Person { .. } => "person",
        State::Untold(_) => "unknown",
    }
}

fn states(status: &Status) -> BTreeMap<String, &'static str> {
    status.entries.iter().map(|entry| (entry.id.clone(), word(&entry.state))).collect()
}

/// Entries that are neither done nor a person's, with all that they say; facts that are not fine.
fn open(status: &Status) -> String {
    let mut lines = Vec::new();
    for entry in &status.entries {
        match &entry.state {
            State::Done { .. } | State::Person { .. } => {}
            State::Drifted { differs, mend } => lines.push(format!("{}: {} → {mend}", entry.id, differs.join("; "))),
            State::Undone { lacks, command } => lines.push(format!("{}: {} ⇒ {command}", entry.id, lacks.join("; "))),
            State::Untold(unread) => lines.push(format!("{}? {}", entry.id, unread.why)),
        }
    }
    for fact in status.facts.iter().filter(|fact| fact.tone != Tone::Fine) {
        let counted = if fact.pending { " (counted)" } else { "" };
        lines.push(format!("{}! {}{counted}", fact.key, fact.text));
    }
    lines.join("\n")
}

/// The entry of a topic.
fn entry_of(topic: &Topic) -> Vec<String> {
    match topic {
        Topic::GithubRepository => vec!["github-repository".into()],
        Topic::GithubSettings => vec!["github-settings".into()],
        Topic::Environments => vec!["publish-after-gate".into()],
        Topic::Ecr(name) => vec![format!("ecr-repository:{name}")],
        Topic::EcrSettings(name) => vec![format!("ecr-settings:{name}")],
        Topic::Identity => vec!["identity".into()],
        Topic::Access => vec!["access".into()],
        Topic::AccessKey => vec![format!("secret:{ACCESS_KEY_SECRET}")],
        Topic::Secret(name) => vec![format!("secret:{name}")],
        Topic::Files => vec!["files".into()],
        Topic::Release(tag) => vec![format!("release:{tag}")],
    }
}

/// The same with every resource on AWS marked as this repository's.
fn marked(desired: &Desired, mut start: Observed) -> Observed {
    let id = start.github.repository.as_ref().map_or(0, |found| found.identity.repository_id);
    let tags = ownership_tags(&desired.config.github.repository, id);
    let AwsObserved { ecr_repositories, role, read_role, user, .. } = &mut start.aws;
    let roles = [role, read_role].into_iter().flatten().map(|role| &mut role.tags);
    let users = user.iter_mut().map(|user| &mut user.tags);
    let places = ecr_repositories.values_mut().map(|found| &mut found.tags);
    places.chain(roles).chain(users).for_each(|found| found.clone_from(&tags));
    start
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that the planner would change is called done, and what it would not change is not called undone.
    #[test]
    fn with_everything_told_the_list_says_what_the_planner_says(desired in any_desired(), start in any_world()) {
        let desired = whole(desired);
        let plan = plan_setup(&desired, &start);
        let status = ask(&desired, &told(&desired, &start));
        let pending: BTreeSet<String> = status
            .entries
            .iter()
            .filter(|entry| entry.state.is_pending())
            .map(|entry| entry.id.clone())
            .collect();
        for node in plan.nodes() {
            for id in entry_of(&topic_of(&node.step)) {
                prop_assert!(pending.contains(&id), "{id} is called {:?}: {:?}", states(&status).get(&id), node.step);
            }
        }
        let planned: BTreeSet<String> =
            plan.nodes().iter().flat_map(|node| entry_of(&topic_of(&node.step))).collect();
        if plan.refusals.is_empty() {
            for id in pending.difference(&planned) {
                let follows = ["dockerfile:", "multi-stage:", "base:", "no-shell:", "non-root:", "published:", "release:"]
                    .iter()
                    .any(|start| id.starts_with(start));
                let files = ["documents", "workflow", "release-trigger", "trivy-gate", "sarif", "rescan", "publish-after-gate"];
                let access = id == "access" && pending.contains("identity");
                let settings = id.starts_with("ecr-settings:");
                prop_assert!(follows || access || settings || files.contains(&id.as_str()), "{id} is pending, and no step is about it");
            }
        }
        // What belongs to another repository is not sbi's to judge.
        if plan.refusals.is_empty() {
            prop_assert!(status.untold().next().is_none(), "{:?}", status.untold().collect::<Vec<_>>());
        }
    }

    /// What can't be told is never taken for done or for missing, and takes nothing else with it.
    #[test]
    fn an_untold_side_changes_no_word_about_the_other(desired in any_desired(), start in any_world()) {
        let desired = whole(desired);
        // Whose a resource is hangs on the number of the repository, which is on the other side.
        prop_assume!(start.github.repository.is_some());
        let start = marked(&desired, start);
        let whole = states(&ask(&desired, &told(&desired, &start)));
        let untold = || Unread { why: "nobody is signed in".into(), help: None };
        let aws_alone = Reality { github: Err(untold()), ..told(&desired, &start) };
        let github_alone = Reality { aws: Err(untold()), ..told(&desired, &start) };
        for (id, state) in states(&ask(&desired, &aws_alone)) {
            // Whether a user's keys leave room for another hangs on the secrets.
            let oidc = desired.config.publish.auth == Auth::Oidc;
            let aws_side = id.starts_with("ecr-") || (oidc && id == "identity");
            if aws_side {
                prop_assert_eq!(state, whole[&id], "{}", id);
            }
        }
        for (id, state) in states(&ask(&desired, &github_alone)) {
            let aws_side = ["ecr-", "identity", "access", "published:", "secret:AWS_ACCESS"];
            if !aws_side.iter().any(|start| id.starts_with(start)) {
                prop_assert_eq!(state, whole[&id], "{}", id);
            } else if id.starts_with("ecr-") || id == "identity" || id == "access" {
                prop_assert_eq!(state, "unknown", "{}", id);
            }
        }
    }
}

#[test]
fn what_is_wanted_leaves_nothing_to_plan_and_nothing_open() {
    for auth in [Auth::Oidc, Auth::AccessKey] {
        for images in [&["static-go"][..], &["static-go", "base-go"]] {
            for (visibility, environment) in
                [(Visibility::Public, true), (Visibility::Private, true), (Visibility::Private, false)]
            {
                let mut desired = whole(desired_of(auth, images));
                desired.config.github.visibility = visibility;
                if !environment {
                    desired.config.publish.environment = None;
                }
                let world = as_wanted(&desired);
                let plan = plan_setup(&desired, &world);
                assert!(plan.is_empty() && plan.refusals.is_empty() && plan.waiting.is_empty(), "{plan:?}");
                let status = ask(&desired, &told(&desired, &world));
                assert_eq!(
                    status.entries.iter().filter(|entry| entry.state.is_pending()).count(),
                    0,
                    "{}",
                    open(&status)
                );
                assert!(status.untold().next().is_none());
            }
        }
    }
}

#[test]
fn the_sections_come_in_the_plans_order_and_every_id_is_told_once() {
    let (desired, reality) = wanted(Auth::AccessKey, &["static-go", "base-go"]);
    let status = ask(&desired, &reality);
    let sections: Vec<_> = status.entries.iter().map(|entry| entry.section).collect();
    assert!(sections.is_sorted());
    let ids: BTreeSet<&String> = status.entries.iter().map(|entry| &entry.id).collect();
    assert_eq!(ids.len(), status.entries.len());
}

/// Where a hundred later runs hide the one of a release, its image speaks for it.
#[test]
fn a_run_older_than_the_page_is_judged_by_its_image() {
    let (desired, mut reality) = wanted(Auth::Oidc, &["static-go"]);
    let runs = repository(&mut reality).activity.publish_runs.as_mut().unwrap();
    let later = RunFacts { event: "workflow_dispatch".into(), branch: Some("main".into()), ..runs[0].clone() };
    *runs = vec![later; 100];
    assert_eq!(states(&ask(&desired, &reality))["published:static-go"], "done");
    repository(&mut reality).activity.publish_runs.as_mut().unwrap().pop();
    assert_eq!(
        states(&ask(&desired, &reality))["published:static-go"],
        "drifted",
        "all runs were seen, and none is its"
    );
    repository(&mut reality).activity.publish_runs =
        Ok(vec![repository(&mut reality).activity.publish_runs.clone().unwrap()[0].clone(); 100]);
    aws(&mut reality).images.values_mut().for_each(|image| *image = Ok(None));
    assert_eq!(states(&ask(&desired, &reality))["published:static-go"], "drifted");
}

/// What goes wrong, where, and what the list says of it.
fn drift(auth: Auth, change: impl FnOnce(&mut Reality)) -> String {
    let (desired, mut reality) = wanted(auth, &["static-go"]);
    change(&mut reality);
    open(&ask(&desired, &reality))
}

#[test]
fn drift_on_aws_is_told_with_what_mends_it() {
    let name = || "acme/bases".parse().unwrap();
    let ecr = |reality: &mut Reality, change: &dyn Fn(&mut EcrRepository)| {
        let found = aws(reality).ecr_repositories.get_mut(&name()).unwrap().as_mut().unwrap().as_mut().unwrap();
        change(found);
    };
    let cases = [
        drift(Auth::Oidc, |reality| ecr(reality, &|found| found.tag_mutability = TagMutability::Mutable)),
        drift(Auth::Oidc, |reality| ecr(reality, &|found| found.scan_on_push = false)),
        drift(Auth::Oidc, |reality| ecr(reality, &|found| found.lifecycle = None)),
        drift(Auth::Oidc, |reality| drop(aws(reality).ecr_repositories.insert(name(), Ok(None)))),
        drift(Auth::Oidc, |reality| aws(reality).oidc_provider = Ok(None)),
        drift(Auth::Oidc, |reality| {
            aws(reality).role.as_mut().unwrap().as_mut().unwrap().trust.statements.clear();
        }),
        drift(Auth::Oidc, |reality| aws(reality).role.as_mut().unwrap().as_mut().unwrap().tags.clear()),
        drift(Auth::Oidc, |reality| aws(reality).read_role.as_mut().unwrap().as_mut().unwrap().policy = None),
        drift(Auth::AccessKey, |reality| aws(reality).user = Ok(None)),
        drift(Auth::AccessKey, |reality| aws(reality).user.as_mut().unwrap().as_mut().unwrap().keys.clear()),
        drift(Auth::AccessKey, |reality| {
            let user = aws(reality).user.as_mut().unwrap().as_mut().unwrap();
            user.keys[0].created = now() - days(91);
        }),
        drift(Auth::Oidc, |reality| drop(aws(reality).images.insert(name(), Ok(None)))),
        drift(Auth::AccessKey, |reality| {
            // Two keys that somebody uses elsewhere, both younger than the secrets.
            let user = aws(reality).user.as_mut().unwrap().as_mut().unwrap();
            let used = |id: &str| KeyFacts {
                id: id.into(),
                active: true,
                created: now() - days(10),
                last_used: Some(KeyUse { at: now() - days(1), service: "s3".into(), region: "us-east-1".into() }),
            };
            user.keys = vec![used("AKIAONE"), used("AKIATWO")];
        }),
    ];
    insta::assert_snapshot!(cases.join("\n---\n"));
}

#[test]
fn drift_on_github_is_told_with_what_mends_it() {
    let untouched = |reality: &mut Reality, path: &str| {
        let found = &mut repository(reality).found;
        let before = BlobId::of(b"as rendered then");
        found.files.insert(path.into(), before.clone());
        found.lock.as_mut().unwrap().files.insert(path.into(), before);
    };
    let edited = |reality: &mut Reality, path: &str| {
        repository(reality).found.files.insert(path.into(), BlobId::of(b"something else"));
    };
    // What was changed in the lock is what the file says.
    let locked = |reality: &mut Reality| {
        let found = &mut repository(reality).found;
        let text = found.lock.as_ref().unwrap().to_text();
        found.files.insert(LOCK_FILE.into(), BlobId::of(text.as_bytes()));
    };
    let workflow = |reality: &mut Reality, path: &str, state: &str| {
        repository(reality).activity.workflows.as_mut().unwrap().insert(path.into(), state.into());
    };
    let run = |reality: &mut Reality, conclusion: Option<&str>| {
        let runs = repository(reality).activity.publish_runs.as_mut().unwrap();
        runs[0].conclusion = conclusion.map(str::to_owned);
    };
    let cases = [
        drift(Auth::Oidc, |reality| reality.github.as_mut().unwrap().repository = Ok(None)),
        drift(Auth::Oidc, |reality| repository(reality).found.full_name = "acme/renamed".into()),
        drift(Auth::Oidc, |reality| repository(reality).found.archived = true),
        drift(Auth::Oidc, |reality| repository(reality).found.private = true),
        drift(Auth::Oidc, |reality| repository(reality).found.actions.as_mut().unwrap().enabled = false),
        drift(Auth::Oidc, |reality| repository(reality).found.actions.as_mut().unwrap().default_write = true),
        drift(Auth::Oidc, |reality| repository(reality).found.environments.clear()),
        drift(Auth::AccessKey, |reality| {
            repository(reality).found.secrets.remove(ACCESS_KEY_SECRET);
        }),
        drift(Auth::AccessKey, |reality| {
            repository(reality).found.secrets.insert(ACCESS_KEY_SECRET.into(), now() - days(60));
        }),
        drift(Auth::Oidc, |reality| {
            repository(reality).found.secrets.remove("AWS_REGION");
        }),
        drift(Auth::Oidc, |reality| {
            repository(reality).found.lock.as_mut().unwrap().uploaded.insert("AWS_REGION".into(), "sha256:0".into());
        }),
        drift(Auth::Oidc, |reality| untouched(reality, PUBLISH)),
        drift(Auth::Oidc, |reality| untouched(reality, "images/static-go/Dockerfile")),
        drift(Auth::Oidc, |reality| {
            repository(reality).activity.rescan.as_mut().unwrap().as_mut().unwrap().started = now() - days(4);
        }),
        drift(Auth::Oidc, |reality| drop(repository(reality).found.files.remove(PUBLISH))),
        drift(Auth::Oidc, |reality| drop(repository(reality).found.files.remove("README.md"))),
        drift(Auth::Oidc, |reality| edited(reality, PUBLISH)),
        drift(Auth::Oidc, |reality| edited(reality, "sbi.toml")),
        drift(Auth::Oidc, |reality| {
            untouched(reality, PUBLISH);
            edited(reality, PUBLISH);
            locked(reality);
        }),
        drift(Auth::Oidc, |reality| {
            edited(reality, PUBLISH);
            repository(reality).found.lock.as_mut().unwrap().files.remove(PUBLISH);
            locked(reality);
        }),
        drift(Auth::Oidc, |reality| workflow(reality, RESCAN, "disabled_inactivity")),
        drift(Auth::Oidc, |reality| workflow(reality, PUBLISH, "disabled_manually")),
        drift(Auth::Oidc, |reality| {
            let found = &mut repository(reality).found;
            found.releases.clear();
            found.tags.clear();
        }),
        drift(Auth::Oidc, |reality| repository(reality).found.releases[0].ours = false),
        drift(Auth::Oidc, |reality| run(reality, Some("failure"))),
        drift(Auth::Oidc, |reality| run(reality, None)),
        drift(Auth::Oidc, |reality| repository(reality).activity.publish_runs.as_mut().unwrap().clear()),
        drift(Auth::Oidc, |reality| {
            repository(reality).activity.alerts = Ok(OpenAlerts {
                by_severity: [("critical".to_owned(), 2), ("unrated".to_owned(), 1)].into(),
                cut: true,
            });
            repository(reality).activity.issue = Ok(Some(IssueFacts {
                number: 7,
                url: "https://github.com/acme/bases/issues/7".into(),
                updated: now() - days(2),
            }));
        }),
    ];
    insta::assert_snapshot!(cases.join("\n---\n"));
}

/// Each fact by itself: what hangs on it can't be told, and nothing else changes.
#[test]
fn a_fact_that_cannot_be_read_takes_only_what_hangs_on_it() {
    type Hide = fn(&mut Reality, Unread);
    let hidden: [(&str, Auth, Hide); 16] = [
        ("AWS", Auth::Oidc, |reality, why| reality.aws = Err(why)),
        ("GitHub", Auth::Oidc, |reality, why| reality.github = Err(why)),
        ("the ECR repository", Auth::Oidc, |reality, why| {
            aws(reality).ecr_repositories.values_mut().for_each(|found| *found = Err(why.clone()));
        }),
        ("the provider", Auth::Oidc, |reality, why| aws(reality).oidc_provider = Err(why)),
        ("the role", Auth::Oidc, |reality, why| aws(reality).role = Err(why)),
        ("the user", Auth::AccessKey, |reality, why| aws(reality).user = Err(why)),
        ("images", Auth::Oidc, |reality, why| {
            aws(reality).images.values_mut().for_each(|found| *found = Err(why.clone()));
        }),
        ("the repository", Auth::Oidc, |reality, why| reality.github.as_mut().unwrap().repository = Err(why)),
        ("secrets, oidc", Auth::Oidc, |reality, why| {
            repository(reality).found.secrets.clear();
            repository(reality).secrets = Err(why);
        }),
        ("secrets, access key", Auth::AccessKey, |reality, why| {
            repository(reality).found.secrets.clear();
            repository(reality).secrets = Err(why);
        }),
        ("environments", Auth::Oidc, |reality, why| {
            repository(reality).found.environments.clear();
            repository(reality).environments = Err(why);
        }),
        ("the subject", Auth::Oidc, |reality, why| {
            repository(reality).found.identity.subject_prefix = "repo:acme/guessed".into();
            repository(reality).subject = Err(why);
        }),
        ("workflows", Auth::Oidc, |reality, why| repository(reality).activity.workflows = Err(why)),
        ("runs", Auth::Oidc, |reality, why| repository(reality).activity.publish_runs = Err(why)),
        ("findings", Auth::Oidc, |reality, why| {
            repository(reality).activity.alerts = Err(why.clone());
            repository(reality).activity.issue = Err(why);
        }),
        ("the Actions settings", Auth::Oidc, |reality, _| repository(reality).found.actions = None),
    ];
    let mut told = Vec::new();
    for (what, auth, hide) in hidden {
        let (desired, mut reality) = wanted(auth, &["static-go"]);
        let before = states(&ask(&desired, &reality));
        hide(&mut reality, Unread { why: "denied".into(), help: None });
        let status = ask(&desired, &reality);
        let changed: Vec<String> = states(&status)
            .into_iter()
            .filter(|(id, state)| before[id] != *state)
            .map(|(id, state)| format!("{id}: {state}"))
            .collect();
        assert!(changed.iter().all(|line| line.ends_with(": unknown")), "{what}: {changed:?}");
        let facts: Vec<&str> =
            status.facts.iter().filter(|fact| fact.tone == Tone::Untold).map(|fact| fact.key).collect();
        told.push(format!("{what}\n  {}\n  facts: {}", changed.join("\n  "), facts.join(", ")));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_private_repository_leaves_code_scanning_to_a_person() {
    let (mut desired, mut reality) = wanted(Auth::Oidc, &["static-go"]);
    desired.config.github.visibility = Visibility::Private;
    repository(&mut reality).found.private = true;
    let sarif = |reality: &Reality| states(&ask(&desired, reality))["sarif"];
    assert_eq!(sarif(&reality), "done");
    for value in [Ok(None), Ok(Some("off".to_owned()))] {
        repository(&mut reality).activity.code_scanning = value;
        assert_eq!(sarif(&reality), "person");
    }
    repository(&mut reality).activity.code_scanning = Err(Unread { why: "denied".into(), help: None });
    assert_eq!(sarif(&reality), "unknown");
}

/// An edit is no drift; what the plan promises of an edited file is its author's to say, unless only pins are newer.
#[test]
fn an_edited_file_is_no_drift_and_newer_pins_change_nothing() {
    for path in [PUBLISH, "images/static-go/Dockerfile"] {
        let (desired, mut reality) = wanted(Auth::Oidc, &["static-go"]);
        repository(&mut reality).found.files.insert(path.into(), BlobId::of(b"something else"));
        for (pins_alone, expected) in
            [(Ok(true), "done"), (Ok(false), "person"), (Err(Unread { why: "denied".into(), help: None }), "person")]
        {
            let edits = BTreeMap::from([(path.to_owned(), pins_alone)]);
            let status = ask_with(&desired, &reality, &promises(&desired), &edits);
            assert_eq!(status.entries.iter().filter(|entry| entry.state.is_pending()).count(), 0, "{}", open(&status));
            let claims =
                if path == PUBLISH { ["trivy-gate", "sarif"] } else { ["multi-stage:static-go", "base:static-go"] };
            for id in claims {
                assert_eq!(states(&status)[id], expected, "{id}");
            }
            assert_eq!(states(&status)["no-shell:static-go"], "done", "the audit judges every build");
        }
    }
}

#[test]
fn a_pull_request_that_brings_the_files_is_a_persons_to_merge() {
    let desired = whole(desired_of(Auth::Oidc, &["static-go"]));
    let mut observed = as_wanted(&desired);
    let found = observed.github.repository.as_mut().unwrap();
    let (files, lock) = (std::mem::take(&mut found.files), found.lock.take());
    found.branch_rules.pull_request_required = true;
    found.releases.clear();
    found.tags.clear();
    let url = "https://github.com/acme/bases/pull/3".to_owned();
    found.pull_requests.push(PullRequest {
        number: 3,
        branch: "sbi/setup".into(),
        url,
        node_id: "PR_3".into(),
        title: "Set up the publishing pipeline".into(),
        body: String::new(),
        draft: false,
        head: CommitId::told("1".repeat(40)),
        head_is_ours: true,
        files,
        lock,
    });
    let status = ask(&desired, &told(&desired, &observed));
    for id in ["files", "workflow", "dockerfile:static-go", "release:v1.0.0", "published:static-go", "release-trigger"]
    {
        let entry = status.entries.iter().find(|entry| entry.id == id).unwrap();
        let State::Person { what, url, .. } = &entry.state else { panic!("{id}: {:?}", entry.state) };
        assert!(what.contains("#3") && url.as_deref().unwrap().ends_with("/pull/3"), "{id}: {what}");
    }
    assert_eq!(open(&status), "pull_requests! #3 (sbi/setup) waits for a merge");
}

#[test]
fn the_newest_release_is_the_highest_version_and_a_pre_release_only_alone() {
    let tag = |text: &str| text.parse::<GitTag>().unwrap();
    let newest = |tags: &[&str], first: &str| {
        let tags: Vec<GitTag> = tags.iter().map(|text| tag(text)).collect();
        sbi::plan::status::newest(tags.iter(), &tag(first)).map(|tag| tag.to_string())
    };
    assert_eq!(newest(&["v1.2.0", "v1.10.0", "v2.0.0-rc.1", "v1.9.9"], "v1.0.0").as_deref(), Some("v1.10.0"));
    assert_eq!(newest(&["v2.0.0-rc.1"], "v1.0.0").as_deref(), Some("v2.0.0-rc.1"));
    assert_eq!(
        newest(&["v2.0.0", "static-go/v1.0.0", "base-go/v3.0.0"], "static-go/v1.0.0").as_deref(),
        Some("static-go/v1.0.0")
    );
    assert_eq!(newest(&[], "v1.0.0"), None);
}

#[test]
fn support_that_has_ended_is_counted_from_the_day_after() {
    let (desired, reality) = wanted(Auth::Oidc, &["static-go"]);
    let told = |day: &str| {
        let mut promises = promises(&desired);
        promises[0].support.last_day = Some(day.parse().unwrap());
        let status = ask_with(&desired, &reality, &promises, &BTreeMap::new());
        let fact = status.facts.iter().find(|fact| fact.key == "support").unwrap().clone();
        (fact.tone, fact.pending)
    };
    assert_eq!(told("2028-05-31"), (Tone::Fine, false));
    assert_eq!(told("2026-12-24"), (Tone::Warning, false));
    assert_eq!(told("2026-11-25"), (Tone::Warning, false), "the last day still counts");
    assert_eq!(told("2026-11-24"), (Tone::Warning, true));
}

/// Half done, with a bit of everything: shown in the guide.
fn half_done() -> (Desired, Reality) {
    let (desired, mut reality) = wanted(Auth::AccessKey, &["static-go"]);
    let name = "acme/bases".parse().unwrap();
    let found = aws(&mut reality).ecr_repositories.get_mut(&name).unwrap().as_mut().unwrap().as_mut().unwrap();
    found.scan_on_push = false;
    found.tag_mutability = TagMutability::Mutable;
    aws(&mut reality).user.as_mut().unwrap().as_mut().unwrap().keys[0].created = now() - days(97);
    let github = repository(&mut reality);
    github.found.secrets.remove("ECR_REPOSITORY");
    github.activity.workflows.as_mut().unwrap().insert(RESCAN.into(), "disabled_inactivity".into());
    github.activity.rescan.as_mut().unwrap().as_mut().unwrap().started = now() - days(64);
    github.activity.alerts =
        Ok(OpenAlerts { by_severity: [("high".to_owned(), 2), ("low".to_owned(), 5)].into(), cut: false });
    github.activity.issue = Err(Unread {
        why: "this token may not list the open issues of acme/bases: it lacks issues: read".into(),
        help: Some("give the token `issues: read` on acme/bases; a classic token needs the scope `repo`".into()),
    });
    (desired, reality)
}

fn printed(style: Style) -> String {
    let (desired, reality) = half_done();
    let who = Who { aws: "as arn:aws:iam::123456789012:user/observer".into(), github: "as ada".into() };
    let mut out = Vec::new();
    print_status(&ask(&desired, &reality), &desired.config, &who, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_list_fits_every_terminal() {
    for width in [120, 80, 60, 40] {
        let text = printed(Style { width, ..Style::plain() });
        for line in text.lines() {
            // A word that is wider than its column stays whole, so that it can be copied.
            let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
            let wide = line.chars().count() > width;
            assert!(!wide || longest + 4 + 26 + 2 > width, "wider than {width}: {line}");
        }
    }
    let text = printed(Style { color: true, ..Style::plain() });
    assert!(text.contains("\u{1b}[31m✗") && text.contains("\u{1b}[32m✔"), "{text}");
    let ascii = printed(Style { unicode: false, ..Style::plain() });
    assert!(
        ascii.contains("  + Create GitHub repository acme/bases") && ascii.contains("  x ECR repository"),
        "{ascii}"
    );
    assert!(!ascii.contains(['✔', '✗', '◎', '►', '\u{1b}']));
}

/// The guide shows what the program prints, 100 columns wide.
#[test]
fn the_guide_shows_the_list_as_it_is_printed() {
    let path = crate::support::tools::root().join("docs/status.md");
    let guide = std::fs::read_to_string(&path).unwrap_or_default();
    let (begin, end) = ("<!-- session -->\n```text\n", "```\n<!-- end of session -->");
    let (before, rest) = guide.split_once(begin).expect("a session in the guide");
    let (shown, after) = rest.split_once(end).expect("the end of the session");
    let session = format!("$ sbi status\n{}", printed(Style { width: 100, ..Style::plain() }));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{session}{end}{after}")).unwrap();
        return;
    }
    assert!(shown == session, "docs/status.md is not up to date: `UPDATE_DOCS=1 cargo test checklist` writes it");
}

#[test]
fn the_document_for_programs_says_the_same() {
    let (desired, reality) = half_done();
    let status = ask(&desired, &reality);
    let json = serde_json::to_value(sbi::ui::status::StatusJson::new(&status, &desired.config, now())).unwrap();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["checked_at"], "2026-11-25T12:00:00Z");
    assert_eq!(json["entries"].as_array().unwrap().len(), status.entries.len());
    let of = |id: &str| json["entries"].as_array().unwrap().iter().find(|entry| entry["id"] == id).unwrap().clone();
    assert_eq!(of("ecr-settings:acme/bases")["state"], "drifted");
    assert_eq!(of("ecr-settings:acme/bases")["mend"], "sbi apply");
    assert_eq!(of("secret:ECR_REPOSITORY")["state"], "to_do");
    assert_eq!(of("marketplace-seller")["url"], "https://aws.amazon.com/marketplace/management");
    let fact = |key: &str| json["facts"].as_array().unwrap().iter().find(|fact| fact["key"] == key).unwrap().clone();
    assert_eq!(fact("open_findings")["counts"]["high"], 2);
    assert_eq!(fact("rescan_issue")["state"], "unknown");
    let pending: Vec<&str> = json["pending"].as_array().unwrap().iter().map(|title| title.as_str().unwrap()).collect();
    assert_eq!(
        pending,
        [
            "Supported releases are scanned again",
            "ECR repository acme/bases keeps what it publishes",
            "Add ECR_REPOSITORY",
            "access key",
        ]
    );
}

/// Every other GitHub issues its tokens under a URL of its own: its roles can't be planned.
#[test]
fn what_cannot_be_planned_at_all_is_told_at_the_identities() {
    let (desired, reality) = wanted(Auth::Oidc, &["static-go"]);
    let refusal = Unread { why: "ghe.example issues tokens of its own".into(), help: Some("use a user".into()) };
    let status = judge(&Question {
        desired: &desired,
        reality: &reality,
        promises: &promises(&desired),
        edits: &BTreeMap::new(),
        refusal: Some(refusal),
        repository_url: "https://ghe.example/acme/bases",
        converge: "sbi apply",
        update: "sbi update",
        max_age: days(90),
        now: now(),
    });
    assert_eq!(
        open(&status),
        "access? it is not sbi's to judge: ghe.example issues tokens of its own\n\
         identity: ghe.example issues tokens of its own → use a user"
    );
}
