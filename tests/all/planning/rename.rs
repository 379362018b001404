//! A GitHub repository that was renamed or moved: one plan follows it, nothing is made twice, and what belongs to
//! another repository is never taken over.

use std::collections::BTreeSet;

use sbi::model::config::Config;
use sbi::model::names::GithubRepositoryName;
use sbi::plan::setup::{followed, settled};
use sbi::plan::step::Step;

use super::*;

fn name(text: &str) -> GithubRepositoryName {
    text.parse().unwrap()
}

/// Every set of tags that sbi wrote on AWS.
fn tags_of(aws: &mut AwsObserved) -> Vec<&mut BTreeMap<String, String>> {
    let roles = aws.role.iter_mut().chain(&mut aws.read_role).map(|role| &mut role.tags);
    let places = aws.ecr_repositories.values_mut().map(|place| &mut place.tags);
    roles.chain(aws.user.iter_mut().map(|user| &mut user.tags)).chain(places).collect()
}

/// Renamed on GitHub; the lock and everything on AWS say the old name, without a number when `before_numbers`.
fn renamed(auth: Auth, images: usize, to: &str, before_numbers: bool) -> Observed {
    let desired = desired_of(auth, &IMAGES[..images]);
    let world = World::new(nothing());
    assert!(run(&plan_now(&desired, &world), &world).succeeded());
    let mut observed = world.observed.into_inner();
    let repository = observed.github.repository.as_mut().unwrap();
    repository.full_name = to.into();
    repository.identity.subject_prefix = format!("repo:{}@9", to.replace('/', "@8/"));
    repository.identity.owner_id = 8;
    repository.former_names = BTreeSet::from([name("acme/bases")]);
    if before_numbers {
        repository.lock.as_mut().unwrap().repository = None;
        for tags in tags_of(&mut observed.aws) {
            tags.remove(OWNER_ID_TAG).unwrap();
        }
    }
    observed
}

/// The same wishes, rendered for another configuration.
fn desired_for(before: &Desired, config: Config) -> Desired {
    let text = config.to_text();
    let mut files = before.files.clone();
    for file in &mut files {
        if file.path == "sbi.toml" {
            file.text.clone_from(&text);
        } else if file.path == "README.md" {
            file.text = format!("# {}\n", config.github.repository);
        }
    }
    Desired { files, config, ..before.clone() }
}

const CASES: [(Auth, usize); 4] = [(Auth::Oidc, 1), (Auth::Oidc, 2), (Auth::AccessKey, 1), (Auth::AccessKey, 2)];

/// GitHub still redirects; the lock, or the file that an older version rendered, says what it was written under.
fn looked_at_again(world: &World, old: &Desired) {
    let mut observed = world.observed.borrow_mut();
    let repository = observed.github.repository.as_mut().unwrap();
    let lock = repository.lock.clone().unwrap();
    let untouched = old.files.iter().find(|file| file.path == "sbi.toml").map(|file| file.blob_id());
    let in_file = if lock.files.get("sbi.toml") == untouched.as_ref() { "acme/bases" } else { "acme/other" };
    let written_under = lock.repository.unwrap_or_else(|| name(in_file));
    repository.former_names = BTreeSet::from([written_under]);
    repository.former_names.remove(&name("acme/other"));
}

#[test]
fn one_plan_follows_a_rename_and_a_second_is_empty() {
    for (auth, images) in CASES {
        for before_numbers in [false, true] {
            let old = desired_of(auth, &IMAGES[..images]);
            let observed = renamed(auth, images, "acme/other", before_numbers);
            let config = followed(&old.config, &observed).expect("followed");
            assert_eq!(config.github.repository, name("acme/other"));
            match auth {
                Auth::Oidc => {
                    assert_eq!((config.role(), config.read_role()), (old.config.role(), old.config.read_role()));
                }
                Auth::AccessKey => assert_eq!(config.user(), old.config.user()),
            }
            let desired = desired_for(&old, config.clone());
            let world = World::new(observed);
            let plan = plan_now(&desired, &world);
            assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
            assert_eq!(plan.renamed.as_ref().unwrap().to, name("acme/other"));
            let makes = |node: &Node| {
                matches!(
                    node.step,
                    Step::CreateRole { .. }
                        | Step::CreateUser { .. }
                        | Step::CreateEcrRepository { .. }
                        | Step::CreateGithubRepository { .. }
                        | Step::IssueAccessKey { .. }
                        | Step::CreateRelease { .. }
                )
            };
            assert!(!plan.nodes().iter().any(makes), "{:#?}", lines(&plan));
            assert!(run(&plan, &world).succeeded());
            looked_at_again(&world, &old);
            assert_eq!(followed(&config, &world.observed.borrow()), None);
            let again = plan_now(&desired, &world);
            assert!(again.is_empty() && again.refusals.is_empty() && again.renamed.is_none(), "{:#?}", lines(&again));
        }
    }
}

#[test]
fn after_a_rename_the_plan_reads_like_this() {
    let old = desired(Auth::Oidc);
    let observed = renamed(Auth::Oidc, 1, "acme/other", false);
    let desired = desired_for(&old, followed(&old.config, &observed).unwrap());
    let plan = plan_setup(&desired, &observed);
    insta::assert_snapshot!(lines(&plan).join("\n"), @r"
    ~ ECR repository acme/bases: marked as ours: sbi:github-repository=acme/other, sbi:github-repository-id=9
    ~ IAM role sbi-publish-acme-bases: marked as ours: sbi:github-repository=acme/other, sbi:github-repository-id=9
    ~ IAM role sbi-publish-acme-bases: trust: assumable by repo:acme@8/other@9, environment publish, only
    ~ IAM role sbi-read-acme-bases: marked as ours: sbi:github-repository=acme/other, sbi:github-repository-id=9
    ~ IAM role sbi-read-acme-bases: trust: assumable by repo:acme@8/other@9, release tags v* and the default branch, only
    ~ files main: 3 changed, one commit
    ");
    let kept: Vec<String> = plan.kept.iter().map(|kept| format!("{}: {}", kept.what, kept.why)).collect();
    insta::assert_snapshot!(kept.join("\n"), @r"
    signatures of earlier releases: name acme/bases: whoever verifies them asks for that name, later ones carry acme/other
    OIDC provider arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com: is there already, shared by the whole account
    ");
}

/// Interrupted at every step and then looked at afresh, as a later run does. The answers were kept before the first
/// step, so that run starts from the new name.
#[test]
fn a_rename_that_was_followed_half_way_is_finished_by_the_next_run() {
    for (auth, images) in CASES {
        for before_numbers in [false, true] {
            for (at, hit) in (0..20).flat_map(|at| [(at, Hit::Before), (at, Hit::After)]) {
                let old = desired_of(auth, &IMAGES[..images]);
                let observed = renamed(auth, images, "acme/other", before_numbers);
                let desired = desired_for(&old, followed(&old.config, &observed).unwrap());
                let world = World::new(observed);
                let plan = plan_now(&desired, &world);
                if at >= plan.nodes().len() {
                    break;
                }
                world.hit.set(Some((at, hit)));
                assert!(!run(&plan, &world).succeeded());
                world.next_run();
                looked_at_again(&world, &old);
                let second = plan_now(&desired, &world);
                assert!(second.refusals.is_empty(), "step {at}: {:?}", second.refusals);
                assert!(run(&second, &world).succeeded());
                looked_at_again(&world, &old);
                let third = plan_now(&desired, &world);
                assert!(third.is_empty(), "step {at}: {:#?}", lines(&third));
            }
        }
    }
}

/// `sbi.toml` has the new name and no pinned names: the identities of before are found under the names of before.
#[test]
fn a_new_name_written_by_hand_finds_the_identities_of_the_old_one() {
    for (auth, images) in CASES {
        let old = desired_of(auth, &IMAGES[..images]);
        let second_look = renamed(auth, images, "acme/other", false);
        let mut by_hand = old.config.clone();
        by_hand.github.repository = name("acme/other");
        // The first look asks for names that the new name gives, and finds none.
        let mut first_look = second_look.clone();
        first_look.aws.role = None;
        first_look.aws.read_role = None;
        first_look.aws.user = None;
        let next = followed(&by_hand, &first_look).expect("other names to look for");
        let (config, observed) = settled(&by_hand, first_look.clone(), next.clone(), second_look.clone());
        match auth {
            Auth::Oidc => {
                assert_eq!((config.role(), config.read_role()), (old.config.role(), old.config.read_role()));
                assert_eq!(config.aws.user, None);
            }
            Auth::AccessKey => {
                assert_eq!(config.user(), old.config.user());
                assert_eq!(config.aws.role, None);
            }
        }
        let plan = plan_setup(&desired_for(&old, config), &observed);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
        assert!(!lines(&plan).iter().any(|line| line.starts_with("+ IAM")), "{:#?}", lines(&plan));

        // Whoever may write the lock may write any name into it: another repository's identities are left alone.
        let mut strangers = second_look;
        for tags in tags_of(&mut strangers.aws) {
            tags.insert(OWNER_ID_TAG.into(), "10".into());
        }
        let (config, observed) = settled(&by_hand, first_look, next, strangers);
        assert_eq!(config, by_hand);
        assert!(observed.aws.role.is_none() && observed.aws.read_role.is_none() && observed.aws.user.is_none());
    }
}

#[test]
fn a_repository_that_sbi_never_set_up_is_not_followed() {
    let mut observed = nothing();
    let mut repository = fresh_repository(false);
    repository.full_name = "acme/other".into();
    repository.former_names = BTreeSet::from([name("acme/bases")]);
    observed.github.repository = Some(repository);
    let desired = desired(Auth::Oidc);
    assert_eq!(followed(&desired.config, &observed), None);
    insta::assert_snapshot!(refusal(&desired, &observed), @r#"
    acme/bases is called acme/other now
    put `repository = "acme/other"` into sbi.toml
    "#);
}

/// The name was given to a new repository, and the old one lives elsewhere: nothing of the old one is touched.
#[test]
fn another_repository_of_the_old_name_takes_nothing_over() {
    for (auth, expected) in [(Auth::Oidc, 3), (Auth::AccessKey, 2)] {
        let (desired, mut observed) = set_up(auth);
        let mut other = fresh_repository(false);
        other.identity.repository_id = 99;
        other.identity.subject_prefix = "repo:acme@7/bases@99".into();
        observed.github.repository = Some(other);
        assert_eq!(followed(&desired.config, &observed), None);
        let plan = plan_setup(&desired, &observed);
        assert_eq!(plan.refusals.len(), expected, "{:?}", plan.refusals);
        for refusal in &plan.refusals {
            let text = refusal.to_string();
            let whose = "belongs to GitHub repository acme/bases with the number 9, and acme/bases has the number 99";
            assert!(text.ends_with(whose), "{text}");
        }
    }
    // Before there were numbers in tags, a role's trust tells whose it is.
    let (desired, mut observed) = set_up(Auth::Oidc);
    observed.github.repository.as_mut().unwrap().identity.repository_id = 99;
    for tags in tags_of(&mut observed.aws) {
        tags.remove(OWNER_ID_TAG);
    }
    let plan = plan_setup(&desired, &observed);
    assert_eq!(plan.refusals.len(), 2, "{:?}", plan.refusals);
    insta::assert_snapshot!(format!("{}\n{}", plan.refusals[0], plan.refusals[0].hints().join("\n")), @"
    IAM role sbi-publish-acme-bases belongs to GitHub repository acme/bases with the number 9, and acme/bases has the number 99
    choose another name: `--role-name NAME`
    `gh api repositories/9 --jq .full_name` tells what that repository is called now: it goes into sbi.toml when it is yours
    or hand it over: `aws iam tag-role --role-name sbi-publish-acme-bases --tags Key=sbi:github-repository-id,Value=99 Key=sbi:adopted,Value=true`
    ");
}

/// A repository that is gone may live on where this token sees nothing.
#[test]
fn what_belongs_to_a_repository_that_is_not_found_waits_for_a_person() {
    let (desired, mut observed) = set_up(Auth::AccessKey);
    observed.github.repository = None;
    let plan = plan_setup(&desired, &observed);
    assert_eq!(plan.refusals.len(), 2);
    insta::assert_snapshot!(format!("{}\n{}", plan.refusals[1], plan.refusals[1].hints().join("\n")), @r"
    IAM user sbi-publish-acme-bases belongs to GitHub repository acme/bases with the number 9, which is deleted, or elsewhere and hidden from this token
    choose another name: `--user-name NAME`
    `gh api repositories/9 --jq .full_name` tells what that repository is called now: it goes into sbi.toml when it is yours
    or, when that repository is gone for good: `aws iam untag-user --user-name sbi-publish-acme-bases --tag-keys sbi:github-repository-id`
    ");
    // Once the person has said so, the name is enough, and the new number is written.
    for tags in tags_of(&mut observed.aws) {
        tags.remove(OWNER_ID_TAG);
    }
    let plan = plan_setup(&desired, &observed);
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    assert!(lines(&plan).iter().any(|line| line.starts_with("~ IAM user") && line.contains("its number")));
}

#[test]
fn a_name_that_was_tagged_in_another_spelling_is_ours() {
    let (desired, mut observed) = set_up(Auth::Oidc);
    let role = observed.aws.role.as_mut().unwrap();
    role.tags.insert(OWNER_TAG.into(), "Acme/Bases".into());
    role.tags.remove(OWNER_ID_TAG);
    let plan = plan_setup(&desired, &observed);
    assert!(plan.refusals.is_empty());
    assert_eq!(plan.nodes().len(), 1, "{:#?}", lines(&plan));
}
