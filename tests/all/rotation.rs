//! The planner of `sbi rotate-keys` against a model of both sides, in which jobs start all the time: each must hold a
//! key that works, whatever is interrupted where.

use std::cell::{Cell, RefCell};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sbi::apply::{Outputs, Report, System, apply};
use sbi::failure::Failure;
use sbi::model::config::{Auth, Config};
use sbi::model::observed::{CallerIdentity, KeyFacts, KeyObserved, KeyUse, RepositoryNow, TokenKind, User, Viewer};
use sbi::model::ownership::{OWNER_ID_TAG, ownership_tags};
use sbi::plan::Plan;
use sbi::plan::rotation::{LONGEST_WATCH, Rotation, plan_rotation, unfinished};
use sbi::plan::step::{Produced, Step};

use crate::support::world::{Hit, config};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn key(id: &str, created: i64, active: bool) -> KeyFacts {
    KeyFacts { id: id.into(), active, created: at(created), last_used: None }
}

/// Both sides, and the workflow runs between them.
struct World {
    found: RefCell<KeyObserved>,
    /// Id of the key in the secret.
    secret: RefCell<String>,
    /// The key that each unfinished run holds: what the secret was when it was queued.
    runs: RefCell<Vec<String>>,
    clock: Cell<i64>,
    hit: Cell<Option<(usize, Hit)>>,
    started: Cell<usize>,
}

impl World {
    fn new(keys: Vec<KeyFacts>, written: i64, secret: &str) -> Self {
        let config = config(Auth::AccessKey);
        let arn = config.iam_arn(&format!("user/{}", config.user()));
        let user = User { arn, policy: None, tags: ownership_tags(&config.github.repository, 9), keys };
        let caller = CallerIdentity {
            account: config.aws.account.clone(),
            arn: "arn:aws:iam::123456789012:user/operator".into(),
        };
        let viewer = Viewer { login: "acme".into(), id: 7, token: TokenKind::FineGrained };
        let repository = Some(RepositoryNow { id: 9, full_name: config.github.repository.to_string() });
        let found = KeyObserved { caller, viewer, repository, user: Some(user), secret_written: Some(at(written)) };
        Self {
            found: RefCell::new(found),
            secret: RefCell::new(secret.into()),
            runs: RefCell::default(),
            clock: Cell::new(100 * DAY),
            hit: Cell::new(None),
            started: Cell::new(0),
        }
    }

    fn keys(&self) -> Vec<KeyFacts> {
        self.found.borrow().user.as_ref().unwrap().keys.clone()
    }

    fn change_keys(&self, change: impl FnOnce(&mut Vec<KeyFacts>)) {
        change(&mut self.found.borrow_mut().user.as_mut().unwrap().keys);
        self.tick();
    }

    /// A minute passes, and a run is queued in it.
    fn tick(&self) {
        self.clock.set(self.clock.get() + MINUTE);
        let now_in_secret = self.secret.borrow().clone();
        self.runs.borrow_mut().push(now_in_secret);
        self.assert_every_job_works();
    }

    fn assert_every_job_works(&self) {
        let keys = self.keys();
        for held in self.runs.borrow().iter() {
            assert!(keys.iter().any(|key| key.id == *held && key.active), "a run holds {held}: {keys:?}");
        }
    }

    fn plan(&self, grace: SignedDuration, finish: bool) -> Plan {
        let config: Config = config(Auth::AccessKey);
        let now = at(self.clock.get());
        let drain = SignedDuration::from_mins(30);
        plan_rotation(&Rotation { config: &config, grace, drain, finish, now }, &self.found.borrow())
    }

    fn run(&self, plan: &Plan) -> Report {
        self.started.set(0);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(apply(plan, self, std::future::pending(), &|_, _| {}))
    }
}

impl System for World {
    async fn apply(&self, step: &Step, _: &Outputs, _: &dyn Fn(String)) -> Result<Produced, Failure> {
        let hit = self.hit.get().filter(|(at, _)| *at == self.started.get()).map(|(_, hit)| hit);
        self.started.set(self.started.get() + 1);
        self.tick();
        if hit == Some(Hit::Before) {
            return Err(Failure::new("killed"));
        }
        match step {
            Step::IssueAccessKey { written, .. } => {
                assert_eq!(*written, self.found.borrow().secret_written);
                assert!(self.keys().len() < 2, "a third key");
                let id = format!("AKIA{}", self.clock.get());
                self.change_keys(|keys| keys.push(key(&id, self.clock.get(), true)));
                if hit == Some(Hit::Midway) {
                    return Err(Failure::new("killed"));
                }
                self.secret.replace(id);
                self.found.borrow_mut().secret_written = Some(at(self.clock.get()));
                self.tick();
            }
            Step::DrainRuns { .. } => {
                if hit == Some(Hit::Midway) {
                    return Err(Failure::new("one does not end"));
                }
                let current = self.secret.borrow().clone();
                self.runs.borrow_mut().retain(|held| *held == current);
            }
            Step::DeactivateAccessKey { key_id, .. } => self.change_keys(|keys| {
                keys.iter_mut().filter(|key| key.id == *key_id).for_each(|key| key.active = false);
            }),
            Step::DeleteAccessKey { key_id, .. } => self.change_keys(|keys| keys.retain(|key| key.id != *key_id)),
            Step::WatchAccessKey { .. } => {}
            other => panic!("{other:?} is no step of a rotation"),
        }
        match hit {
            Some(Hit::After | Hit::Midway) => Err(Failure::new("the answer was lost")),
            _ => Ok(Produced::Nothing),
        }
    }
}

/// What an earlier rotation may have left beside the key in the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Cut off before the old key was deactivated.
    ActiveFormer,
    /// Cut off before it was deleted, or with a long grace period.
    InactiveFormer,
    /// Cut off before the new one reached the secret.
    Leftover,
}

fn any_beside() -> impl Strategy<Value = Beside> {
    prop_oneof![Just(Beside::Nothing), Just(Beside::ActiveFormer), Just(Beside::InactiveFormer), Just(Beside::Leftover)]
}

fn world_with(beside: Beside, age_days: i64) -> World {
    let now = 100 * DAY;
    // Long enough before for dates to tell a left-over key from the one in the secret.
    let created = now - age_days * DAY - 2 * MINUTE;
    let mut keys = vec![key("AKIACURRENT", created, true)];
    match beside {
        Beside::Nothing => {}
        Beside::ActiveFormer => keys.push(key("AKIAFORMER", created - DAY, true)),
        Beside::InactiveFormer => keys.push(key("AKIAFORMER", created - DAY, false)),
        Beside::Leftover => keys.push(key("AKIALEFTOVER", now - 30, true)),
    }
    let world = World::new(keys, created + 40, "AKIACURRENT");
    world.runs.borrow_mut().push("AKIACURRENT".into());
    if beside == Beside::ActiveFormer {
        world.runs.borrow_mut().push("AKIAFORMER".into());
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every job holds a key that works at every instant, and runs until nothing fails end with one key: the one in
    /// the secret.
    #[test]
    fn interrupted_anywhere_no_job_fails_and_the_next_runs_finish(
        beside in any_beside(),
        age_days in 0..400_i64,
        long_grace in any::<bool>(),
        hits in prop::collection::vec(
            (0..8_usize, prop_oneof![Just(Hit::Before), Just(Hit::Midway), Just(Hit::After)]), 0..3),
    ) {
        let grace = if long_grace { SignedDuration::from_hours(24) } else { SignedDuration::from_mins(2) };
        let world = world_with(beside, age_days);
        for hit in hits {
            let plan = world.plan(grace, false);
            prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
            world.hit.set(Some(hit));
            drop(world.run(&plan));
            world.hit.set(None);
            world.clock.set(world.clock.get() + 3 * MINUTE);
        }
        let plan = world.plan(grace, false);
        prop_assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        let report = world.run(&plan);
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        prop_assert_eq!(unfinished(&world.found.borrow()), None);

        world.clock.set(world.clock.get() + 2 * DAY);
        let report = world.run(&world.plan(grace, true));
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        let keys = world.keys();
        prop_assert_eq!(keys.len(), 1);
        prop_assert_eq!(&keys[0].id, &*world.secret.borrow());
        prop_assert!(keys[0].active);
        prop_assert!(world.plan(grace, true).is_empty());
    }

    #[test]
    fn a_rotation_that_nothing_disturbs_replaces_the_key(age_days in 1..400_i64, leftover in any::<bool>()) {
        let world = world_with(if leftover { Beside::Leftover } else { Beside::Nothing }, age_days);
        let report = world.run(&world.plan(SignedDuration::from_mins(2), false));
        prop_assert!(report.succeeded(), "{:?}", report.outcomes);
        let keys = world.keys();
        prop_assert_eq!(keys.len(), 1);
        prop_assert!(keys[0].id != "AKIACURRENT" && keys[0].id != "AKIALEFTOVER");
    }
}

fn lines(plan: &Plan) -> String {
    let lines = plan.nodes().iter().map(|node| {
        let line = node.step.describe();
        format!("{} {} {}: {}\n", line.sign.as_str(), line.kind, line.name, line.detail)
    });
    lines.collect::<String>() + &plan.waiting.iter().map(|text| format!("waits: {text}\n")).collect::<String>()
}

fn refusal(world: &World) -> String {
    let plan = world.plan(SignedDuration::ZERO, false);
    assert!(plan.is_empty(), "{}", lines(&plan));
    let texts = plan.refusals.iter().map(|failure| format!("{failure}\n{}", failure.hints().join("\n")));
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_rotation_reads_like_this() {
    let world = world_with(Beside::Nothing, 100);
    insta::assert_snapshot!(lines(&world.plan(SignedDuration::from_mins(2), false)), @"
    ~ access key of sbi-publish-acme-bases: goes straight into secret AWS_ACCESS_KEY, sealed; takes up to 60 s to work
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIACURRENT: of sbi-publish-acme-bases: active → inactive
    … access key AKIACURRENT: stays inactive for 2 min; everything stops here if somebody uses it
    - access key AKIACURRENT: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
    insta::assert_snapshot!(lines(&world.plan(SignedDuration::from_hours(24), false)), @"
    ~ access key of sbi-publish-acme-bases: goes straight into secret AWS_ACCESS_KEY, sealed; takes up to 60 s to work
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIACURRENT: of sbi-publish-acme-bases: active → inactive
    waits: AKIACURRENT stays, inactive, for 24 h: `sbi rotate-keys --finish` deletes it then, and so does the next rotation
    ");
}

#[test]
fn a_rotation_that_was_cut_off_goes_on_where_it_was() {
    let of = |beside, age| lines(&world_with(beside, age).plan(SignedDuration::from_mins(2), false));
    insta::assert_snapshot!(of(Beside::ActiveFormer, 0), @"
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIAFORMER: of sbi-publish-acme-bases: active → inactive
    … access key AKIAFORMER: stays inactive for 2 min; everything stops here if somebody uses it
    - access key AKIAFORMER: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
    insta::assert_snapshot!(of(Beside::InactiveFormer, 0), @"
    waits: AKIAFORMER is inactive and is deleted by the first run after 1970-04-11 00:00 UTC: `sbi rotate-keys --finish` deletes it now
    ");
    insta::assert_snapshot!(of(Beside::Leftover, 0), @"
    - access key AKIALEFTOVER: of sbi-publish-acme-bases: left by an interrupted run, never used, in no secret
    ~ access key of sbi-publish-acme-bases: goes straight into secret AWS_ACCESS_KEY, sealed; takes up to 60 s to work
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIACURRENT: of sbi-publish-acme-bases: active → inactive
    … access key AKIACURRENT: stays inactive for 2 min; everything stops here if somebody uses it
    - access key AKIACURRENT: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
    // Its old key was left for the next rotation, which this is.
    insta::assert_snapshot!(of(Beside::InactiveFormer, 30), @"
    - access key AKIAFORMER: of sbi-publish-acme-bases: replaced, can't be taken back
    ~ access key of sbi-publish-acme-bases: goes straight into secret AWS_ACCESS_KEY, sealed; takes up to 60 s to work
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIACURRENT: of sbi-publish-acme-bases: active → inactive
    … access key AKIACURRENT: stays inactive for 2 min; everything stops here if somebody uses it
    - access key AKIACURRENT: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
}

#[test]
fn an_inactive_key_stays_for_its_grace_period_unless_it_is_finished() {
    let world = world_with(Beside::InactiveFormer, 0);
    insta::assert_snapshot!(lines(&world.plan(SignedDuration::from_hours(24), false)), @"
    waits: AKIAFORMER is inactive and is deleted by the first run after 1970-04-11 23:58 UTC: `sbi rotate-keys --finish` deletes it now
    ");
    insta::assert_snapshot!(lines(&world.plan(SignedDuration::from_hours(24), true)), @"
    - access key AKIAFORMER: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
    // Its last use counts as well.
    world.clock.set(105 * DAY);
    let used = KeyUse { at: at(105 * DAY - MINUTE), service: "ecr".into(), region: "eu-central-1".into() };
    world.change_keys(|keys| keys[1].last_used = Some(used));
    let plan = world.plan(SignedDuration::from_hours(24), false);
    assert!(plan.is_empty() && plan.waiting[0].contains("AKIAFORMER is inactive"), "{}", lines(&plan));
}

#[test]
fn a_key_in_the_secret_that_somebody_switched_off_is_replaced_first_of_all() {
    let world = world_with(Beside::ActiveFormer, 3);
    world.runs.borrow_mut().clear();
    world.found.borrow_mut().user.as_mut().unwrap().keys[0].active = false;
    insta::assert_snapshot!(lines(&world.plan(SignedDuration::from_mins(2), false)), @"
    - access key AKIACURRENT: of sbi-publish-acme-bases: replaced, can't be taken back
    ~ access key of sbi-publish-acme-bases: goes straight into secret AWS_ACCESS_KEY, sealed; takes up to 60 s to work
    … workflow runs acme/bases: those queued before the hand-over end first, at most 30 min
    ~ access key AKIAFORMER: of sbi-publish-acme-bases: active → inactive
    … access key AKIAFORMER: stays inactive for 2 min; everything stops here if somebody uses it
    - access key AKIAFORMER: of sbi-publish-acme-bases: replaced, can't be taken back
    ");
    let finish = world.plan(SignedDuration::from_mins(2), true);
    assert!(finish.is_empty(), "finishing must not take the last key: {}", lines(&finish));
}

#[test]
fn a_key_that_somebody_else_uses_is_refused_with_where_and_when() {
    let world = world_with(Beside::Nothing, 3);
    let used = |service: &str, region: &str| {
        let used = KeyUse { at: at(99 * DAY), service: service.into(), region: region.into() };
        world.found.borrow_mut().user.as_mut().unwrap().keys[0].last_used = Some(used);
        world.plan(SignedDuration::ZERO, false).refusals.len()
    };
    for ours in [("ecr", "eu-central-1"), ("sts", "eu-central-1"), ("sts", "us-east-1")] {
        assert_eq!(used(ours.0, ours.1), 0, "{ours:?}");
    }
    for foreign in [("s3", "eu-central-1"), ("ecr", "eu-west-1"), ("sts", "eu-west-1"), ("iam", "us-east-1")] {
        assert_eq!(used(foreign.0, foreign.1), 1, "{foreign:?}");
    }
    insta::assert_snapshot!(refusal(&world), @"
    access key AKIACURRENT of sbi-publish-acme-bases was last used on iam in us-east-1, at 1970-04-10 00:00 UTC: that was not the pipeline
    find who uses it in AWS CloudTrail by its id, and give them an identity of their own
    when that is done: publish once more, or run the nightly scan, so that the last use is the pipeline's
    ");

    // The same of a key that never was in the secret.
    let world = world_with(Beside::Leftover, 3);
    let mut found = world.found.borrow_mut();
    let leftover = &mut found.user.as_mut().unwrap().keys[1];
    leftover.created = at(98 * DAY);
    leftover.last_used = Some(KeyUse { at: at(99 * DAY), service: "ecr".into(), region: "eu-central-1".into() });
    drop(found);
    assert!(refusal(&world).contains("access key AKIALEFTOVER"));
}

#[test]
fn what_can_not_be_rotated_is_refused_with_the_way_on() {
    let changed = |change: fn(&mut KeyObserved)| {
        let world = world_with(Beside::Nothing, 3);
        change(&mut world.found.borrow_mut());
        refusal(&world)
    };
    insta::assert_snapshot!(changed(|found| found.user = None), @"
    there is no IAM user sbi-publish-acme-bases
    `sbi plan` shows what is missing, `sbi apply` makes it
    ");
    insta::assert_snapshot!(changed(|found| found.secret_written = None), @"
    there is no secret AWS_ACCESS_KEY, so no job has a key that could be replaced
    `sbi apply` issues the first one
    ");
    insta::assert_snapshot!(changed(|found| found.user.as_mut().unwrap().keys.clear()), @"
    the key that was put into secret AWS_ACCESS_KEY on 1970-04-07 23:58 UTC is gone
    `sbi apply` issues a new one
    ");
    insta::assert_snapshot!(changed(|found| found.caller.arn = found.user.as_ref().unwrap().arn.clone()), @"
    you are signed in as IAM user sbi-publish-acme-bases, which this plan would change
    sign in as somebody else: sbi does not change the rights of the identity that runs it
    ");
    insta::assert_snapshot!(changed(|found| found.caller.account = "999999999999".parse().unwrap()), @"
    these AWS credentials belong to account 999999999999, `sbi.toml` pins 123456789012
    you are arn:aws:iam::123456789012:user/operator: choose another profile with `--profile NAME` or AWS_PROFILE
    ");
    insta::assert_snapshot!(
        changed(|found| drop(found.user.as_mut().unwrap().tags.insert(OWNER_ID_TAG.into(), "10".into()))), @"
    IAM user sbi-publish-acme-bases belongs to GitHub repository acme/bases with the number 10, and acme/bases has the number 9
    choose another name: `--user-name NAME`
    `gh api repositories/10 --jq .full_name` tells what that repository is called now: it goes into sbi.toml when it is yours
    or hand it over: `aws iam tag-user --user-name sbi-publish-acme-bases --tags Key=sbi:github-repository-id,Value=9 Key=sbi:adopted,Value=true`
    ");
    insta::assert_snapshot!(
        changed(|found| found.repository.as_mut().unwrap().full_name = "acme/hardened".into()), @r#"
    acme/bases is called acme/hardened now
    put `repository = "acme/hardened"` into sbi.toml
    or have `sbi apply` follow it, with all that names it
    "#);
    let config = config(Auth::Oidc);
    let (grace, drain) = (LONGEST_WATCH, LONGEST_WATCH);
    let rotation = Rotation { config: &config, grace, drain, finish: false, now: at(100 * DAY) };
    let found = world_with(Beside::Nothing, 3).found.into_inner();
    assert!(plan_rotation(&rotation, &found).refusals[0].message().contains("signs in by OIDC"));
}
