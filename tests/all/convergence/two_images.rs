//! Two images in one repository: each its own ECR repository, tag, release and run.

use super::*;

/// The tags of both first releases.
const TAGS: [&str; 2] = ["base-go/v1.0.0", "static-go/v1.0.0"];

#[test]
fn from_nothing_two_images_are_set_up_and_both_runs_are_followed() {
    for auth in ["oidc", "access-key"] {
        let Some(room) = Room::with_two_images() else { return };
        let run = room.init(&["--auth", auth]).exited(0);
        assert_set_up(&room, auth);
        let found = repository(&room);
        let admitted = BTreeSet::from(["tag base-go/v*".to_owned(), "tag static-go/v*".to_owned()]);
        assert_eq!(found.environments["publish"], Some(admitted));
        let mut tags: Vec<&str> = found.runs.iter().map(|run| run.tag.as_str()).collect();
        tags.sort_unstable();
        assert_eq!(tags, TAGS);
        assert!(found.runs.iter().all(|run| run.conclusion == Some("success")));
        for tag in TAGS {
            assert!(run.stderr.contains(&format!("the workflow run of {tag} succeeded")), "{}", run.stderr);
            assert!(run.stdout.contains(&format!("releases/tag/{tag}")), "{}", run.stdout);
        }
        assert!(room.github.open_secret(REPOSITORY, "ECR_REPOSITORY").is_none());
        assert_nothing_left(&room, auth);
        room.check_contract();
    }
}

#[test]
fn the_run_of_one_image_that_fails_is_told_apart_from_the_other() {
    let Some(room) = Room::with_two_images() else { return };
    room.github.set_run_outcome(|context| match context.tag.as_str() {
        "base-go/v1.0.0" => sbi::sandbox::github::RunOutcome::Failure { job: "Scan".into(), step: None },
        _ => sbi::sandbox::github::RunOutcome::Success,
    });
    let run = room.init(&["--auth", "oidc"]).exited(1);
    assert!(run.stderr.contains("the workflow run of static-go/v1.0.0 succeeded"), "{}", run.stderr);
    assert!(run.stderr.contains("publish base-go/v1.0.0: the workflow run failed in job `Scan`"), "{}", run.stderr);
}

/// The first image's release is refused half-way: the other is published, and the next run makes the missing one.
#[test]
fn a_release_that_fails_does_not_hold_up_the_other() {
    let Some(room) = Room::with_two_images() else { return };
    room.github.server().set_forecast(|_, request: &Request| {
        let refused =
            request.path.ends_with("/releases") && String::from_utf8_lossy(&request.body).contains("static-go/");
        match is_write(request) && refused {
            true => Weather::Instead(Answer::new(418, "application/json", "{\"message\":\"broken\"}")),
            false => Weather::Fair,
        }
    });
    room.init(&["--auth", "oidc", "--no-watch"]).exited(1);
    fair(&room);
    let released: Vec<String> = repository(&room).releases.into_iter().map(|release| release.tag).collect();
    assert_eq!(released, ["base-go/v1.0.0"]);
    let second = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(second.stderr.contains("1 done"), "{}", second.stderr);
    assert_set_up(&room, "oidc");
}

/// From one image to two: what was published stays where it is, both get a place below the name and a release.
#[test]
fn a_repository_with_one_image_becomes_one_with_two() {
    let Some(two) = Room::with_two_images() else { return };
    let one = ANSWERS;
    two.sbi(&[&["init", "--yes", "--no-watch", "--auth", "oidc"], one].concat()).exited(0);
    two.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let config = config(&two);
    let mut places: BTreeSet<String> = config.ecr_repositories().iter().map(ToString::to_string).collect();
    places.insert(REPOSITORY.to_owned());
    assert_eq!(two.aws.repository_names(), places);
    let released: BTreeSet<String> = repository(&two).releases.into_iter().map(|release| release.tag).collect();
    assert_eq!(released, ["v1.0.0", TAGS[0], TAGS[1]].map(str::to_owned).into());
    assert_nothing_left(&two, "oidc");
}
