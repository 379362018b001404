//! Base images are pinned once, by what `sbi.lock` says from then on; the registry is asked for nothing that stands.

use std::collections::BTreeMap;

use sbi::model::lock::Lock;
use sbi::sandbox::github::{Rules, Seed};

use super::{REPOSITORY, assert_nothing_left, assert_set_up, lock, repository};
use crate::support::room::{ANSWERS, Room, base_images, ran};

const BASE: &str = "gcr.io/distroless/static-debian13:nonroot";
const DOCKERFILE: &str = "images/static-go/Dockerfile";
const EXAMPLE: &str = "images/static-go/example/Dockerfile";

fn asked(room: &Room) -> usize {
    room.registry.server().log().len()
}

/// The `FROM` lines of both Dockerfiles that name an image of somebody else, as rendered: the image alone.
fn named(room: &Room) -> Vec<String> {
    let files = repository(room).files;
    let text = [DOCKERFILE, EXAMPLE].map(|path| String::from_utf8(files[path].clone()).unwrap()).join("\n");
    let images = text.lines().filter(|line| line.starts_with("FROM ") && !line.contains("${BASE_IMAGE}"));
    let image = |line: &str| line.split(' ').find(|word| word.contains('/')).map(str::to_owned);
    images.filter_map(image).collect()
}

fn commit(room: &Room, path: &str, text: &str) {
    room.github.commit_files(REPOSITORY, "main", &[(path, text)], "by hand");
}

fn file(room: &Room, path: &str) -> String {
    String::from_utf8(repository(room).files[path].clone()).unwrap()
}

#[test]
fn the_first_run_pins_and_a_second_asks_no_registry_whatever_moved_meanwhile() {
    let room = Room::new();
    let first = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_set_up(&room, "oidc");
    let pins = lock(&room).images;
    assert_eq!(named(&room).len(), 3, "{:?}", named(&room));
    for image in named(&room) {
        let (reference, digest) = image.split_once('@').unwrap_or_else(|| panic!("{image} is not pinned"));
        assert_eq!(room.registry.digest_of(reference).unwrap().as_str(), digest);
        assert_eq!(pins.get(reference).unwrap().as_str(), digest);
        assert!(first.stderr.contains(&format!("  + {reference} → {digest}\n")), "{}", first.stderr);
    }
    // The label tells the tag; the digest has a label of its own.
    assert!(file(&room, DOCKERFILE).contains(&format!("\nARG BASE_NAME=\"{BASE}\"\n")));
    let before = asked(&room);
    base_images().iter().for_each(|reference| room.registry.move_tag(reference));
    assert_nothing_left(&room, "oidc");
    let again = room.sbi(&["plan", "--check"]).exited(0);
    assert!(!again.stdout.contains("sha256:"), "a plan without changes lists digests:\n{}", again.stdout);
    assert_eq!(asked(&room), before, "a registry was asked for what stands");
    assert_eq!(lock(&room).images, pins);
}

#[test]
fn offline_names_tags_and_says_so_and_the_next_run_pins_them() {
    let room = Room::new();
    let first = room.init(&["--auth", "oidc", "--no-watch", "--offline"]).exited(0);
    assert_eq!(asked(&room), 0);
    assert!(named(&room).iter().all(|image| !image.contains('@')) && lock(&room).images.is_empty());
    assert!(first.stderr.contains("named by tag, because no registry was asked"), "{}", first.stderr);
    room.sbi(&["plan", "--check", "--offline"]).exited(0);
    assert_eq!(asked(&room), 0);

    let plan = room.sbi(&["plan", "--check", "--format", "json"]).exited(3);
    let document: serde_json::Value = serde_json::from_str(&plan.stdout).unwrap();
    let shown: BTreeMap<&str, &str> = document["pinned"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pin| (pin["image"].as_str().unwrap(), pin["digest"].as_str().unwrap()))
        .collect();
    assert_eq!(shown[BASE], room.registry.digest_of(BASE).unwrap().as_str());
    let applied = room.sbi(&["apply", "--yes", "--no-watch", "--format", "json"]).exited(0);
    let document: serde_json::Value = serde_json::from_str(&applied.stdout).unwrap();
    assert_eq!(document["pinned"].as_array().unwrap().len(), shown.len());
    assert_set_up(&room, "oidc");
    assert_nothing_left(&room, "oidc");
    // What is pinned stays so without a registry.
    let offline = room.sbi(&["plan", "--check", "--offline"]).exited(0);
    assert!(!offline.stdout.contains("named by tag"), "{}", offline.stdout);
}

/// Dependabot proposes the newer digest; merged, the file is an edited one and stays.
#[test]
fn a_digest_that_dependabot_brought_stays() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let old = room.registry.digest_of(BASE).unwrap();
    room.registry.move_tag(BASE);
    let new = room.registry.digest_of(BASE).unwrap();
    let updated = file(&room, DOCKERFILE).replace(old.as_str(), new.as_str());
    commit(&room, DOCKERFILE, &updated);
    let (before, writes) = (asked(&room), room.writes());
    let again = room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert!(again.stderr.contains(&format!("file {DOCKERFILE}: was edited since sbi rendered it")), "{}", again.stderr);
    assert!(again.stderr.contains("nothing to change"), "{}", again.stderr);
    assert_eq!((asked(&room), room.writes()), (before, writes));
    assert_eq!(file(&room, DOCKERFILE), updated);
}

#[test]
fn a_pin_that_is_no_longer_used_leaves_the_lock() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let pinned = lock(&room);
    let mut older = pinned.clone();
    older.images.insert("gcr.io/distroless/static-debian12:nonroot", room.registry.digest_of(BASE).unwrap());
    commit(&room, "sbi.lock", &older.to_text());
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert_eq!(lock(&room).images, pinned.images);
}

#[test]
fn a_registry_that_is_down_or_refuses_stops_the_run_before_anything_is_written() {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let empty = sbi::sandbox::registry::RegistryStandIn::start([]).unwrap();
    for (mirror, reason) in [(format!("http://{free}"), "can't be reached"), (empty.url(), "knows no such image")] {
        let room = Room::new();
        let arguments = [&["init", "--yes", "--no-watch"], ANSWERS].concat();
        let mut command = room.command(&arguments);
        command.env("SBI_REGISTRY_MIRROR", &mirror);
        let run = ran(command).exited(1);
        assert!(run.stderr.contains(reason) && run.stderr.contains("with `--offline`"), "{}", run.stderr);
        assert_eq!(room.writes(), 0);
        assert!(!room.folder().join("sbi.toml").exists());
        let mut command = room.command(&[arguments.as_slice(), &["--offline"]].concat());
        command.env("SBI_REGISTRY_MIRROR", &mirror);
        ran(command).exited(0);
    }
}

#[test]
fn a_mirror_that_can_not_be_used_is_refused_before_anything_is_asked() {
    let room = Room::new();
    let mut command = room.command(&[&["init", "--yes"], ANSWERS].concat());
    command.env("SBI_REGISTRY_MIRROR", "http://me:canary@mirror.example");
    let run = ran(command).exited(2);
    assert!(run.stderr.contains("SBI_REGISTRY_MIRROR can't be used"), "{}", run.stderr);
    assert!(!run.stderr.contains("canary"), "{}", run.stderr);
    assert!(room.github.server().log().is_empty() && room.aws.server().log().is_empty());
}

/// An open pull request carries its digests: a tag that moves while people review changes nothing.
#[test]
fn a_pull_request_keeps_its_pins_until_it_is_merged_and_after() {
    let room = Room::new();
    room.github.create_repository(REPOSITORY, Seed { private: false, files: &[("a", "b\n")] });
    room.github.add_ruleset(REPOSITORY, "main", Rules { pull_request: true, signatures: false });
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let (before, writes) = (asked(&room), room.writes());
    let proposed = room.registry.digest_of(BASE).unwrap();
    room.registry.move_tag(BASE);
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    assert_eq!((asked(&room), room.writes()), (before, writes));
    let number = repository(&room).pull_requests[0].number;
    room.github.merge_pull_request(REPOSITORY, number).expect("merged");
    room.sbi(&["apply", "--yes", "--no-watch"]).exited(0);
    assert_eq!(lock(&room).images.get(BASE), Some(&proposed));
    assert_eq!(asked(&room), before);
    room.check_contract();
}

#[test]
fn render_takes_the_digests_of_the_lock_beside_its_configuration() {
    let room = Room::new();
    room.init(&["--auth", "oidc", "--no-watch"]).exited(0);
    let text = file(&room, "sbi.lock");
    let without = room.sbi(&["render", "--out", "without"]).exited(0);
    assert!(without.stderr.contains("named by tag, for want of a digest in sbi.lock: "), "{}", without.stderr);
    std::fs::write(room.folder().join("sbi.lock"), &text).unwrap();
    let with = room.sbi(&["render", "--out", "with"]).exited(0);
    assert_eq!(with.stderr, "");
    let rendered = |folder: &str| std::fs::read_to_string(room.folder().join(folder).join(DOCKERFILE)).unwrap();
    assert_eq!(rendered("with"), file(&room, DOCKERFILE));
    assert!(!rendered("without").contains("@sha256:"));
    let digest = Lock::parse(&text).unwrap().images.get(BASE).unwrap().to_string();
    std::fs::write(room.folder().join("sbi.lock"), text.replace(&digest, "sha256:short")).unwrap();
    let broken = room.sbi(&["render", "--out", "broken"]).exited(2);
    assert!(broken.stderr.contains("`sbi.lock` can't be read"), "{}", broken.stderr);
    assert!(!room.folder().join("broken").exists());
}
