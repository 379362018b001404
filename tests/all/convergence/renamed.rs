//! The repository goes by another name on GitHub, or belongs to another account: one run follows, the next has nothing
//! to do, and jobs are let in again.

use sbi::model::evaluation::{Context, Federated, evaluate_trust};
use sbi::model::identity::{OIDC_ISSUER, provider_arn};
use sbi::sandbox::github::WorkflowRunContext;

use super::*;

/// Where the repository went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Move {
    Rename,
    ToOrganization,
    Both,
    /// The owner's own account goes by another name.
    Account,
}

impl Move {
    pub(crate) fn make(self, room: &Room) -> &'static str {
        if matches!(self, Self::ToOrganization | Self::Both) {
            room.github.transfer(REPOSITORY, "bigco");
        }
        match self {
            Self::Rename => room.github.rename(REPOSITORY, "images"),
            Self::Account => room.github.rename_account("acme", "acme-inc"),
            Self::ToOrganization => {}
            Self::Both => room.github.rename("bigco/bases", "images"),
        }
        match self {
            Self::Rename => "acme/images",
            Self::ToOrganization => "bigco/bases",
            Self::Both => "bigco/images",
            Self::Account => "acme-inc/bases",
        }
    }
}

pub(crate) fn options() -> GithubOptions {
    let bigco = Organization { login: "bigco".into(), id: 4242, plan: "team".into() };
    GithubOptions { login: "acme".into(), organizations: vec![bigco], ..GithubOptions::default() }
}

fn local(room: &Room) -> Config {
    Config::parse(&std::fs::read_to_string(room.folder().join("sbi.toml")).unwrap()).unwrap()
}

/// The publish job's token opens the publishing role.
fn is_let_in(room: &Room, full_name: &str, config: &Config) -> bool {
    let tag = config.outlets()[0].tag.to_string();
    let environment = config.publish.environment.as_ref().map(ToString::to_string);
    let run = WorkflowRunContext::release(".github/workflows/publish-to-ecr.yml", &tag, environment.as_deref());
    let claims = room.github.claims_for(full_name, &run).unwrap();
    let context: Context = claims
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(claim, value)| Some((format!("{OIDC_ISSUER}:{claim}"), vec![value.as_str()?.to_owned()])))
        .collect();
    let trust = room.aws.role_trust(IDENTITY).unwrap();
    let provider = provider_arn(config);
    evaluate_trust(&trust, "sts:AssumeRoleWithWebIdentity", Federated(&provider), &context).is_allowed()
}

/// What must hold once a repository was followed.
#[track_caller]
pub(crate) fn stands_followed(room: &Room, full_name: &str, auth: &str) {
    let config = local(room);
    assert_eq!(config.github.repository.to_string(), full_name);
    let found = room.github.repository(full_name).unwrap();
    assert_eq!(Config::parse(std::str::from_utf8(&found.files["sbi.toml"]).unwrap()).unwrap(), config);
    let lock = Lock::parse(std::str::from_utf8(&found.files["sbi.lock"]).unwrap()).unwrap();
    assert_eq!(lock.repository.as_ref(), Some(&config.github.repository));
    for file in sbi::templates::render(&config, &lock.images).unwrap() {
        assert_eq!(found.files.get(&file.path).map(Vec::as_slice), Some(file.text.as_bytes()), "{}", file.path);
    }
    match auth {
        "oidc" => {
            assert_eq!(room.made(room.aws.role_names()), BTreeSet::from([IDENTITY.to_owned(), READER.to_owned()]));
            assert!(is_let_in(room, full_name, &config));
        }
        _ => {
            assert_eq!(room.made(room.aws.user_names()), BTreeSet::from([IDENTITY.to_owned()]));
            assert_eq!(room.aws.access_keys(IDENTITY).len(), 1);
        }
    }
}

/// The same, and the next run has nothing to do.
#[track_caller]
fn assert_followed(room: &Room, full_name: &str, auth: &str) {
    stands_followed(room, full_name, auth);
    let before = room.writes();
    let again = room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert!(again.stderr.contains("nothing to change"), "{}", again.stderr);
    assert_eq!(room.writes(), before, "a second run wrote something");
    room.sbi(&["plan", "--check"]).exited(0);
    room.check_contract();
}

fn rooms() -> impl Iterator<Item = Room> {
    let one = Room::with(options());
    std::iter::once(one).chain(Room::with_two_images_and(options()))
}

#[test]
fn a_renamed_or_moved_repository_is_followed_by_one_plan() {
    for moved in [Move::Rename, Move::ToOrganization, Move::Both, Move::Account] {
        for auth in ["oidc", "access-key"] {
            for room in rooms() {
                room.init(&["--auth", auth, "--no-watch"]).exited(0);
                let before = repository(&room);
                let keys: Vec<String> = room.aws.access_keys(IDENTITY).iter().map(|key| key.id.clone()).collect();
                let full_name = moved.make(&room);
                if auth == "oidc" {
                    assert!(!is_let_in(&room, full_name, &local(&room)), "{moved:?}: nothing drifted");
                }
                let plan = room.sbi(&["plan", "--check"]).exited(3);
                let says = format!("GitHub repository acme/bases is now {full_name}");
                assert!(plan.stdout.contains(&says), "{}", plan.stdout);
                assert_eq!(local(&room).github.repository.to_string(), REPOSITORY, "plan changed the file");
                let json = room.sbi(&["plan", "--format", "json"]).exited(0).stdout;
                let json: serde_json::Value = serde_json::from_str(&json).unwrap();
                assert_eq!(json["renamed"]["to"], full_name);

                room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
                assert_followed(&room, full_name, auth);
                let after = room.github.repository(full_name).unwrap();
                assert_eq!(after.id, before.id);
                assert_eq!(after.commits, before.commits + 1, "one commit");
                assert_eq!(after.releases, before.releases);
                assert_eq!(
                    room.aws.access_keys(IDENTITY).iter().map(|key| key.id.clone()).collect::<Vec<_>>(),
                    keys,
                    "another key"
                );
            }
        }
    }
}

/// The new name is in the file already, with nothing said about the names on AWS.
#[test]
fn a_new_name_written_by_hand_is_followed_to_what_was_made_under_the_old() {
    for auth in ["oidc", "access-key"] {
        let room = Room::with(options());
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        let full_name = Move::Both.make(&room);
        let file = room.folder().join("sbi.toml");
        let text = std::fs::read_to_string(&file).unwrap().replacen(REPOSITORY, full_name, 1);
        std::fs::write(&file, text).unwrap();
        let plan = room.sbi(&["plan"]).exited(0);
        assert!(plan.stdout.contains(&format!("GitHub repository acme/bases is now {full_name}")), "{}", plan.stdout);
        room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
        assert_followed(&room, full_name, auth);
    }
}

/// Where the files go in by a pull request, everything else is mended at once and the merge ends it.
#[test]
fn behind_a_protected_branch_the_files_follow_by_a_pull_request() {
    for auth in ["oidc", "access-key"] {
        let room = Room::with(options());
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        let full_name = Move::Both.make(&room);
        room.github.add_ruleset(full_name, "main", Rules { pull_request: true, signatures: false });
        room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
        let found = room.github.repository(full_name).unwrap();
        assert_eq!(found.pull_requests.len(), 1);
        let before = room.writes();
        let again = room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
        assert!(again.stderr.contains("nothing to change"), "{}", again.stderr);
        assert_eq!(room.writes(), before);
        room.github.merge_pull_request(full_name, found.pull_requests[0].number).expect("merged");
        assert_followed(&room, full_name, auth);
    }
}

/// Somebody followed it from another machine: this one's file is all that is left to change.
#[test]
fn a_file_elsewhere_with_the_old_name_is_brought_up_to_date() {
    let room = Room::with(options());
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let old = std::fs::read_to_string(room.folder().join("sbi.toml")).unwrap();
    let full_name = Move::Rename.make(&room);
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    std::fs::write(room.folder().join("sbi.toml"), old).unwrap();
    let before = room.writes();
    let run = room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert!(run.stderr.contains("`sbi.toml` names acme/images now"), "{}", run.stderr);
    assert_eq!(room.writes(), before);
    assert_followed(&room, full_name, "oidc");
}

/// The old name was given to another repository: nothing of the first one is touched, and the person is told.
#[test]
fn another_repository_of_the_old_name_takes_nothing_over() {
    for auth in ["oidc", "access-key"] {
        let room = Room::with(options());
        room.init(&["--auth", auth, "--no-watch"]).exited(0);
        let first = repository(&room).id;
        room.github.rename(REPOSITORY, "images");
        room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
        let before = room.writes();
        let run = room.sbi(&["apply", "--yes", "--no-watch"]).exited(2);
        assert_eq!(room.writes(), before);
        assert!(run.stderr.contains(&format!("with the number {first}")), "{}", run.stderr);
        assert!(run.stderr.contains(&format!("gh api repositories/{first}")), "{}", run.stderr);
    }
}

/// Whoever may write `sbi.lock` may write any name into it. Only GitHub's own redirection makes it a former name.
#[test]
fn a_former_name_that_only_the_lock_claims_opens_nothing() {
    let room = Room::with(options());
    room.github.create_repository("acme/victim", Seed { private: false, files: &[("a", "b\n")] });
    let key = room.aws.operator_credentials();
    let credentials = key.reveal(|secret| aws_credential_types::Credentials::new(key.id(), secret, None, None, "test"));
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(aws_sdk_iam::config::BehaviorVersion::latest())
        .region(aws_sdk_iam::config::Region::from_static("eu-central-1"))
        .endpoint_url(room.aws.url())
        .credentials_provider(credentials);
    let iam = aws_sdk_iam::Client::from_conf(config.build());
    let tag = aws_sdk_iam::types::Tag::builder().key("sbi:github-repository").value("acme/victim").build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(iam.create_user().user_name("sbi-publish-acme-victim").tags(tag).send()).unwrap();
    let claim = Lock { repository: Some("acme/victim".parse().unwrap()), ..Lock::default() }.to_text();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("sbi.lock", &claim)] });
    room.init(&["--auth", "access-key", "--no-watch"]).exited(0);
    assert!(room.aws.access_keys("sbi-publish-acme-victim").is_empty());
    assert!(room.aws.user_policies("sbi-publish-acme-victim").unwrap().is_empty());
    assert_eq!(room.aws.access_keys(IDENTITY).len(), 1);
}
