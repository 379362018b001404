//! The planner of `sbi destroy` against the model of the world: what is ours goes, what is not stays, in an order that
//! leaves no door open, and a run that was interrupted anywhere is finished by the next one.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sbi::apply::{Outputs, Report, System, apply};
use sbi::failure::Failure;
use sbi::model::config::{Auth, Config};
use sbi::model::desired::Desired;
use sbi::model::git::BlobId;
use sbi::model::holdings::{EnvironmentHoldings, Holdings, IamHoldings, ImageFacts};
use sbi::model::lock::LOCK_FILE;
use sbi::model::observed::*;
use sbi::model::ownership::{ADOPTED_TAG, Claimant, OWNER_ID_TAG, OWNER_TAG};
use sbi::model::secrets::ACCESS_KEY_SECRET;
use sbi::plan::Plan;
use sbi::plan::destroy::{Wish, plan_destroy};
use sbi::plan::setup::{followed, plan_setup};
use sbi::plan::step::{Produced, Step};

use crate::planning::{IMAGES, any_desired, any_world, at, lines, run, without_edge};
use crate::support::world::{Hit, World, desired, desired_of, nothing};

const ALL: Wish = Wish { delete_images: true, delete_repository: false, by_pull_request: false };

fn plan_now(config: &Config, wish: Wish, world: &World) -> Plan {
    plan_destroy(config, wish, &world.observed.borrow(), &world.holdings.borrow())
}

/// The world, and at every step the promises about the order: a step that breaks one fails.
struct Guarded<'w> {
    world: &'w World,
    config: &'w Config,
    wish: Wish,
    broken: Cell<bool>,
}

impl Guarded<'_> {
    /// What the step does too early.
    fn violation(&self, step: &Step) -> Option<&'static str> {
        let (observed, holdings) = (self.world.observed.borrow(), self.world.holdings.borrow());
        let aws = &observed.aws;
        let claimant = claimant(self.config, &observed);
        let made = |tags, trust| claimant.owns(tags, trust) && !tags.contains_key(ADOPTED_TAG);
        let mut roles = [&aws.role, &aws.read_role].into_iter().flatten();
        let open = roles.any(|role| made(&role.tags, Some(&role.trust)))
            || aws.user.as_ref().is_some_and(|user| made(&user.tags, None));
        let of_the_key = |name: &str| name == ACCESS_KEY_SECRET;
        match step {
            Step::DeleteSecret { name, .. } if of_the_key(name) => None,
            Step::DeleteEnvironment { .. }
            | Step::DeleteImages { .. }
            | Step::DeleteEcrRepository { .. }
            | Step::UntagEcrRepository { .. }
            | Step::DeleteSecret { .. } => open.then_some("CI can still sign in"),
            Step::DeleteAccessKey { .. } => {
                let plan = plan_destroy(self.config, self.wish, &observed, &holdings);
                let proves = plan.nodes().iter().any(|node| match &node.step {
                    Step::DeleteSecret { name, .. } => of_the_key(name),
                    _ => false,
                });
                proves.then_some("the key proves whose the secret is")
            }
            Step::CommitFiles { .. } | Step::DeleteGithubRepository { .. } | Step::DeleteBranch { .. } => {
                let plan = plan_destroy(self.config, self.wish, &observed, &holdings);
                let others = plan.nodes().iter().any(|node| {
                    !matches!(
                        node.step,
                        Step::CommitFiles { .. } | Step::DeleteGithubRepository { .. } | Step::DeleteBranch { .. }
                    )
                });
                others.then_some("the configuration is needed to finish an interrupted run")
            }
            _ => None,
        }
    }
}

impl System for Guarded<'_> {
    async fn apply(&self, step: &Step, outputs: &Outputs, say: &dyn Fn(String)) -> Result<Produced, Failure> {
        if let Some(violation) = self.violation(step) {
            self.broken.set(true);
            return Err(Failure::new(violation));
        }
        self.world.apply(step, outputs, say).await
    }
}

/// Runs a plan, and tells whether every promise about the order was kept.
fn run_guarded(plan: &Plan, world: &World, config: &Config, wish: Wish) -> (Report, bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let guarded = Guarded { world, config, wish, broken: Cell::new(false) };
    let report = runtime.block_on(apply(plan, &guarded, std::future::pending(), &|_, _| {}));
    (report, !guarded.broken.get())
}

fn image(number: u8) -> ImageFacts {
    ImageFacts {
        digest: format!("sha256:{}", format!("{number:02x}").repeat(32)).parse().unwrap(),
        tags: BTreeSet::from([format!("v1.0.{number}")]),
        pushed: Some(at(1_764_000_000 + i64::from(number))),
        bytes: 1_234_567,
    }
}

prop_compose! {
    fn any_holdings()(
        images in prop::collection::vec(0..4_u8, 4),
        secret in any::<bool>(),
        reviewer in any::<bool>(),
        branch in any::<bool>(),
    ) -> Holdings {
        let names = ["acme/bases", "acme/bases/static-go", "acme/bases/base-go", "acme/bases/other"];
        let held = EnvironmentHoldings {
            secrets: secret.then(|| "THEIRS".to_owned()).into_iter().collect(),
            rules: reviewer.then(|| "required_reviewers".to_owned()).into_iter().collect(),
            ..EnvironmentHoldings::default()
        };
        Holdings {
            images: names
                .into_iter()
                .zip(images)
                .map(|(name, count)| (name.parse().unwrap(), (0..count).map(image).collect()))
                .collect(),
            environments: BTreeMap::from([("publish".to_owned(), held)]),
            branches: branch.then(|| "sbi/setup".to_owned()).into_iter().collect(),
            ..Holdings::default()
        }
    }
}

fn claimant(config: &Config, observed: &Observed) -> Claimant {
    Claimant::new(&config.github.repository, observed.github.repository.as_ref())
}

/// What nobody may touch: everything that carries no sign of ours.
#[derive(Debug, PartialEq)]
struct Foreign {
    ecr: BTreeMap<String, (EcrRepository, Vec<ImageFacts>)>,
    provider: Option<OidcProvider>,
    roles: Vec<Role>,
    user: Option<User>,
    files: BTreeMap<String, BlobId>,
    secrets: BTreeSet<String>,
    environments: BTreeMap<String, Environment>,
    releases: Vec<Release>,
    tags: BTreeSet<String>,
    actions: Option<ActionsPermissions>,
}

fn foreign(config: &Config, observed: &Observed, holdings: &Holdings) -> Foreign {
    let Observed { aws, github } = observed;
    let claimant = claimant(config, observed);
    let ours_by = |tags: &BTreeMap<String, String>, trust| claimant.owns(tags, trust);
    let kept = |tags: &BTreeMap<String, String>, trust| !ours_by(tags, trust) || tags.contains_key(ADOPTED_TAG);
    let without_marks = |found: &EcrRepository| {
        let mut found = found.clone();
        if ours_by(&found.tags, None) {
            found.tags.retain(|key, _| !key.starts_with("sbi:"));
        }
        found
    };
    let ecr = aws.ecr_repositories.iter().filter(|(_, found)| kept(&found.tags, None));
    let repository = github.repository.as_ref();
    let lock = repository.and_then(|found| found.lock.clone()).unwrap_or_default();
    let open = repository.map_or(&[][..], |found| &found.pull_requests);
    let proposed: Vec<_> = open.iter().filter_map(|open| open.lock.as_ref()).collect();
    let keys = aws.user.iter().filter(|user| ours_by(&user.tags, None)).flat_map(|user| &user.keys);
    let keys: Vec<_> = keys.collect();
    let ours = |name: &str, written: jiff::Timestamp| {
        let of_the_key = name == ACCESS_KEY_SECRET;
        lock.uploaded.contains_key(name)
            || proposed.iter().any(|lock| lock.uploaded.contains_key(name))
            || (of_the_key && keys.iter().any(|key| written + jiff::SignedDuration::from_secs(5) >= key.created))
    };
    let made_environment = |name: &String, found: &Environment| {
        let held = holdings.environments.get(name).cloned().unwrap_or_default();
        let exact = match (name.as_str(), &found.admits) {
            ("publish", Some(policies)) => {
                let tags = config.outlets().into_iter().map(|outlet| outlet.tag_pattern).collect();
                policies.tags.is_subset(&tags) && policies.branches.is_empty()
            }
            ("rescan", Some(policies)) => {
                config.rescan_environment().is_some()
                    && policies.tags.is_empty()
                    && policies.branches.iter().all(|branch| branch == "main")
            }
            _ => false,
        };
        exact && held == EnvironmentHoldings::default()
    };
    Foreign {
        ecr: ecr
            .map(|(name, found)| {
                let images = holdings.images.get(name).cloned().unwrap_or_default();
                (name.to_string(), (without_marks(found), images))
            })
            .collect(),
        provider: aws.oidc_provider.clone(),
        roles: [&aws.role, &aws.read_role]
            .into_iter()
            .flatten()
            .filter(|role| kept(&role.tags, Some(&role.trust)))
            .cloned()
            .collect(),
        user: aws.user.clone().filter(|user| kept(&user.tags, None)),
        files: repository
            .map(|found| found.files.clone())
            .unwrap_or_default()
            .into_iter()
            .filter(|(path, blob)| {
                let first = repository.is_some_and(|found| found.lock.is_none())
                    && path == "sbi.toml"
                    && *blob == BlobId::of(config.to_text().as_bytes());
                // What GitHub would make itself stands in for an empty tree.
                let hosts = *blob == BlobId::of(b"# bases\n");
                path != LOCK_FILE && lock.files.get(path) != Some(blob) && !first && !hosts
            })
            .collect(),
        secrets: repository
            .map(|found| found.secrets.iter().filter(|(name, at)| !ours(name, **at)).map(|(n, _)| n.clone()).collect())
            .unwrap_or_default(),
        environments: repository
            .map(|found| {
                let theirs = found.environments.iter().filter(|(name, found)| !made_environment(name, found));
                theirs.map(|(name, found)| (name.clone(), found.clone())).collect()
            })
            .unwrap_or_default(),
        releases: repository.map(|found| found.releases.clone()).unwrap_or_default(),
        tags: repository.map(|found| found.tags.clone()).unwrap_or_default(),
        actions: repository.and_then(|found| found.actions.clone()),
    }
}

/// Nothing that carries our mark is left.
#[track_caller]
fn assert_gone(config: &Config, observed: &Observed) {
    let aws = &observed.aws;
    let claimant = claimant(config, observed);
    let marked: Vec<_> = aws.ecr_repositories.iter().filter(|(_, found)| claimant.owns(&found.tags, None)).collect();
    assert!(marked.is_empty(), "{marked:?}");
    for role in [&aws.role, &aws.read_role].into_iter().flatten() {
        let ours = claimant.owns(&role.tags, Some(&role.trust));
        assert!(!ours || role.tags.contains_key(ADOPTED_TAG), "{role:?}");
    }
    assert!(aws.user.as_ref().is_none_or(|user| !claimant.owns(&user.tags, None)), "{:?}", aws.user);
    let Some(found) = &observed.github.repository else { return };
    assert!(found.pull_requests.iter().all(|open| !["sbi/setup", "sbi/update"].contains(&open.branch.as_str())));
    assert_eq!(found.lock, None);
    assert!(!found.files.contains_key(LOCK_FILE), "{:?}", found.files);
}

/// A set-up that came as far as `until` steps, from some state of the world.
fn set_up_until(desired: &Desired, mut start: Observed, holdings: Holdings, until: usize) -> Option<World> {
    // Nothing else is looked at.
    let names = desired.config.ecr_repositories();
    start.aws.ecr_repositories.retain(|name, _| names.contains(name));
    if let Some(repository) = start.github.repository.as_mut().filter(|found| found.lock.is_some()) {
        repository.files.insert(LOCK_FILE.into(), BlobId::of(b"what was read"));
    }
    let world = World::new(start);
    let plan = plan_setup(desired, &world.observed.borrow());
    if !plan.refusals.is_empty() {
        return None;
    }
    world.hit.set(Some((until, Hit::After)));
    let _ = run(&plan, &world);
    world.next_run();
    let exists: BTreeSet<_> = world.observed.borrow().aws.ecr_repositories.keys().cloned().collect();
    let images = holdings.images.into_iter().filter(|(name, _)| exists.contains(name)).collect();
    let branches = world.holdings.borrow().branches.union(&holdings.branches).cloned().collect();
    *world.holdings.borrow_mut() = Holdings { images, branches, ..holdings };
    Some(world)
}

/// A person merges the open pull request that takes the files away.
fn merge(world: &World) {
    let mut observed = world.observed.borrow_mut();
    let Some(found) = observed.github.repository.as_mut() else { return };
    if let Some(at) = found.pull_requests.iter().position(|open| open.branch == "sbi/destroy") {
        found.files = found.pull_requests.remove(at).files;
        found.lock = None;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_set_up_goes_and_what_is_foreign_stays(
        desired in any_desired(),
        start in any_world(),
        holdings in any_holdings(),
        until in 0..40_usize,
    ) {
        let config = &desired.config;
        let Some(world) = set_up_until(&desired, start, holdings, until) else { return Ok(()) };
        let before = foreign(config, &world.observed.borrow(), &world.holdings.borrow());
        let plan = plan_now(config, ALL, &world);
        prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let (report, _) = run_guarded(&plan, &world, config, ALL);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        let again = plan_now(config, ALL, &world);
        prop_assert!(again.refusals.is_empty() && again.is_empty(), "{:#?} {:?}", lines(&again), again.refusals);
        merge(&world);
        let last = plan_now(config, ALL, &world);
        prop_assert!(last.is_empty() && last.waiting.is_empty(), "{:#?} {:?}", lines(&last), last.waiting);
        assert_gone(config, &world.observed.borrow());
        prop_assert_eq!(foreign(config, &world.observed.borrow(), &world.holdings.borrow()), before);
    }

    #[test]
    fn interrupted_anywhere_the_next_run_finishes(
        desired in any_desired(),
        start in any_world(),
        holdings in any_holdings(),
        until in 0..40_usize,
        hits in prop::collection::vec(
            (0..12_usize, prop_oneof![Just(Hit::Before), Just(Hit::Midway), Just(Hit::After)]), 1..4),
        paces in prop::collection::vec(0..20_usize, 8),
    ) {
        let config = &desired.config;
        let Some(mut world) = set_up_until(&desired, start, holdings, until) else { return Ok(()) };
        world.patience = Box::new(move |step| {
            let name = step.describe();
            paces[(name.kind.len() + name.name.len() + name.detail.len()) % paces.len()]
        });
        let before = foreign(config, &world.observed.borrow(), &world.holdings.borrow());
        for hit in hits {
            let plan = plan_now(config, ALL, &world);
            prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
            world.hit.set(Some(hit));
            let (_, in_order) = run_guarded(&plan, &world, config, ALL);
            prop_assert!(in_order);
            world.next_run();
        }
        let plan = plan_now(config, ALL, &world);
        prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let (report, _) = run_guarded(&plan, &world, config, ALL);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        merge(&world);
        let last = plan_now(config, ALL, &world);
        prop_assert!(last.is_empty() && last.waiting.is_empty(), "{:#?} {:?}", lines(&last), last.waiting);
        assert_gone(config, &world.observed.borrow());
        prop_assert_eq!(foreign(config, &world.observed.borrow(), &world.holdings.borrow()), before);
    }
}

/// Each edge is there for a reason: without it, some pace breaks a promise or what IAM and ECR insist on.
#[test]
fn every_edge_that_is_dropped_breaks_the_run() {
    let whole = Wish { delete_repository: true, ..ALL };
    for (auth, images, wish) in [(Auth::Oidc, 1, ALL), (Auth::AccessKey, 2, ALL), (Auth::Oidc, 2, whole)] {
        let (desired, mut observed, mut holdings) = set_up(auth, images);
        if images == 2 {
            let adopted = observed.aws.ecr_repositories.values_mut().next().unwrap();
            adopted.tags.insert(ADOPTED_TAG.into(), "true".into());
        }
        holdings.branches.insert("sbi/setup".into());
        let config = &desired.config;
        let plan = plan_destroy(config, wish, &observed, &holdings);
        let mut checked = 0;
        for index in 0..plan.nodes().len() {
            for dropped in &plan.nodes()[index].needs {
                let Some(mutant) = without_edge(&plan, index, *dropped) else { continue };
                let slow = plan.node(*dropped).step.clone();
                let mut world = World::new(observed.clone());
                *world.holdings.borrow_mut() = holdings.clone();
                world.patience = Box::new(move |step| if *step == slow { 100 } else { 0 });
                let (report, _) = run_guarded(&mutant, &world, config, wish);
                let lines = lines(&plan);
                assert!(!report.succeeded(), "not needed: {} → {}", lines[dropped.index()], lines[index]);
                checked += 1;
            }
        }
        assert!(checked >= 8, "only {checked} edges were checked");
    }
}

/// Everything that `sbi init` makes, and a released image in each ECR repository.
fn set_up(auth: Auth, images: usize) -> (Desired, Observed, Holdings) {
    let desired = desired_of(auth, &IMAGES[..images]);
    let world = World::new(nothing());
    assert!(run(&plan_setup(&desired, &nothing()), &world).succeeded());
    let names = desired.config.ecr_repositories();
    let images = names.into_iter().map(|name| (name, vec![image(1), image(0)])).collect();
    (desired, world.observed.into_inner(), Holdings { images, ..Holdings::default() })
}

#[track_caller]
fn refusal(config: &Config, wish: Wish, observed: &Observed, holdings: &Holdings) -> String {
    let plan = plan_destroy(config, wish, observed, holdings);
    assert_eq!(plan.refusals.len(), 1, "{:?}", plan.refusals);
    let failure = &plan.refusals[0];
    format!("{failure}\n{}", failure.hints().join("\n"))
}

#[track_caller]
fn kept<'p>(plan: &'p Plan, what: &str) -> &'p str {
    let all: Vec<&str> = plan.kept.iter().map(|kept| kept.what.as_str()).collect();
    let found = plan.kept.iter().find(|kept| kept.what == what).unwrap_or_else(|| panic!("{what} is not in {all:?}"));
    &found.why
}

#[test]
fn with_oidc_the_plan_reads_like_this() {
    let (desired, observed, holdings) = set_up(Auth::Oidc, 1);
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    let kept: Vec<String> = plan.kept.iter().map(|kept| format!("{}: {}", kept.what, kept.why)).collect();
    insta::assert_snapshot!(format!("{}\n\n{}", lines(&plan).join("\n"), kept.join("\n")));
}

#[test]
fn with_an_access_key_the_plan_reads_like_this() {
    let (desired, observed, holdings) = set_up(Auth::AccessKey, 2);
    insta::assert_snapshot!(lines(&plan_destroy(&desired.config, ALL, &observed, &holdings)).join("\n"));
}

#[test]
fn a_repository_that_holds_images_is_refused_until_they_may_go() {
    let (desired, observed, holdings) = set_up(Auth::Oidc, 1);
    insta::assert_snapshot!(refusal(&desired.config, Wish::default(), &observed, &holdings));
}

#[test]
fn an_adopted_ecr_repository_loses_our_tags_and_nothing_else() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    let found = observed.aws.ecr_repositories.values_mut().next().unwrap();
    found.tags.insert(ADOPTED_TAG.into(), "true".into());
    let plan = plan_destroy(&desired.config, Wish::default(), &observed, &holdings);
    assert_eq!(plan.refusals.len(), 0, "its images are nobody's business");
    let ecr: Vec<String> = lines(&plan).into_iter().filter(|line| line.contains("ECR repository")).collect();
    assert_eq!(
        ecr,
        ["~ ECR repository acme/bases: stays, without our tags sbi:adopted, sbi:github-repository, \
         sbi:github-repository-id"]
    );
    assert!(kept(&plan, "ECR repository acme/bases").contains("was there before sbi"));
    assert!(kept(&plan, "lifecycle policy of acme/bases").contains("aws ecr delete-lifecycle-policy"));
}

#[test]
fn what_belongs_to_another_repository_stays() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    let tags = |name: &str| [(OWNER_TAG, name), (OWNER_ID_TAG, "10")].map(|(key, value)| (key.into(), value.into()));
    let other = BTreeMap::from(tags("acme/other"));
    observed.aws.role.as_mut().unwrap().tags = other.clone();
    observed.aws.read_role.as_mut().unwrap().tags.clear();
    observed.aws.ecr_repositories.values_mut().next().unwrap().tags = other;
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    assert!(!lines(&plan).iter().any(|line| line.contains("IAM") || line.contains("ECR repository")));
    let others = "belongs to GitHub repository acme/other with the number 10, and acme/bases has the number 9";
    assert_eq!(kept(&plan, "IAM role sbi-publish-acme-bases"), others);
    assert_eq!(kept(&plan, "IAM role sbi-read-acme-bases"), "was not made by sbi");
    assert_eq!(kept(&plan, "ECR repository acme/bases"), others);
    // One that had the name before.
    observed.aws.role.as_mut().unwrap().tags = BTreeMap::from(tags("acme/bases"));
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    assert!(kept(&plan, "IAM role sbi-publish-acme-bases").contains("with the number 10"));
}

#[test]
fn what_a_repository_left_behind_that_is_gone_stays_until_its_number_is_taken_off() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.github.repository = None;
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    assert_eq!(lines(&plan), Vec::<String>::new());
    let mut why: Vec<String> = vec![kept(&plan, "IAM role sbi-publish-acme-bases").into()];
    why.push(kept(&plan, "ECR repository acme/bases").into());
    insta::assert_snapshot!(why.join("\n"), @"
    belongs to GitHub repository acme/bases with the number 9, which is deleted, or elsewhere and hidden from this token; when it is gone for good: `aws iam untag-role --role-name sbi-publish-acme-bases --tag-keys sbi:github-repository-id`, then `sbi destroy` again
    belongs to GitHub repository acme/bases with the number 9, which is deleted, or elsewhere and hidden from this token; when it is gone for good: `aws ecr untag-resource --region eu-central-1 --resource-arn arn:aws:ecr:eu-central-1:123456789012:repository/acme/bases --tag-keys sbi:github-repository-id`, then `sbi destroy` again
    ");
    for tags in [
        &mut observed.aws.role.as_mut().unwrap().tags,
        &mut observed.aws.read_role.as_mut().unwrap().tags,
        &mut observed.aws.ecr_repositories.values_mut().next().unwrap().tags,
    ] {
        tags.remove(OWNER_ID_TAG);
    }
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    assert!(lines(&plan).iter().any(|line| line.starts_with("- ECR repository acme/bases")), "{:?}", lines(&plan));
    assert!(lines(&plan).iter().any(|line| line.starts_with("- IAM role sbi-publish-acme-bases")));
}

#[test]
fn what_was_made_under_a_former_name_is_taken_back_too() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    let (today, before) = ("acme/hardened", lines(&plan_destroy(&desired.config, ALL, &observed, &holdings)));
    observed.github.repository.as_mut().unwrap().full_name = today.into();
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("acme/bases is called acme/hardened now"));
    let config = followed(&desired.config, &observed).unwrap();
    let after = lines(&plan_destroy(&config, ALL, &observed, &holdings));
    assert_eq!(after.len(), before.len(), "{after:?}");
    assert!(after.iter().any(|line| line.starts_with("- IAM role sbi-publish-acme-bases")), "{after:?}");
}

#[test]
fn what_others_hung_on_an_identity_is_a_refusal_with_the_commands_that_show_it() {
    let (desired, observed, mut holdings) = set_up(Auth::AccessKey, 1);
    let one = |text: &str| BTreeSet::from([text.to_owned()]);
    holdings.user = IamHoldings {
        policies: ["sbi-publish", "theirs"].map(str::to_owned).into(),
        attached: one("arn:aws:iam::aws:policy/ReadOnlyAccess"),
        groups: one("admins"),
        mfa_devices: one("arn:aws:iam::123456789012:mfa/phone"),
        has_password: true,
        ..IamHoldings::default()
    };
    insta::assert_snapshot!(refusal(&desired.config, ALL, &observed, &holdings));
    let (desired, observed, mut holdings) = set_up(Auth::Oidc, 1);
    holdings.read_role.instance_profiles = one("servers");
    let refused = refusal(&desired.config, ALL, &observed, &holdings);
    assert!(refused.contains("aws iam list-instance-profiles-for-role --role-name sbi-read-acme-bases"), "{refused}");
}

#[test]
fn a_key_that_somebody_uses_for_something_else_is_a_refusal() {
    let (desired, mut observed, holdings) = set_up(Auth::AccessKey, 1);
    let key = &mut observed.aws.user.as_mut().unwrap().keys[0];
    let used =
        |service: &str, region: &str| KeyUse { at: at(2_000_000), service: service.into(), region: region.into() };
    key.id = "AKIAEXAMPLE".into();
    for (service, region) in [("ecr", "eu-central-1"), ("sts", "us-east-1")] {
        observed.aws.user.as_mut().unwrap().keys[0].last_used = Some(used(service, region));
        assert_eq!(plan_destroy(&desired.config, ALL, &observed, &holdings).refusals.len(), 0, "{service} {region}");
    }
    observed.aws.user.as_mut().unwrap().keys[0].last_used = Some(used("ecr", "us-east-1"));
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("last for ecr in us-east-1"));
    observed.aws.user.as_mut().unwrap().keys[0].last_used = Some(used("s3", "eu-central-1"));
    insta::assert_snapshot!(refusal(&desired.config, ALL, &observed, &holdings));
}

#[test]
fn the_identity_that_runs_sbi_never_takes_itself_away() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.aws.caller.arn = "arn:aws:sts::123456789012:assumed-role/sbi-publish-acme-bases/me".into();
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("you are signed in as IAM role"));
    let (desired, mut observed, holdings) = set_up(Auth::AccessKey, 1);
    observed.aws.caller.arn = observed.aws.user.as_ref().unwrap().arn.clone();
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("you are signed in as IAM user"));
}

/// Somebody's own secrets of the same names, which an interrupted set-up never came to replace.
#[test]
fn secrets_that_sbi_cannot_have_written_stay() {
    let (desired, mut observed, holdings) = set_up(Auth::AccessKey, 1);
    let repository = observed.github.repository.as_mut().unwrap();
    repository.secrets.insert(ACCESS_KEY_SECRET.into(), at(0));
    repository.lock.as_mut().unwrap().uploaded.remove("AWS_REGION");
    repository.secrets.insert("THEIRS".into(), at(0));
    // Whoever may push can write this, and it proves nothing.
    repository.lock.as_mut().unwrap().uploaded.insert("THEIRS".into(), "sha256:0".into());
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    let secrets: Vec<String> = lines(&plan).into_iter().filter(|line| line.starts_with("- secret")).collect();
    let expected = ["ECR_REGISTRY", "ECR_REPOSITORY"];
    assert_eq!(secrets, expected.map(|name| format!("- secret {name}: of acme/bases")));
    assert!(kept(&plan, &format!("secret {ACCESS_KEY_SECRET}")).contains("gh secret delete"));
    assert!(kept(&plan, "secret AWS_REGION").contains("no sbi.lock says"));
    assert_eq!(kept(&plan, "secret THEIRS"), "is not sbi's");
}

#[test]
fn an_environment_that_holds_something_foreign_stays_and_says_what() {
    let (desired, mut observed, mut holdings) = set_up(Auth::Oidc, 1);
    let held = EnvironmentHoldings {
        secrets: BTreeSet::from(["THEIRS".to_owned()]),
        variables: BTreeSet::from(["ALSO".to_owned()]),
        rules: BTreeSet::from(["required_reviewers".to_owned()]),
    };
    holdings.environments.insert("publish".into(), held);
    let environments = &mut observed.github.repository.as_mut().unwrap().environments;
    let policies = environments.get_mut("publish").unwrap().admits.as_mut().unwrap();
    policies.tags.insert("nightly".into());
    policies.branches.insert("main".into());
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    assert_eq!(
        kept(&plan, "environment publish"),
        "holds what sbi did not put there: secret THEIRS; variable ALSO; protection rule required_reviewers; tag \
         pattern nightly; branch pattern main"
    );
    assert!(!lines(&plan).iter().any(|line| line.starts_with("- environment")));
}

#[test]
fn edited_files_stay_and_the_tree_is_never_left_empty() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    let files = |observed: &Observed| {
        let plan = plan_destroy(&desired.config, ALL, observed, &holdings);
        let commit = plan.nodes().iter().find_map(|node| match &node.step {
            Step::CommitFiles { commit, .. } => Some((**commit).clone()),
            _ => None,
        });
        (plan, commit.unwrap())
    };
    let (_, commit) = files(&observed);
    assert_eq!(commit.files, BTreeMap::from([("README.md".to_owned(), "# bases\n".to_owned())]));
    assert_eq!(commit.deletions.len(), desired.files.len(), "{:?}", commit.deletions);
    assert!(commit.deletions.contains(LOCK_FILE) && commit.deletions.contains("sbi.toml"));
    let repository = observed.github.repository.as_mut().unwrap();
    repository.files.insert("README.md".into(), BlobId::of(b"edited"));
    repository.files.insert("sbi.toml".into(), BlobId::of(b"edited too"));
    let (plan, commit) = files(&observed);
    assert!(commit.files.is_empty() && !commit.deletions.contains("README.md"));
    assert_eq!(kept(&plan, "file README.md"), "was edited since sbi rendered it");
    assert_eq!(kept(&plan, "file sbi.toml"), "was edited since sbi rendered it");
}

#[test]
fn the_whole_github_repository_goes_last_and_takes_its_contents_along() {
    let (desired, mut observed, holdings) = set_up(Auth::AccessKey, 1);
    let repository = observed.github.repository.as_mut().unwrap();
    repository.files.insert("theirs.md".into(), BlobId::of(b"theirs"));
    repository.secrets.insert("THEIRS".into(), at(0));
    repository.environments.insert("staging".into(), Environment { admits: None });
    repository.archived = true;
    let wish = Wish { delete_repository: true, ..ALL };
    repository.archived = false;
    let plan = plan_destroy(&desired.config, wish, &observed, &holdings);
    let last = lines(&plan).pop().unwrap();
    assert_eq!(
        last,
        "- GitHub repository acme/bases: with its history, 6 files, 1 of them not as sbi wrote them, 1 release, the \
         secrets THEIRS that are not sbi's, the environments staging that are not sbi's, issues and pull requests"
    );
    assert_eq!(plan.nodes().last().unwrap().needs.len(), plan.nodes().len() - 1);
    assert!(!lines(&plan).iter().any(|line| line.contains("files main") || line.contains("- environment")));
    let world = World::new(observed);
    *world.holdings.borrow_mut() = holdings;
    assert!(run_guarded(&plan, &world, &desired.config, wish).0.succeeded());
    let again = plan_now(&desired.config, wish, &world);
    assert!(again.is_empty());
    assert!(kept(&again, "GitHub repository acme/bases").starts_with("does not exist or is hidden"));
}

#[test]
fn an_archived_repository_takes_no_change_but_can_be_deleted() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.github.repository.as_mut().unwrap().archived = true;
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("is archived"));
    let wish = Wish { delete_repository: true, ..ALL };
    assert_eq!(plan_destroy(&desired.config, wish, &observed, &holdings).refusals.len(), 0);
    observed.github.repository.as_mut().unwrap().can_admin = false;
    assert!(refusal(&desired.config, wish, &observed, &holdings).contains("no administrator"));
}

#[test]
fn another_account_and_a_former_name_are_refused_before_anything() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.aws.caller.account = "999999999999".parse().unwrap();
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("belong to account 999999999999"));
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.github.repository.as_mut().unwrap().full_name = "acme/other".into();
    assert!(refusal(&desired.config, ALL, &observed, &holdings).contains("is called acme/other now"));
    assert!(plan_destroy(&desired.config, ALL, &observed, &holdings).is_empty());
}

#[test]
fn a_role_that_was_handed_over_loses_our_policy_and_stays() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.aws.role.as_mut().unwrap().tags.insert(ADOPTED_TAG.into(), "true".into());
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    let of_role: Vec<String> = lines(&plan).into_iter().filter(|line| line.contains("sbi-publish-acme")).collect();
    assert_eq!(of_role, ["- IAM role policy sbi-publish-acme-bases: sbi-publish"]);
    assert!(kept(&plan, "IAM role sbi-publish-acme-bases").contains("handed over"));
}

/// From one way of signing in to the other: what the first one left goes as well.
#[test]
fn both_kinds_of_identity_are_taken_back_whatever_is_configured_today() {
    let (_, with_key, _) = set_up(Auth::AccessKey, 1);
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.aws.user = with_key.aws.user;
    let theirs = with_key.github.repository.unwrap().secrets;
    observed.github.repository.as_mut().unwrap().secrets.extend(theirs);
    let plan = plan_destroy(&desired.config, ALL, &observed, &holdings);
    let lines = lines(&plan);
    for line in ["- IAM user sbi-publish-acme-bases", "- IAM role sbi-publish-acme-bases", "- secret AWS_"] {
        assert!(lines.iter().any(|found| found.starts_with(line)), "{line}: {lines:#?}");
    }
}

#[test]
fn a_pull_request_that_was_opened_is_waited_for_and_not_opened_again() {
    let (desired, mut observed, holdings) = set_up(Auth::Oidc, 1);
    observed.github.repository.as_mut().unwrap().branch_rules.pull_request_required = true;
    let world = World::new(observed);
    *world.holdings.borrow_mut() = holdings;
    let plan = plan_now(&desired.config, ALL, &world);
    assert_eq!(plan.waiting, ["merge the pull request of this run: it takes the files away"]);
    assert!(run_guarded(&plan, &world, &desired.config, ALL).0.succeeded());
    let again = plan_now(&desired.config, ALL, &world);
    assert!(again.is_empty());
    assert!(again.waiting[0].starts_with("merge https://github.com/acme/bases/pull/"), "{:?}", again.waiting);
    {
        // Somebody works on it, and something else is there to be taken away by now.
        let mut observed = world.observed.borrow_mut();
        let open = &mut observed.github.repository.as_mut().unwrap().pull_requests[0];
        open.head_is_ours = false;
        open.files.insert(LOCK_FILE.into(), BlobId::of(b"put back"));
    }
    let stays = plan_now(&desired.config, ALL, &world);
    assert!(stays.is_empty(), "{stays:?}");
    assert!(stays.waiting[0].contains("somebody's commits are on its branch sbi/destroy"), "{:?}", stays.waiting);
    merge(&world);
    let last = plan_now(&desired.config, ALL, &world);
    assert!(last.is_empty() && last.waiting.is_empty());
}

/// Names alone prove nothing.
#[test]
fn where_sbi_never_was_there_is_nothing_to_take_back() {
    let desired = desired(Auth::AccessKey);
    let mut observed = nothing();
    let mut repository = crate::support::world::fresh_repository(false);
    repository.secrets = ["AWS_REGION", ACCESS_KEY_SECRET].map(|name| (name.to_owned(), at(0))).into();
    observed.github.repository = Some(repository);
    let plan = plan_destroy(&desired.config, ALL, &observed, &Holdings::default());
    assert!(plan.is_empty() && plan.refusals.is_empty());
}
