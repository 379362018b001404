//! Which version of an action is taken, and what is left as it is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sbi::failure::Cause;
use sbi::github::{Github, Settings, Timing};
use sbi::live::pins::{newest_actions, newest_images};
use sbi::model::action_pin::ActionPin;
use sbi::model::action_repository::{ReleaseFacts, TaggedCommit};
use sbi::model::git::CommitId;
use sbi::model::names::Digest;
use sbi::model::pins::Pins;
use sbi::plan::pins::{Left, NewPins, judge};
use sbi::registry::Registry;
use sbi::sandbox::github::{GithubOptions, GithubStandIn, Organization, Seed};
use sbi::sandbox::registry::RegistryStandIn;

use crate::support::openapi;

const CHECKOUT: &str = "actions/checkout";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// `actions/checkout` with v1.0.0 on its default branch, released a hundred days ago.
struct World {
    stand_in: GithubStandIn,
    clock: Arc<Mutex<Timestamp>>,
    first: String,
}

impl World {
    fn start() -> Self {
        Self::owned_by_organization(false)
    }

    fn owned_by_organization(organization: bool) -> Self {
        let clock = Arc::new(Mutex::new(now() - DAY * 100));
        let time = Arc::clone(&clock);
        let organizations = organization.then(|| Organization { login: "actions".into(), id: 44, plan: "team".into() });
        let stand_in = GithubStandIn::start(GithubOptions {
            login: "acme".into(),
            organizations: organizations.into_iter().collect(),
            clock: Arc::new(move || *time.lock().unwrap()),
            ..GithubOptions::default()
        })
        .unwrap();
        if !organization {
            stand_in.add_stranger("actions", 44);
        }
        stand_in.create_repository(CHECKOUT, Seed { private: false, files: &[("action.yml", "runs: node24\n")] });
        let first = stand_in.repository(CHECKOUT).unwrap().head.unwrap();
        let world = Self { stand_in, clock, first };
        world.stand_in.tag_commit(CHECKOUT, "v1.0.0", &world.first);
        world.stand_in.publish_release(CHECKOUT, "v1.0.0", false);
        world
    }

    fn days_ago(&self, days: i32) -> &GithubStandIn {
        *self.clock.lock().unwrap() = now() - DAY * days;
        &self.stand_in
    }

    /// A commit on a branch.
    fn commit(&self, branch: &str, text: &str) -> String {
        self.stand_in.commit_files(CHECKOUT, branch, &[("index.js", text)], text);
        self.stand_in.repository(CHECKOUT).unwrap().branches[branch].clone()
    }

    /// A release on the default branch, so many days ago.
    fn release(&self, tag: &str, days: i32) -> String {
        self.days_ago(days);
        let commit = self.commit("main", tag);
        self.stand_in.tag_commit(CHECKOUT, tag, &commit);
        self.stand_in.publish_release(CHECKOUT, tag, false);
        commit
    }

    fn pinned(&self) -> ActionPin {
        pin(CHECKOUT, &self.first, "# v1.0.0")
    }

    async fn try_newest(&self, pins: &[ActionPin]) -> Result<NewPins, sbi::failure::Failure> {
        *self.clock.lock().unwrap() = now();
        let timing = Timing {
            connect: Duration::from_secs(2),
            answer: Duration::from_secs(10),
            pause: Duration::from_millis(1),
        };
        let token = self.stand_in.token();
        let settings = Settings { api_url: Some(self.stand_in.url()), token };
        let found = newest_actions(&Github::connect_timed(settings, timing)?, pins, now()).await;
        for exchange in self.stand_in.server().log() {
            // The description has redirects for some operations only, and nothing that they lead to.
            if !exchange.request.path.starts_with("/repositories/") && exchange.answer.status != 301 {
                openapi::check(&exchange).unwrap();
            }
        }
        found
    }

    async fn newest(&self) -> NewPins {
        self.try_newest(&[self.pinned()]).await.unwrap()
    }

    /// The one change and what was left, as people read them.
    async fn told(&self) -> (Vec<String>, Vec<String>) {
        let found = self.newest().await;
        (found.actions.iter().map(ToString::to_string).collect(), left(&found))
    }

    async fn chosen(&self) -> Option<String> {
        let found = self.newest().await;
        assert!(found.actions.len() <= 1);
        found.actions.first().map(|change| format!("{} {}", change.to_version, change.to))
    }
}

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn pin(repository: &str, commit: &str, comment: &str) -> ActionPin {
    ActionPin::read(&format!("{repository}@{commit} {comment}")).unwrap()
}

fn left(found: &NewPins) -> Vec<String> {
    found.left.iter().map(|left: &Left| format!("{}{left}", if left.suspicious { "! " } else { "" })).collect()
}

#[tokio::test]
async fn the_newest_settled_version_is_taken_and_told_in_one_line() {
    let world = World::start();
    world.release("v1.1.0", 60);
    let newest = world.release("v1.10.0", 30);
    world.release("v1.9.0", 20);
    let (told, left) = world.told().await;
    let (from, to) = (&world.first[..7], &newest[..7]);
    assert_eq!(told, [format!("actions/checkout v1.0.0 {from} → v1.10.0 {to}, released 2026-10-26")]);
    assert_eq!(left, [""; 0]);
    assert_eq!(world.newest().await.actions[0].to.as_str(), newest);
}

#[tokio::test]
async fn a_major_version_is_taken_and_named_as_one() {
    let world = World::start();
    let newest = world.release("v2.0.0", 30);
    let (told, _) = world.told().await;
    assert!(
        told[0].ends_with(&format!("v2.0.0 {}, released 2026-10-26, a new major version", &newest[..7])),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_week_must_have_gone_by_since_a_release() {
    for (days, taken) in [(6, false), (7, true)] {
        let world = World::start();
        let older = world.release("v1.1.0", 50);
        let newer = world.release("v1.2.0", days);
        let expected = if taken { format!("v1.2.0 {newer}") } else { format!("v1.1.0 {older}") };
        assert_eq!(world.chosen().await, Some(expected), "{days} days");
        if !taken {
            let (_, left) = world.told().await;
            assert_eq!(left, ["actions/checkout v1.2.0: came out on 2026-11-19 and is taken from 2026-11-26 on"]);
        }
    }
}

/// Whoever can move a tag can leave its old release as it is.
#[tokio::test]
async fn a_new_commit_under_an_old_release_is_not_settled() {
    let world = World::start();
    world.release("v1.1.0", 50);
    world.days_ago(2);
    let moved = world.commit("main", "later");
    world.stand_in.tag_commit(CHECKOUT, "v1.1.0", &moved);
    assert_eq!(world.chosen().await, None);
}

#[tokio::test]
async fn prereleases_and_moving_tags_are_passed_over() {
    let world = World::start();
    world.days_ago(30);
    let later = world.commit("main", "later");
    for tag in ["v4", "v4.1", "v5.0.0-beta", "v5.0.0.1", "main", "latest", "v3.0.0"] {
        world.stand_in.tag_commit(CHECKOUT, tag, &later);
    }
    world.stand_in.publish_release(CHECKOUT, "v3.0.0", true);
    let (told, left) = world.told().await;
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(left, ["actions/checkout v3.0.0: is a prerelease"]);
}

#[tokio::test]
async fn annotated_tags_are_followed_to_their_commit() {
    let world = World::start();
    world.days_ago(40);
    let commit = world.commit("main", "v1.1.0");
    let note = world.stand_in.annotate_tag(CHECKOUT, "v1.1.0", &commit).unwrap();
    assert_eq!(world.chosen().await, Some(format!("v1.1.0 {commit}")));
    // The date of the note counts too.
    world.days_ago(3);
    world.stand_in.annotate_tag(CHECKOUT, "v1.1.0", &note).unwrap();
    assert_eq!(world.chosen().await, None);
    world.days_ago(9);
    let first = world.stand_in.annotate_tag(CHECKOUT, "v1.1.0", &note).unwrap();
    assert_eq!(world.chosen().await, Some(format!("v1.1.0 {commit}")), "a tag of a tag");
    // The pinned version's own tag may be annotated as well.
    world.days_ago(90);
    world.stand_in.annotate_tag(CHECKOUT, "v1.0.0", &world.first).unwrap();
    assert_eq!(world.chosen().await, Some(format!("v1.1.0 {commit}")));
    assert_ne!(first, commit);
}

#[tokio::test]
async fn a_tag_without_a_release_counts_from_its_commit() {
    for (days, taken) in [(6, false), (8, true)] {
        let world = World::start();
        world.days_ago(days);
        let commit = world.commit("main", "x");
        world.stand_in.tag_commit(CHECKOUT, "v1.0.1", &commit);
        assert_eq!(world.chosen().await.is_some(), taken, "{days} days");
    }
}

#[tokio::test]
async fn a_commit_that_only_a_fork_has_is_refused_and_nothing_older_is_taken() {
    let world = World::start();
    world.release("v1.1.0", 50);
    world.days_ago(30);
    let imposter = world.stand_in.commit_to_fork(CHECKOUT, &[("index.js", "steal()")]).unwrap();
    world.stand_in.tag_commit(CHECKOUT, "v1.2.0", &imposter);
    // A tag of the name of a release branch vouches for nothing.
    world.stand_in.tag_commit(CHECKOUT, "v1", &imposter);
    world.stand_in.publish_release(CHECKOUT, "v1.2.0", false);
    let (told, left) = world.told().await;
    assert!(told.is_empty(), "{told:?}");
    let short = &imposter[..7];
    let why = format!("its commit {short} is on no branch of actions/checkout that releases come from");
    assert_eq!(left, [format!("! actions/checkout v1.2.0: {why}")]);
}

#[tokio::test]
async fn releases_may_come_from_a_branch_of_their_own() {
    // On its end, and below its end.
    for (branch, further) in [("anything", false), ("releases/v1", true), ("v1", true), ("release/v1", true)] {
        let world = World::start();
        world.days_ago(30);
        let commit = world.commit(branch, "built");
        world.stand_in.tag_commit(CHECKOUT, "v1.1.0", &commit);
        if further {
            world.commit(branch, "next");
        }
        assert_eq!(world.chosen().await, Some(format!("v1.1.0 {commit}")), "{branch}");
    }
    let world = World::start();
    world.days_ago(30);
    let commit = world.commit("somewhere", "built");
    world.stand_in.tag_commit(CHECKOUT, "v1.1.0", &commit);
    world.commit("somewhere", "next");
    assert_eq!(world.chosen().await, None, "the search is bounded");
}

#[tokio::test]
async fn a_tag_that_moved_is_told_and_never_followed() {
    let world = World::start();
    let moved = world.release("v1.1.0", 50);
    world.stand_in.tag_commit(CHECKOUT, "v1.0.0", &moved);
    let (told, left) = world.told().await;
    assert!(told.is_empty(), "{told:?}");
    let why = "and not on the one that is pinned: it moved, or the comment is wrong";
    assert_eq!(left, [format!("! actions/checkout v1.0.0: the tag v1.0.0 is on commit {} {why}", &moved[..7])]);
    let gone = pin(CHECKOUT, &world.first, "# v1.0.7");
    let found = world.try_newest(&[gone]).await.unwrap();
    assert!(found.is_empty() && found.left[0].suspicious, "{found:?}");
}

#[tokio::test]
async fn a_pin_without_a_version_is_known_by_the_tag_on_its_commit() {
    let world = World::start();
    let newer = world.release("v1.1.0", 50);
    for comment in ["", "# v1", "# pinned"] {
        let found = world.try_newest(&[pin(CHECKOUT, &world.first, comment)]).await.unwrap();
        assert_eq!(found.actions[0].to.as_str(), newer, "{comment}");
        assert_eq!(found.actions[0].from_version.as_ref().unwrap().to_string(), "v1.0.0");
    }
    let found = world.try_newest(&[pin(CHECKOUT, &"a".repeat(40), "# main")]).await.unwrap();
    assert!(found.is_empty());
    assert!(found.left[0].why.contains("no comment behind it names its version"), "{:?}", found.left);
}

#[tokio::test]
async fn what_is_pinned_differently_in_two_files_comes_to_the_same() {
    let world = World::start();
    let (second, third) = (world.release("v1.1.0", 50), world.release("v1.2.0", 40));
    let pins =
        [pin(CHECKOUT, &second, "# v1.1.0"), world.pinned(), pin("Actions/checkout/sub", &world.first, "# v1.0.0")];
    let before = world.stand_in.server().log().len();
    let found = world.try_newest(&pins).await.unwrap();
    let changes: Vec<_> = found.actions.iter().map(|change| (change.from.as_str(), change.to.as_str())).collect();
    assert_eq!(changes, [(second.as_str(), third.as_str()), (world.first.as_str(), third.as_str())]);
    assert!(world.stand_in.server().log().len() - before <= 6, "one repository is looked at once");
    assert!(world.try_newest(&[pin(CHECKOUT, &third, "# v1.2.0")]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_known_bad_commit_is_neither_taken_nor_kept_quiet_about() {
    let bad = "0e58ed8671d6b60d0890c21b07f8835ace038e67";
    let world = World::start();
    let newer = world.release("v1.1.0", 50);
    let found = world.try_newest(&[pin(CHECKOUT, bad, "# v1.0.0")]).await.unwrap();
    assert_eq!(found.actions[0].to.as_str(), newer, "it is replaced");
    assert!(found.left[0].suspicious && found.left[0].why.contains("counts as stolen"), "{:?}", found.left);
}

#[test]
fn what_is_bad_unpublished_or_of_the_future_is_passed_over() {
    let release = |draft, prerelease, published| Some(ReleaseFacts { draft, prerelease, published });
    let old = now() - DAY * 30;
    let judged =
        |commit: &str, dated, release| judge(&TaggedCommit { commit: CommitId::told(commit), dated, release }, now());
    let good = "a".repeat(40);
    assert_eq!(judged(&good, old, None), Ok(old));
    assert_eq!(
        judged(&good, old, release(false, false, Some(now() - DAY * 20))),
        Ok(now() - DAY * 20),
        "the later one"
    );
    assert_eq!(judged(&good, now() - DAY * 7, None), Ok(now() - DAY * 7));
    let later = now() + DAY;
    for (commit, dated, release, why) in [
        ("8AFA9B9F9183B4E00C46E2B82D34047E3C177BD0", old, None, "malicious"),
        (&good, old, release(true, false, None), "not published"),
        (&good, old, release(false, false, None), "not published"),
        (&good, old, release(false, true, Some(old)), "prerelease"),
        (&good, later, None, "came out on 2026-11-26 and is taken from 2026-12-03 on"),
        (&good, later, release(false, false, Some(old)), "came out on 2026-11-26"),
        (&good, now() - DAY * 7 + SignedDuration::from_secs(1), None, "came out on 2026-11-18"),
        (&good, Timestamp::MAX, None, "no time that can be"),
    ] {
        let told = judged(commit, dated, release).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
}

#[tokio::test]
async fn one_repository_that_refuses_leaves_the_others_alone() {
    let gone = pin("nobody/nothing", &"b".repeat(40), "# v1.0.0");
    let odd = pin("o_o/..", &"b".repeat(40), "# v1.0.0");
    let world = World::start();
    let newer = world.release("v1.1.0", 50);
    let found = world.try_newest(&[gone.clone(), odd, world.pinned()]).await.unwrap();
    assert_eq!(found.actions[0].to.as_str(), newer);
    let told = left(&found);
    assert!(told[0].starts_with("nobody/nothing v1.0.0: could not ") && told.len() == 2, "{told:?}");

    let world = World::owned_by_organization(true);
    world.release("v1.1.0", 50);
    world.stand_in.require_sso("actions");
    let found = world.try_newest(&[world.pinned()]).await.unwrap();
    assert!(found.is_empty() && found.left[0].why.contains("authorise the token at https://"), "{:?}", found.left);

    let world = World::start();
    world.release("v1.1.0", 50);
    world.stand_in.require_address("actions");
    let found = world.try_newest(&[world.pinned()]).await.unwrap();
    assert!(found.is_empty() && found.left[0].why.contains("IP allow list"), "{:?}", found.left);

    let world = World::start();
    world.release("v1.1.0", 50);
    world.stand_in.rename(CHECKOUT, "fetch");
    let found = world.try_newest(&[world.pinned()]).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
    assert!(
        found.left[0].suspicious && found.left[0].why.starts_with("is called actions/fetch now"),
        "{:?}",
        found.left
    );
}

#[tokio::test]
async fn base_images_get_the_digest_that_their_tag_stands_for_now() {
    let (debian, gone) = ("docker.io/library/debian:13".to_owned(), "docker.io/library/gone:1".to_owned());
    let stand_in = RegistryStandIn::start([debian.clone()]).unwrap();
    let registry = Registry::connect(Some(&stand_in.url())).unwrap();
    let first = stand_in.digest_of(&debian).unwrap();
    let mut pins = Pins::default();
    pins.insert(&debian, first.clone());
    assert_eq!(newest_images(&registry, &pins).await, (Vec::new(), Vec::new()), "nothing moved");
    pins.insert(&gone, first.clone());
    stand_in.move_tag(&debian);
    let (changes, left) = newest_images(&registry, &pins).await;
    let second = stand_in.digest_of(&debian).unwrap();
    assert_ne!(first, second);
    let brief = |digest: &Digest| digest.as_str()[..19].to_owned();
    assert_eq!(changes[0].to_string(), format!("{debian} {} → {}", brief(&first), brief(&second)));
    assert_eq!((changes.len(), left.len()), (1, 1));
    assert!(left[0].what == gone && !left[0].suspicious, "{left:?}");
}

#[tokio::test]
async fn a_rate_limit_ends_it_and_says_until_when() {
    let world = World::start();
    world.release("v1.1.0", 50);
    for calls in 0..5 {
        world.stand_in.limit_requests(calls);
        let failure = world.try_newest(&[world.pinned()]).await.unwrap_err();
        assert!(matches!(failure.cause(), Cause::Throttled { .. }), "{calls}: {failure}");
        assert!(failure.hints()[0].contains("run the command again after"), "{:?}", failure.hints());
    }
    world.stand_in.limit_requests(5);
    world.newest().await;
}
