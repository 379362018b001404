//! `sbi update` through the binary: one pull request, whatever happens around it.

use sbi::model::git::BlobId;
use sbi::model::lock::LOCK_FILE;
use sbi::sandbox::github::{GithubOptions, Rules, TokenScopes};

use super::aged::{CHECK, DOCKERFILE, OLDER, README, RESCAN, UPDATE};
use crate::support::room::{ANSWERS, REPOSITORY, Room, ran};

fn older() -> Room {
    Room::published().aged(OLDER)
}

/// Another runner is no matter of ours; this version changed something else.
fn edited() -> Room {
    let room = older();
    room.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    room
}

/// Both sides changed the same line.
fn in_conflict() -> Room {
    let room = older();
    room.edit(DOCKERFILE, "USER 65532\n", "USER 1234:1234\n");
    room
}

/// An older version's, in a private repository of a person with this plan.
fn private_older(plan: &str) -> Room {
    let github = GithubOptions { login: "acme".into(), plan: plan.into(), ..GithubOptions::default() };
    let room = Room::with(github);
    let answers = ANSWERS.iter().map(|answer| if *answer == "public" { "private" } else { answer });
    room.sbi(&["init", "--yes", "--no-watch"].into_iter().chain(answers).collect::<Vec<_>>()).exited(0);
    room.aged(OLDER)
}

#[test]
fn untouched_files_are_replaced_by_one_pull_request() {
    let room = older();
    let check = room.sbi(&["update", "--check"]).exited(3);
    assert!(check.stdout.contains("0.0.9 → 0.1.0"), "{}", check.stdout);
    let run = room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(run.stdout.contains(&format!("/pull/{}", open.number)), "{}", run.stdout);
    assert!(!open.draft);
    assert_eq!(open.title, "Update what sbi renders to 0.1.0");
    assert!(room.text(DOCKERFILE).contains("USER 65532\n"), "nothing is on the default branch yet");
    // A second run changes nothing.
    let before = room.writes();
    let again = room.sbi(UPDATE).exited(0);
    assert!(again.stdout.contains("review and merge"), "{}", again.stdout);
    assert_eq!(room.writes(), before);
    room.merge_update();
    assert!(room.text(DOCKERFILE).contains("USER 65532:65532\n"));
    assert_eq!(room.lock().templates, "0.1.0");
    room.assert_settled();
    room.sbi(&["plan", "--check"]).exited(0);
    room.check_contract();
}

#[test]
fn the_other_commands_name_it_where_only_a_merge_helps() {
    let room = edited();
    let plan = room.sbi(&["plan"]).exited(0);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = format!(
        "file {CHECK}: was edited since sbi rendered it, and is rendered differently now; `sbi update` merges both"
    );
    assert!(words(&plan.stdout).contains(&told), "{}", plan.stdout);
    // The rest is replaced as ever.
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    let status = room.sbi(&["status", "--check"]).exited(3);
    assert!(status.stdout.contains("sbi update"), "{}", status.stdout);
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    let status = room.sbi(&["status"]).exited(0);
    assert!(status.stdout.contains(&format!("review and merge pull request #{}", open.number)), "{}", status.stdout);
    room.merge_update();
    room.assert_settled();
    let plan = room.sbi(&["plan", "--check"]).exited(0);
    assert!(words(&plan.stdout).contains("was edited since sbi rendered it; `--overwrite"), "{}", plan.stdout);
}

#[test]
fn an_edit_survives_and_the_next_base_is_in_the_history() {
    let room = edited();
    let rendered = room.text(CHECK);
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(open.body.contains("merged with what was edited here"), "{}", open.body);
    room.merge_update();
    let merged = room.text(CHECK);
    assert!(
        merged.contains("runs-on: [self-hosted, ours]\n") && merged.contains("cancel-in-progress: true\n"),
        "{merged}"
    );
    assert_ne!(merged, rendered);
    let base = room.lock().files[CHECK].clone();
    assert_ne!(base, BlobId::of(merged.as_bytes()), "the base is what was rendered");
    room.assert_settled();
    room.sbi(&["plan", "--check"]).exited(0);
    // An older version once more: the base that is asked for is the one of the first update.
    let room = room.aged(&[(README, "\n## ", "\n\n## ")]);
    room.sbi(UPDATE).exited(0);
    room.merge_update();
    assert_eq!(room.text(CHECK), merged);
    room.check_contract();
}

#[test]
fn what_a_publisher_deleted_or_added_stays_so() {
    let room = older();
    room.github.delete_files(REPOSITORY, "main", &[CHECK, "SECURITY.md"], "not for us");
    room.write("main", ".github/workflows/ours.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: 'true'}]}}\n");
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(open.body.contains("`.github/workflows/check-images.yml`: was deleted here and stays so"), "{}", open.body);
    room.merge_update();
    let texts = room.texts();
    assert!(!texts.contains_key(CHECK) && !texts.contains_key("SECURITY.md"));
    assert!(texts.contains_key(".github/workflows/ours.yml"));
    room.assert_settled();
    // Somebody changes their mind.
    room.sbi(&["update", "--yes", "--overwrite", CHECK]).exited(0);
    room.sbi(UPDATE).exited(0);
    room.merge_update();
    assert!(room.texts().contains_key(CHECK));
    room.assert_settled();
}

#[test]
fn line_ends_of_another_system_stay() {
    let room = older();
    let theirs = room.text(DOCKERFILE).replace('\n', "\r\n").replace("WORKDIR /src\r\n", "WORKDIR /srv\r\n");
    room.write("main", DOCKERFILE, &theirs);
    room.sbi(UPDATE).exited(0);
    room.merge_update();
    let merged = room.text(DOCKERFILE);
    assert!(merged.contains("USER 65532:65532\r\n") && merged.contains("WORKDIR /srv\r\n"), "{merged:?}");
    assert!(!merged.replace("\r\n", "").contains('\n'), "mixed line ends: {merged:?}");
    room.assert_settled();
}

#[test]
fn a_conflict_is_a_draft_until_it_is_settled() {
    let room = in_conflict();
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(
        open.draft && open.body.contains("+USER 65532:65532") && open.body.contains("+USER 1234:1234"),
        "{}",
        open.body
    );
    let check = room.sbi(&["update", "--check"]).exited(3);
    assert!(check.stdout.contains("+USER 1234:1234"), "{}", check.stdout);
    let before = room.writes();
    room.sbi(UPDATE).exited(0);
    assert_eq!(room.writes(), before);
    // Mended on the default branch, so that both go together.
    room.edit(DOCKERFILE, "USER 1234:1234\n", "USER 65532\nENV MINE=1\n");
    room.sbi(UPDATE).exited(0);
    let ready = room.open_request();
    if ready.draft {
        // Both sides still touch one place: a person decides.
        room.sbi(&["update", "--yes", "--keep", DOCKERFILE]).exited(0);
    }
    let ready = room.open_request();
    assert!(!ready.draft && ready.number == open.number, "{ready:?}");
    assert!(!ready.body.contains("could not be merged"), "{}", ready.body);
    room.merge_update();
    assert!(room.text(DOCKERFILE).contains("ENV MINE=1\n"));
    room.assert_settled();
    room.check_contract();
}

#[test]
fn a_person_settles_a_conflict_by_a_flag_and_later_runs_remember_it() {
    for (flag, kept) in [("--keep", "USER 1234:1234\n"), ("--overwrite", "USER 65532:65532\n")] {
        let room = in_conflict();
        room.sbi(UPDATE).exited(0);
        assert!(room.open_request().draft);
        room.sbi(&["update", "--yes", flag, DOCKERFILE]).exited(0);
        assert!(!room.open_request().draft);
        let before = room.writes();
        room.sbi(UPDATE).exited(0);
        assert_eq!(room.writes(), before, "a run without the flag forgot it");
        room.merge_update();
        assert!(room.text(DOCKERFILE).contains(kept));
        room.assert_settled();
    }
    let room = older();
    let run = room.sbi(&["update", "--yes", "--keep", "images/static-go/Dokerfile"]).exited(2);
    assert!(run.stderr.contains("renders no such file"), "{}", run.stderr);
}

#[test]
fn a_draft_that_is_merged_has_told_and_asks_no_more() {
    let room = in_conflict();
    room.sbi(UPDATE).exited(0);
    // A person says that it is ready, and merges it.
    room.github.squash_pull_request(REPOSITORY, room.open_request().number);
    let before = room.writes();
    let run = room.sbi(UPDATE).exited(0);
    assert!(run.stdout.contains("--keep images/static-go/Dockerfile"), "{}", run.stdout);
    assert_eq!(room.writes(), before);
    assert!(room.text(DOCKERFILE).contains("USER 1234:1234\n"));
    room.sbi(&["update", "--check"]).exited(3);
    room.sbi(&["update", "--yes", "--keep", DOCKERFILE]).exited(0);
    room.merge_update();
    room.assert_settled();
}

#[test]
fn a_moved_default_branch_is_followed_in_place() {
    let room = edited();
    room.sbi(UPDATE).exited(0);
    let first = room.open_request();
    room.write("main", "notes.txt", "mine\n");
    room.append(README, "\nOurs.\n");
    room.sbi(UPDATE).exited(0);
    let second = room.open_request();
    assert_eq!(first.number, second.number);
    room.merge_update();
    let texts = room.texts();
    assert!(texts["README.md"].ends_with("\nOurs.\n") && texts.contains_key("notes.txt"));
    room.assert_settled();
}

#[test]
fn what_a_person_does_meanwhile_counts_and_not_what_was_proposed() {
    let room = older();
    room.sbi(UPDATE).exited(0);
    // The open pull request has this version's of both.
    room.github.delete_files(REPOSITORY, "main", &[CHECK], "not for us");
    room.edit(DOCKERFILE, "USER 65532\n", "USER 1234:1234\n");
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(open.draft && open.body.contains("was deleted here and stays so"), "{}", open.body);
    room.github.squash_pull_request(REPOSITORY, open.number);
    let texts = room.texts();
    assert!(!texts.contains_key(CHECK) && texts[DOCKERFILE].contains("USER 1234:1234\n"));
}

#[test]
fn a_pull_request_that_became_pointless_is_closed_with_a_word() {
    let room = older();
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    // Somebody ran `sbi apply` meanwhile, which pushes what nobody edited.
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    let check = room.sbi(&["update", "--check"]).exited(3);
    assert!(check.stderr.contains("the open pull request has become pointless"), "{}", check.stderr);
    let run = room.sbi(UPDATE).exited(0);
    room.sbi(&["update", "--check"]).exited(0);
    let closed = room.update_requests().into_iter().find(|pull| pull.number == open.number).unwrap();
    assert!(!closed.open && !closed.merged, "{}", run.stderr);
    assert!(closed.comments[0].1.contains("holds all of it"), "{:?}", closed.comments);
    room.assert_settled();
    room.check_contract();
}

#[test]
fn what_a_person_turned_down_is_not_proposed_again_unless_asked() {
    let room = edited();
    room.sbi(UPDATE).exited(0);
    let first = room.open_request();
    room.github.close_pull_request(REPOSITORY, first.number);
    let before = room.writes();
    let run = room.sbi(UPDATE).exited(0);
    assert!(run.stdout.contains("`sbi update --again`"), "{}", run.stdout);
    assert_eq!(room.writes(), before);
    // Something else is no longer what was turned down.
    room.append(README, "\nOurs.\n");
    room.sbi(UPDATE).exited(0);
    let second = room.open_request();
    assert_ne!(first.number, second.number);
    room.github.close_pull_request(REPOSITORY, second.number);
    room.sbi(&["update", "--yes", "--again"]).exited(0);
    assert_ne!(room.open_request().number, second.number);
    room.check_contract();
}

#[test]
fn a_persons_commits_on_the_branch_are_never_moved_over() {
    let room = edited();
    room.sbi(UPDATE).exited(0);
    room.write("sbi/update", "notes.txt", "mine\n");
    let tip = room.github.repository(REPOSITORY).unwrap().branches["sbi/update"].clone();
    let run = room.sbi(UPDATE).exited(0);
    assert!(run.stdout.contains("somebody's commits are on its branch and stay"), "{}", run.stdout);
    // Now it would have to be made anew.
    room.edit(README, "\n\n## ", "\n\n\n## ");
    room.edit(RESCAN, "# ", "# Our ");
    let before = room.writes();
    let run = room.sbi(UPDATE);
    let branches = || room.github.repository(REPOSITORY).unwrap().branches;
    assert_eq!((room.writes(), &branches()["sbi/update"]), (before, &tip), "{}", run.stderr);
    assert!([0, 1].contains(&run.code), "{}", run.stderr);
}

#[test]
fn a_set_up_that_waits_comes_first() {
    let room = older();
    room.edit("sbi.toml", "Acme", "Acme Ltd");
    room.sbi(&["apply", "--yes", "--no-watch", "--pull-request", "--overwrite", "sbi.toml"]).exited(0);
    let before = room.writes();
    let run = room.sbi(UPDATE).exited(0);
    assert!(run.stdout.contains("first: it brings the set-up"), "{}", run.stdout);
    assert_eq!(room.writes(), before);
}

#[test]
fn a_protected_branch_is_no_matter_and_a_squash_neither() {
    let room = edited();
    let rules = Rules { pull_request: true, signatures: true };
    room.github.protect(REPOSITORY, "main", rules);
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    room.github.squash_pull_request(REPOSITORY, open.number);
    assert!(room.text(CHECK).contains("self-hosted"));
    room.assert_settled();
    // The base is on no branch any more; GitHub keeps what a pull request held.
    let room = room.aged(&[(README, "\n## ", "\n\n## ")]);
    room.append(README, "\nOurs.\n");
    room.sbi(UPDATE).exited(0);
    assert!(!room.open_request().draft);
}

#[test]
fn a_base_that_is_gone_is_a_conflict_that_says_so() {
    let room = edited();
    let base = room.lock().files[CHECK].clone();
    room.github.rewrite_history(REPOSITORY);
    room.github.collect_blob(REPOSITORY, base.as_str());
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert!(open.draft && open.body.contains("The base of this file is gone"), "{}", open.body);
    room.check_contract();
}

#[test]
fn without_aws_it_works_and_says_what_it_did_not_see() {
    let room = edited();
    let mut command = room.command(UPDATE);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let run = ran(command).exited(0);
    assert!(run.stderr.contains("roles and policies:"), "{}", run.stderr);
    let body = room.open_request().body;
    assert!(body.contains("They were not looked at: nobody was signed in to AWS"), "{body}");
}

/// The weekly workflow looks with nothing else.
#[test]
fn where_a_plan_has_no_drafts_the_title_says_that_there_are_conflicts() {
    let room = private_older("free");
    room.edit(DOCKERFILE, "USER 65532\n", "USER 1234:1234\n");
    room.sbi(UPDATE).exited(0);
    let open = room.open_request();
    assert_eq!(
        (open.draft, open.title.as_str()),
        (false, "Update what sbi renders to 0.1.0 (not to be merged yet: there are conflicts)")
    );
    room.sbi(&["update", "--yes", "--keep", DOCKERFILE]).exited(0);
    assert_eq!(room.open_request().title, "Update what sbi renders to 0.1.0");
    room.check_contract();
}

#[test]
fn the_token_of_a_workflow_that_only_reads_is_enough_to_look() {
    for room in [edited(), private_older("pro")] {
        room.github.hand_over_to_a_workflow(&["contents: read", "pull requests: read"]);
        let mut command = room.command(&["update", "--github", REPOSITORY, "--check"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        let run = ran(command).exited(3);
        assert!(run.stdout.contains("replaced, nobody had edited it"), "{}\n{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_policy_that_has_to_follow_is_shown_with_its_difference() {
    let room = edited();
    room.aws.set_role_trust("sbi-publish-acme-bases", sbi::model::iam::PolicyDocument::new(Vec::new()));
    room.sbi(UPDATE).exited(0);
    let body = room.open_request().body;
    for text in [
        "These have to follow; `sbi apply` after the merge does it",
        "IAM role `sbi-publish-acme-bases`",
        "+      \"Effect\"",
    ] {
        assert!(body.contains(text), "{text:?} is not in\n{body}");
    }
}

#[test]
fn what_an_older_program_would_take_back_is_refused() {
    let room = Room::published();
    let mut lock = room.lock();
    lock.templates = "99.0.0".into();
    room.write("main", LOCK_FILE, &lock.to_text());
    let run = room.sbi(UPDATE).exited(2);
    assert!(run.stderr.contains("was rendered by sbi 99.0.0"), "{}", run.stderr);
}

#[test]
fn a_token_without_the_scope_is_told_before_anything() {
    let room = edited();
    room.github.set_token_scopes(TokenScopes::Classic(["repo".to_owned()].into()));
    let before = room.writes();
    let run = room.sbi(UPDATE).exited(1);
    assert!(run.stderr.contains("lacks scope `workflow`"), "{}", run.stderr);
    assert_eq!(room.writes(), before);
}

#[test]
fn programs_are_told_the_same() {
    let room = in_conflict();
    room.edit(CHECK, "    runs-on: ubuntu-24.04\n", "    runs-on: [self-hosted, ours]\n");
    let check = room.sbi(&["update", "--check", "--format", "json"]).exited(3);
    let told: serde_json::Value = serde_json::from_str(&check.stdout).unwrap();
    assert_eq!((told["format_version"].as_u64(), told["pending"].as_bool()), (Some(1), Some(true)));
    let decisions: Vec<(&str, &str)> = told["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(decisions, [(CHECK, "merged"), (README, "replaced"), (DOCKERFILE, "conflict")]);
    let end = room.sbi(&["update", "--yes", "--format", "json"]).exited(0);
    let told: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!(told["steps"][0]["outcome"], "done");
}

#[test]
fn calls_do_not_grow_with_files_that_nobody_edited() {
    let calls = |room: &Room, run: &[&str]| {
        let before = room.github.server().log().len();
        room.sbi(run);
        room.github.server().log().len() - before
    };
    let few = older();
    let many = older();
    for batch in 0..3 {
        let files: Vec<String> = (0..100).map(|file| format!("images/other-{batch}/{file}")).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|path| (path.as_str(), "mine\n")).collect();
        many.github.commit_files(REPOSITORY, "main", &files, "more images");
    }
    let check = ["update", "--check"];
    assert_eq!(calls(&few, &check), calls(&many, &check));
    assert_eq!(calls(&few, UPDATE), calls(&many, UPDATE));
    few.append(README, "\nOurs.\n");
    many.append(README, "\nOurs.\n");
    assert_eq!(calls(&few, &check), calls(&many, &check));
}
