//! The planner and the executor against a model of the world: from any state, interrupted anywhere, in any order.

mod pull_requests;
mod rename;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use sbi::apply::{Event, Outcome, Report, apply};
use sbi::model::commit::Delivery;
use sbi::model::config::Auth;
use sbi::model::desired::Desired;
use sbi::model::git::BlobId;
use sbi::model::iam::PolicyDocument;
use sbi::model::identity::publishing_policy;
use sbi::model::lock::Lock;
use sbi::model::observed::*;
use sbi::model::ownership::{OWNER_ID_TAG, OWNER_TAG};
use sbi::model::registry::{lifecycle_policy, tag_mutability};
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::plan::setup::{fingerprint, plain_secrets, plan_setup};
use sbi::plan::step::Step;
use sbi::plan::{Node, Plan, StepId};

use crate::support::world::{Hit, World, desired, desired_of, fresh_repository, nothing, provider};

pub(crate) fn run(plan: &Plan, world: &World) -> Report {
    run_watched(plan, world, &|_, _| {})
}

fn run_watched(plan: &Plan, world: &World, watch: &dyn Fn(StepId, Event<'_>)) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(apply(plan, world, std::future::pending(), watch))
}

fn plan_now(desired: &Desired, world: &World) -> Plan {
    plan_setup(desired, &world.observed.borrow())
}

pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.nodes()
        .iter()
        .map(|node| {
            let line = node.step.describe();
            format!("{} {} {}: {}", line.sign.as_str(), line.kind, line.name, line.detail)
        })
        .collect()
}

/// With either sign-in, one image or several.
pub(crate) fn any_desired() -> impl Strategy<Value = Desired> {
    let auth = prop_oneof![Just(Auth::Oidc), Just(Auth::AccessKey)];
    let images = prop::sample::subsequence(IMAGES.to_vec(), 1..=IMAGES.len());
    (auth, images, any::<bool>()).prop_map(|(auth, images, adopt)| Desired { adopt, ..desired_of(auth, &images) })
}

pub(crate) const IMAGES: [&str; 3] = ["static-go", "base-go", "other"];

/// The ECR repository of the only image, and those of several.
const PLACES: [&str; 4] = ["acme/bases", "acme/bases/static-go", "acme/bases/base-go", "acme/bases/other"];

fn any_mutability() -> impl Strategy<Value = TagMutability> {
    prop_oneof![
        Just(TagMutability::Mutable),
        Just(TagMutability::Immutable),
        Just(TagMutability::ImmutableExcept(BTreeSet::from(["latest*".to_owned()]))),
        Just(TagMutability::MutableExcept(BTreeSet::from(["v*".to_owned()]))),
        Just(tag_mutability()),
    ]
}

fn any_ecr_repository() -> impl Strategy<Value = EcrRepository> {
    let lifecycle = prop_oneof![
        Just(None),
        Just(Some(lifecycle_policy())),
        Just(Some(serde_json::json!({"rules": [{"rulePriority": 9}]})))
    ];
    (any_mutability(), any::<bool>(), lifecycle, any::<bool>(), any::<bool>()).prop_map(
        |(tag_mutability, scan_on_push, lifecycle, ours, kms)| EcrRepository {
            arn: "arn:aws:ecr:eu-central-1:123456789012:repository/acme/bases".into(),
            uri: String::new(),
            tag_mutability,
            scan_on_push,
            encryption: if kms { Encryption::Kms { dual_layer: false, key: None } } else { Encryption::Aes256 },
            lifecycle,
            tags: if ours { our_tags(true) } else { BTreeMap::new() },
        },
    )
}

/// The tags of what sbi made, by this version or by one that wrote no number yet.
fn our_tags(numbered: bool) -> BTreeMap<String, String> {
    let tags = [(OWNER_TAG, "acme/bases"), (OWNER_ID_TAG, "9")];
    tags.into_iter().take(if numbered { 2 } else { 1 }).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn any_document() -> impl Strategy<Value = Option<PolicyDocument>> {
    prop_oneof![
        Just(None),
        Just(Some(PolicyDocument::new(Vec::new()))),
        Just(Some(publishing_policy(&desired(Auth::Oidc).config)))
    ]
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(crate) fn any_key() -> impl Strategy<Value = KeyFacts> {
    let used = prop_oneof![Just(None), (0..400_000_i64).prop_map(Some)];
    (0..500_000_i64, any::<bool>(), used).prop_map(|(created, active, used)| KeyFacts {
        id: format!("AKIAFOUND{created}"),
        active,
        created: at(created),
        last_used: used.map(|after| KeyUse {
            at: at(created + after),
            service: "ecr".into(),
            region: "eu-central-1".into(),
        }),
    })
}

prop_compose! {
    fn any_aws()(
        ecr in prop::collection::btree_map(prop::sample::select(PLACES.to_vec()), any_ecr_repository(), 0..=3),
        audience in prop::option::of(prop_oneof![Just("sts.amazonaws.com"), Just("other")]),
        role in prop::option::of(any_document()),
        read_role in prop::option::of(any_document()),
        user in prop::option::of((any_document(), prop::collection::vec(any_key(), 0..=2))),
        numbered in any::<bool>(),
    ) -> AwsObserved {
        let tags = our_tags(numbered);
        let mut aws = nothing().aws;
        aws.ecr_repositories = ecr.into_iter().map(|(name, found)| (name.parse().unwrap(), found)).collect();
        aws.oidc_provider = audience.map(provider);
        let found = |name: &str, policy| Role {
            arn: format!("arn:aws:iam::123456789012:role/{name}"),
            trust: PolicyDocument::new(Vec::new()),
            policy,
            tags: tags.clone(),
        };
        aws.role = role.map(|policy| found("sbi-publish-acme-bases", policy));
        aws.read_role = read_role.map(|policy| found("sbi-read-acme-bases", policy));
        aws.user = user.map(|(policy, keys)| User {
            arn: "arn:aws:iam::123456789012:user/sbi-publish-acme-bases".into(),
            policy,
            tags,
            keys,
        });
        aws
    }
}

fn any_environment() -> impl Strategy<Value = Environment> {
    let patterns = |of: Vec<&'static str>| prop::collection::btree_set(prop::sample::select(of), 0..2);
    let tags = patterns(vec!["v*", "static-go/v*", "nightly"]);
    let policies = (tags, patterns(vec!["main", "release/*"])).prop_map(|(tags, branches)| DeploymentPolicies {
        tags: tags.into_iter().map(str::to_owned).collect(),
        branches: branches.into_iter().map(str::to_owned).collect(),
    });
    prop::option::of(policies).prop_map(|admits| Environment { admits })
}

/// What stands at a path that sbi renders.
#[derive(Clone, Copy, Debug)]
enum Found {
    Absent,
    AsRendered,
    Older,
    Edited,
    Foreign,
    Deleted,
}

/// What a publisher may have written by hand.
const HAND_MADE: &str = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: docker push 1.dkr.ecr.eu-central-1.amazonaws.com/a}]\n";

prop_compose! {
    fn any_github_repository()(
        kind in 0..3,
        found in prop::collection::vec(prop_oneof![
            Just(Found::Absent), Just(Found::AsRendered), Just(Found::Older), Just(Found::Edited),
            Just(Found::Foreign), Just(Found::Deleted)
        ], 3),
        secrets in prop::collection::btree_map(
            prop::sample::select(vec![
                "AWS_REGION", "ECR_REGISTRY", "AWS_ROLE_ARN", "AWS_ACCESS_KEY", "FOREIGN",
            ]),
            0..1_000_000_i64,
            0..6,
        ),
        environments in prop::collection::btree_map(
            prop::sample::select(vec!["publish", "rescan", "other"]), any_environment(), 0..3),
        restricted in any::<bool>(),
        by_hand in any::<bool>(),
        pull_request_required in any::<bool>(),
        signatures_required in any::<bool>(),
    ) -> GithubRepository {
        let mut repository = fresh_repository(kind == 0);
        repository.branch_rules = BranchRules { pull_request_required, signatures_required };
        if kind == 2 {
            let mut lock = Lock { templates: "1.0.0".into(), ..Lock::default() };
            // `sbi.toml` stays out: when it was edited on both sides, the planner refuses.
            for (file, found) in desired(Auth::Oidc).files.iter().zip(found) {
                let path = file.path.clone();
                let other = BlobId::of(b"something else");
                let before = BlobId::of(b"as rendered then");
                match found {
                    Found::Absent => { repository.files.remove(&path); }
                    Found::AsRendered => { repository.files.insert(path, file.blob_id()); }
                    Found::Older => {
                        repository.files.insert(path.clone(), before.clone());
                        lock.files.insert(path, before);
                    }
                    Found::Edited => { repository.files.insert(path.clone(), other); lock.files.insert(path, before); }
                    Found::Foreign => {
                        repository.files.insert(path.clone(), BlobId::of(HAND_MADE.as_bytes()));
                        repository.texts.insert(path, HAND_MADE.to_owned());
                    }
                    Found::Deleted => { repository.files.remove(&path); lock.files.insert(path, before); }
                }
            }
            repository.lock = Some(lock);
        }
        if by_hand && kind != 0 {
            let path = ".github/workflows/by-hand.yml";
            repository.files.insert(path.into(), BlobId::of(HAND_MADE.as_bytes()));
            repository.texts.insert(path.into(), HAND_MADE.to_owned());
        }
        repository.secrets = secrets.into_iter().map(|(name, time)| (name.to_owned(), at(time))).collect();
        repository.environments = environments.into_iter().map(|(name, found)| (name.to_owned(), found)).collect();
        if restricted {
            let actions = repository.actions.as_mut().unwrap();
            actions.default_write = false;
            actions.sha_pinning_required = true;
        }
        repository
    }
}

prop_compose! {
    pub(crate) fn any_world()(aws in any_aws(), repository in prop::option::of(any_github_repository())) -> Observed {
        let mut observed = nothing();
        observed.aws = aws;
        observed.github.repository = repository;
        observed
    }
}

/// The promises about access keys: one that CI uses, and none that nobody knows of.
fn assert_keys_are_sound(observed: &Observed, before: &Observed) {
    let Some(user) = &observed.aws.user else { return };
    let secrets = &observed.github.repository.as_ref().unwrap().secrets;
    let uploaded = secrets[ACCESS_KEY_SECRET];
    let known = |key: &&KeyFacts| before.aws.user.iter().flat_map(|user| &user.keys).any(|old| old.id == key.id);
    let made: Vec<&KeyFacts> = user.keys.iter().filter(|key| !known(key)).collect();
    assert!(made.len() <= 1, "more than one new key stayed");
    assert!(made.iter().all(|key| key.created <= uploaded), "a new key is in no secret");
    assert!(user.keys.iter().any(|key| key.active), "no key is active");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn from_any_state_the_plan_is_empty_after_it_was_applied(desired in any_desired(), start in any_world()) {
        let world = World::new(start.clone());
        let plan = plan_now(&desired, &world);
        prop_assume!(plan.refusals.is_empty());
        let report = run(&plan, &world);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        let again = plan_now(&desired, &world);
        prop_assert!(again.refusals.is_empty(), "{:?}", again.refusals);
        prop_assert!(again.is_empty(), "{:#?}", lines(&again));
        if desired.config.publish.auth == Auth::AccessKey {
            assert_keys_are_sound(&world.observed.borrow(), &start);
        }
    }

    #[test]
    fn what_was_made_by_hand_goes_by_pull_request_after_a_yes_and_never_otherwise(
        desired in any_desired(),
        start in any_world(),
    ) {
        let plan = plan_setup(&desired, &start);
        let found = start.github.repository.as_ref();
        let lock = found.and_then(|found| found.lock.clone()).unwrap_or_default();
        let theirs = |path: &String| {
            found.is_some_and(|found| found.texts.contains_key(path)) && !lock.files.contains_key(path)
        };
        for node in plan.nodes() {
            let Step::CommitFiles { commit, .. } = &node.step else { continue };
            prop_assert!(commit.deletions.iter().all(theirs), "{:?}", commit.deletions);
            if commit.files.keys().chain(&commit.deletions).any(theirs) {
                prop_assert!(desired.adopt);
                let Delivery::PullRequest { body, .. } = &commit.delivery else { panic!("pushed over theirs") };
                prop_assert!(body.contains("    steps: [{run: docker push"), "{}", body);
            }
        }
        let has_release = plan.nodes().iter().any(|node| matches!(node.step, Step::CreateRelease { .. }));
        prop_assert!(!(plan.adopts && has_release), "released before the merge");
        prop_assert!(!plan.hand_made.iter().any(|found| found.path == "README.md"));
    }

    #[test]
    fn interrupted_anywhere_a_second_run_finishes(
        desired in any_desired(),
        start in any_world(),
        at in 0..30_usize,
        hit in prop_oneof![Just(Hit::Before), Just(Hit::Midway), Just(Hit::After)],
    ) {
        let world = World::new(start.clone());
        let plan = plan_now(&desired, &world);
        prop_assume!(plan.refusals.is_empty() && at < plan.nodes().len());
        world.hit.set(Some((at, hit)));
        let report = run(&plan, &world);
        prop_assert!(!report.succeeded());
        world.next_run();
        let second = plan_now(&desired, &world);
        prop_assert!(second.refusals.is_empty(), "{:?}", second.refusals);
        let report = run(&second, &world);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        let third = plan_now(&desired, &world);
        prop_assert!(third.is_empty(), "{:#?}", lines(&third));
        if desired.config.publish.auth == Auth::AccessKey {
            assert_keys_are_sound(&world.observed.borrow(), &start);
        }
    }

    #[test]
    fn a_failure_skips_what_depends_on_it_and_nothing_else(desired in any_desired(), start in any_world(), at in 0..30_usize) {
        let world = World::new(start);
        let plan = plan_now(&desired, &world);
        prop_assume!(plan.refusals.is_empty() && at < plan.nodes().len());
        world.hit.set(Some((at, Hit::Before)));
        let report = run(&plan, &world);
        let failed: Vec<usize> = report.failures().map(|(index, _)| index).collect();
        prop_assert_eq!(failed.len(), 1);
        for (index, outcome) in report.outcomes.iter().enumerate() {
            let doomed = depends_on(&plan, index, failed[0]);
            prop_assert_eq!(doomed, matches!(outcome, Outcome::Skipped), "step {}", index);
        }
    }

    #[test]
    fn no_step_starts_before_what_it_needs_whatever_the_pace(
        desired in any_desired(),
        start in any_world(),
        paces in prop::collection::vec(0..20_usize, 8),
    ) {
        let mut world = World::new(start);
        world.patience = Box::new(move |step| {
            let name = step.describe();
            paces[(name.kind.len() + name.name.len() + name.detail.len()) % paces.len()]
        });
        let plan = plan_now(&desired, &world);
        prop_assume!(plan.refusals.is_empty());
        let done = RefCell::new(BTreeSet::new());
        let watch = |id: StepId, event: Event<'_>| match event {
            Event::Started => {
                for need in &plan.node(id).needs {
                    assert!(done.borrow().contains(need), "{need:?} was not done when {id:?} started");
                }
            }
            Event::Done(_) => { done.borrow_mut().insert(id); }
            Event::Waiting(_) | Event::Failed(_) | Event::Skipped => {}
        };
        let report = run_watched(&plan, &world, &watch);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
    }
}

fn depends_on(plan: &Plan, index: usize, on: usize) -> bool {
    let needs = &plan.nodes()[index].needs;
    needs.iter().any(|need| need.index() == on || depends_on(plan, need.index(), on))
}

/// The plan without one need of one step; `None` where the step's other needs imply it.
pub(crate) fn without_edge(plan: &Plan, index: usize, dropped: StepId) -> Option<Plan> {
    let mut others = plan.nodes()[index].needs.iter().filter(|need| **need != dropped);
    if others.any(|other| depends_on(plan, other.index(), dropped.index())) {
        return None;
    }
    let mut mutant = Plan::default();
    let mut ids = Vec::new();
    for (other, node) in plan.nodes().iter().enumerate() {
        let needs = node.needs.iter().filter(|need| other != index || **need != dropped);
        let needs: Vec<StepId> = needs.map(|need| ids[need.index()]).collect();
        ids.push(mutant.add(node.step.clone(), needs));
    }
    Some(mutant)
}

/// Each edge is there for a reason: without it, some pace breaks the order that AWS or GitHub insists on.
#[test]
fn every_edge_that_is_dropped_breaks_the_run() {
    for (auth, images) in [(Auth::Oidc, 1), (Auth::AccessKey, 1), (Auth::Oidc, 2), (Auth::AccessKey, 2)] {
        let desired = desired_of(auth, &IMAGES[..images]);
        let plan = plan_setup(&desired, &nothing());
        let mut checked = 0;
        for index in 0..plan.nodes().len() {
            for dropped in &plan.nodes()[index].needs {
                let is_release = plan.nodes()[index].step.describe().kind == "release";
                if is_release {
                    continue;
                }
                let Some(mutant) = without_edge(&plan, index, *dropped) else { continue };
                let slow = plan.node(*dropped).step.clone();
                let mut world = World::new(nothing());
                world.patience = Box::new(move |step| if *step == slow { 100 } else { 0 });
                let report = run(&mutant, &world);
                assert!(!report.succeeded(), "edge {} → {} is not needed", dropped.index(), index);
                checked += 1;
            }
        }
        assert!(checked >= 5, "only {checked} edges were checked");
    }
}

/// The release starts the pipeline: whatever else the plan holds comes first.
#[test]
fn each_release_needs_every_other_step_and_no_other_release() {
    for (auth, images) in [(Auth::Oidc, 1), (Auth::AccessKey, 1), (Auth::Oidc, 3), (Auth::AccessKey, 3)] {
        let plan = plan_setup(&desired_of(auth, &IMAGES[..images]), &nothing());
        let is_release = |node: &&Node| node.step.describe().kind == "release";
        let (releases, others): (Vec<&Node>, Vec<&Node>) = plan.nodes().iter().partition(is_release);
        assert_eq!(releases.len(), images);
        for release in releases {
            // All but the other releases, which go their own ways.
            assert_eq!(release.needs.len(), others.len());
            assert!(release.needs.iter().all(|need| need.index() < others.len()));
        }
    }
}

#[test]
fn a_cancelled_run_starts_nothing_more_and_a_second_one_finishes() {
    let desired = desired(Auth::Oidc);
    let world = World::new(nothing());
    let plan = plan_now(&desired, &world);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(apply(&plan, &world, std::future::ready(()), &|_, _| {}));
    assert!(report.cancelled);
    assert!(report.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Skipped)));
    assert!(report.failures().next().is_none());
    assert!(run(&plan_now(&desired, &world), &world).succeeded());
}

#[test]
fn from_nothing_with_oidc_the_plan_reads_like_this() {
    let plan = plan_setup(&desired(Auth::Oidc), &nothing());
    insta::assert_snapshot!(lines(&plan).join("\n"));
}

#[test]
fn from_nothing_with_two_images_the_plan_reads_like_this() {
    let plan = plan_setup(&desired_of(Auth::Oidc, &IMAGES[..2]), &nothing());
    insta::assert_snapshot!(lines(&plan).join("\n"));
}

#[test]
fn a_role_that_no_job_assumes_is_not_made() {
    let mut desired = desired(Auth::Oidc);
    desired.reading.clear();
    let plan = plan_setup(&desired, &nothing());
    let roles = lines(&plan).into_iter().filter(|line| line.starts_with("+ IAM role sbi-")).count();
    assert_eq!(roles, 1);
}

/// Only those that are missing are released, and each by itself.
#[test]
fn a_second_image_is_released_beside_the_first() {
    let desired = desired_of(Auth::Oidc, &IMAGES[..2]);
    let world = World::new(nothing());
    assert!(run(&plan_now(&desired, &world), &world).succeeded());
    let mut observed = world.observed.into_inner();
    let repository = observed.github.repository.as_mut().unwrap();
    let gone = repository.releases.iter().position(|release| release.tag.to_string() == "base-go/v1.0.0").unwrap();
    let released: Vec<String> = repository.releases.iter().map(|release| release.tag.to_string()).collect();
    assert_eq!(released, ["static-go/v1.0.0", "base-go/v1.0.0"]);
    repository.releases.remove(gone);
    repository.tags.remove("base-go/v1.0.0");
    let plan = plan_setup(&desired, &observed);
    assert_eq!(lines(&plan), ["+ release base-go/v1.0.0: starts the publishing pipeline"]);
    // The same name in somebody else's hands stops both: the version is one for all.
    let repository = observed.github.repository.as_mut().unwrap();
    repository.tags.extend(["base-go/v1.0.0".to_owned(), "static-go/v1.0.1".to_owned(), "v1.0.2".to_owned()]);
    insta::assert_snapshot!(refusal(&desired, &observed), @r"
    base-go/v1.0.0 is taken in acme/bases: no published version is ever reused
    the next free one: `--release v1.0.2`
    ");
}

/// From one image to several: each gets an ECR repository below the name, and the secret of the only one goes unread.
#[test]
fn one_image_becomes_several_without_a_touch_on_what_was_published() {
    let (_, observed) = set_up(Auth::Oidc);
    let desired = desired_of(Auth::Oidc, &IMAGES[..2]);
    let plan = plan_setup(&desired, &observed);
    assert_eq!(plan.refusals.len(), 0);
    let lines = lines(&plan);
    let made: Vec<&String> = lines.iter().filter(|line| line.starts_with("+ ECR repository ")).collect();
    assert_eq!(made.len(), 2, "{lines:#?}");
    let has = |text: &str| assert!(lines.iter().any(|line| line.contains(text)), "{text}: {lines:#?}");
    has(
        "~ IAM role policy sbi-publish-acme-bases: sbi-publish: pushes to acme/bases/static-go, acme/bases/base-go and",
    );
    has("~ IAM role policy sbi-read-acme-bases: sbi-read: reads acme/bases/static-go, acme/bases/base-go and");
    has("~ environment publish: only tags base-go/v*, static-go/v* deploy");
    assert!(!lines.iter().any(|line| line.ends_with("ECR repository acme/bases")), "{lines:#?}");
    let kept = plan.kept.iter().find(|kept| kept.what == "secret ECR_REPOSITORY").unwrap();
    assert!(kept.why.starts_with("is read by no workflow of sbi's"), "{}", kept.why);
}

/// The nightly scan with an access key holds it in an environment that no branch but the default one reaches.
#[test]
fn with_an_access_key_the_nightly_scans_environment_admits_the_default_branch_only() {
    let with_key = plan_setup(&desired(Auth::AccessKey), &nothing());
    let environments = |plan: &Plan| -> Vec<String> {
        lines(plan).into_iter().filter(|line| line[2..].starts_with("environment ")).collect()
    };
    assert_eq!(
        environments(&with_key),
        ["+ environment publish: only tags v* deploy", "+ environment rescan: only the default branch deploys"]
    );
    assert_eq!(environments(&plan_setup(&desired(Auth::Oidc), &nothing())).len(), 1);
    let mut observed = nothing();
    let mut repository = fresh_repository(false);
    repository.identity.default_branch = "trunk".into();
    let admits = DeploymentPolicies { tags: BTreeSet::new(), branches: BTreeSet::from(["main".to_owned()]) };
    repository.environments.insert("rescan".into(), Environment { admits: Some(admits) });
    observed.github.repository = Some(repository);
    let plan = plan_setup(&desired(Auth::AccessKey), &observed);
    assert!(environments(&plan).contains(&"~ environment rescan: only branch trunk deploys".to_owned()));
    let mut without = desired(Auth::AccessKey);
    without.config.publish.environment = None;
    assert_eq!(environments(&plan_setup(&without, &nothing())), Vec::<String>::new());
}

#[test]
fn from_nothing_with_an_access_key_the_plan_reads_like_this() {
    let plan = plan_setup(&desired(Auth::AccessKey), &nothing());
    insta::assert_snapshot!(lines(&plan).join("\n"));
}

fn set_up(auth: Auth) -> (Desired, Observed) {
    let desired = desired(auth);
    let world = World::new(nothing());
    assert!(run(&plan_now(&desired, &world), &world).succeeded());
    (desired, world.observed.into_inner())
}

#[track_caller]
fn refusal(desired: &Desired, observed: &Observed) -> String {
    let plan = plan_setup(desired, observed);
    assert_eq!(plan.refusals.len(), 1, "{:?}", plan.refusals);
    let failure = &plan.refusals[0];
    format!("{failure}\n{}", failure.hints().join("\n"))
}

#[test]
fn credentials_of_another_account_are_refused() {
    let mut observed = nothing();
    observed.aws.caller.account = "999999999999".parse().unwrap();
    insta::assert_snapshot!(refusal(&desired(Auth::Oidc), &observed), @r"
    these AWS credentials belong to account 999999999999, `sbi.toml` pins 123456789012
    you are arn:aws:iam::123456789012:user/operator: choose another profile with `--profile NAME` or AWS_PROFILE
    ");
}

#[test]
fn a_repository_under_somebody_elses_account_is_refused() {
    let mut observed = nothing();
    observed.github.owner = Owner { login: "acme".into(), id: 8, is_organization: false, plan: None };
    observed.github.viewer.login = "eve".into();
    insta::assert_snapshot!(refusal(&desired(Auth::Oidc), &observed), @r"
    acme/bases does not exist or is hidden from eve, and only acme can create it
    use your own account: `--github eve/bases`
    ");
}

#[test]
fn a_role_that_sbi_did_not_make_is_never_taken_over() {
    let (desired, mut observed) = set_up(Auth::Oidc);
    observed.aws.role.as_mut().unwrap().tags.clear();
    insta::assert_snapshot!(refusal(&desired, &observed), @r"
    IAM role sbi-publish-acme-bases exists and was not made by sbi
    choose another name: `--role-name NAME`
    or hand it over: `aws iam tag-role --role-name sbi-publish-acme-bases --tags Key=sbi:github-repository,Value=acme/bases Key=sbi:adopted,Value=true`
    ");
    let tags = &mut observed.aws.role.as_mut().unwrap().tags;
    tags.extend([(OWNER_TAG.to_owned(), "acme/other".to_owned()), (OWNER_ID_TAG.to_owned(), "10".to_owned())]);
    assert!(refusal(&desired, &observed).contains("belongs to GitHub repository acme/other"));
    let (desired, mut observed) = set_up(Auth::Oidc);
    observed.aws.read_role.as_mut().unwrap().tags.clear();
    let refused = refusal(&desired, &observed);
    assert!(refused.starts_with("IAM role sbi-read-acme-bases exists and was not made by sbi"), "{refused}");
    assert!(refused.contains("`--read-role-name NAME`"), "{refused}");
}

#[test]
fn the_callers_own_identity_is_never_changed() {
    let (desired, mut observed) = set_up(Auth::AccessKey);
    let user = observed.aws.user.as_mut().unwrap();
    user.policy = None;
    observed.aws.caller.arn.clone_from(&user.arn);
    assert!(refusal(&desired, &observed).contains("you are signed in as IAM user"));
}

#[test]
fn more_images_than_iam_stores_a_policy_for_are_refused_before_anything() {
    let names: Vec<String> = (0..200).map(|number| format!("static-go-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for (auth, fits, too_many) in [(Auth::AccessKey, 20, 30), (Auth::Oidc, 100, 200)] {
        let plan = plan_setup(&desired_of(auth, &names[..fits]), &nothing());
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let plan = plan_setup(&desired_of(auth, &names[..too_many]), &nothing());
        let told = plan.refusals.first().map(ToString::to_string).unwrap_or_default();
        assert!(
            told.starts_with(&format!("{too_many} images are too many for one identity: the policy of ")),
            "{told}"
        );
    }
}

#[test]
fn a_taken_version_is_never_reused_and_the_next_free_one_is_offered() {
    let (desired, mut observed) = set_up(Auth::Oidc);
    let repository = observed.github.repository.as_mut().unwrap();
    repository.releases.clear();
    repository.tags = ["v1.0.0", "v1.0.1"].into_iter().map(str::to_owned).collect();
    insta::assert_snapshot!(refusal(&desired, &observed), @r"
    v1.0.0 is taken in acme/bases: no published version is ever reused
    the next free one: `--release v1.0.2`
    ");
}

#[test]
fn two_keys_that_others_use_leave_no_room_and_are_not_touched() {
    let (desired, mut observed) = set_up(Auth::AccessKey);
    let key = |id: &str| KeyFacts {
        id: id.into(),
        active: true,
        created: at(0),
        last_used: Some(KeyUse { at: at(900_000), service: "s3".into(), region: "eu-west-1".into() }),
    };
    observed.aws.user.as_mut().unwrap().keys = vec![key("AKIA1"), key("AKIA2")];
    observed.github.repository.as_mut().unwrap().secrets.remove(ACCESS_KEY_SECRET);
    assert!(refusal(&desired, &observed).contains("has 2 access keys already"));
    assert!(plan_setup(&desired, &observed).is_empty());
}

/// The mark tells what may be taken back from what was there before.
#[test]
fn an_adopted_ecr_repository_is_marked_as_such_and_a_created_one_is_not() {
    let (desired, mut observed) = set_up(Auth::Oidc);
    let name = "acme/bases".parse().unwrap();
    let made = observed.aws.ecr_repositories.get_mut(&name).unwrap();
    assert_eq!(made.tags.keys().collect::<Vec<_>>(), [OWNER_TAG, OWNER_ID_TAG]);
    made.tags = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    let world = World::new(observed);
    let plan = plan_now(&desired, &world);
    assert_eq!(
        lines(&plan),
        [
            "~ ECR repository acme/bases: marked as ours: sbi:adopted=true, sbi:github-repository=acme/bases, sbi:github-repository-id=9"
        ]
    );
    assert!(run(&plan, &world).succeeded());
    assert!(plan_now(&desired, &world).is_empty());
}

#[test]
fn an_edited_file_stays_until_its_path_is_named() {
    let (mut desired, mut observed) = set_up(Auth::Oidc);
    let repository = observed.github.repository.as_mut().unwrap();
    repository.files.insert("README.md".into(), BlobId::of(b"edited"));
    let plan = plan_setup(&desired, &observed);
    assert!(plan.is_empty());
    assert!(plan.kept.iter().any(|kept| kept.what == "file README.md" && kept.why.contains("was edited")));
    desired.overwrite.insert("README.md".into());
    let plan = plan_setup(&desired, &observed);
    assert_eq!(lines(&plan), ["~ files main: 1 changed, one commit"]);
}

#[test]
fn protected_branches_get_a_pull_request_and_the_release_waits_for_the_merge() {
    let desired = desired(Auth::Oidc);
    let mut observed = nothing();
    let mut repository = fresh_repository(false);
    repository.branch_rules.pull_request_required = true;
    observed.github.repository = Some(repository);
    let world = World::new(observed);
    let plan = plan_now(&desired, &world);
    assert!(!lines(&plan).iter().any(|line| line.starts_with("+ release")));
    assert_eq!(plan.waiting, ["merge the pull request of this run, then run `sbi apply`"]);
    assert!(run(&plan, &world).succeeded());
    let second = plan_now(&desired, &world);
    assert!(second.is_empty());
    assert!(second.waiting[0].starts_with("merge https://github.com/acme/bases/pull/"));
    // A person merges it.
    let mut observed = world.observed.into_inner();
    let repository = observed.github.repository.as_mut().unwrap();
    let merged = repository.pull_requests.remove(0);
    repository.files = merged.files;
    repository.lock = Some(Lock {
        uploaded: plain_secrets(&desired.config)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), fingerprint(&value)))
            .collect(),
        files: desired.files.iter().map(|file| (file.path.clone(), file.blob_id())).collect(),
        templates: desired.templates.clone(),
        repository: Some(desired.config.github.repository.clone()),
        ..Lock::default()
    });
    let third = plan_setup(&desired, &observed);
    let last = lines(&third).pop().unwrap();
    assert!(last.starts_with("+ release v1.0.0"), "{last}");
}

#[test]
fn a_changed_region_rewrites_the_secrets_before_the_lock_says_so() {
    let (mut desired, observed) = set_up(Auth::Oidc);
    desired.config.aws.region = "us-east-1".parse().unwrap();
    let text = desired.config.to_text();
    desired.files.iter_mut().find(|file| file.path == "sbi.toml").unwrap().text = text;
    let plan = plan_setup(&desired, &observed);
    let kinds: Vec<&str> = plan.nodes().iter().map(|node| node.step.describe().kind).collect();
    let commit = kinds.iter().position(|kind| *kind == "files").unwrap();
    for (index, kind) in kinds.iter().enumerate() {
        if *kind == "secret" {
            assert!(depends_on(&plan, commit, index));
        }
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "secret").count(), 2);
}
