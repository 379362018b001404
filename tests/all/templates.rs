//! What is rendered: judged by programs that nobody here wrote over every combination of options, and executed.

mod checks;
mod documents;
mod key_age;
mod linters;
mod pins;
mod rescan;
mod runner;
mod scripts;
mod update;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use sbi::model::config::{Architecture, Auth, Config, Signing, Visibility};
use sbi::model::desired::RenderedFile;
use sbi::model::identity::{ReadingRef, SubjectContext};
use sbi::model::names::{EnvironmentName, ImageName, ReleaseTag};
use sbi::model::pins::Pins;
use sbi::templates::{
    self, ACCESS_WORKFLOW, CHECK_WORKFLOW, KEY_AGE_WORKFLOW, RESCAN_WORKFLOW, UPDATE_WORKFLOW, WORKFLOW,
};
use serde_yaml_ng::Value;

use crate::support::tools::root;

/// What changes the rendered files.
#[derive(Clone, Copy, Debug)]
struct Options {
    auth: Auth,
    visibility: Visibility,
    environment: Option<&'static str>,
    /// Every image of the catalogue instead of the first.
    several: bool,
    signing: bool,
    architectures: &'static [Architecture],
}

/// A public repository with OIDC, an environment and one image, signed, for every architecture.
const USUAL: Options = Options {
    auth: Auth::Oidc,
    visibility: Visibility::Public,
    environment: Some("release"),
    several: false,
    signing: true,
    architectures: &Architecture::ALL,
};

fn config(options: Options) -> Config {
    let text = r#"
        [github]
        repository = "acme/base-images"
        visibility = "public"
        [aws]
        account = "123456789012"
        region = "eu-central-1"
        [ecr]
        repository = "acme/static-go"
        [publish]
        auth = "oidc"
        images = ["static-go"]
        release = "v1.0.0"
        [publisher]
        name = "Acme Ltd"
        security-contact = "security@acme.example"
        "#;
    let mut config = Config::parse(text).unwrap();
    config.publish.auth = options.auth;
    config.github.visibility = options.visibility;
    config.publish.environment = options.environment.map(|name| EnvironmentName::new(name).unwrap());
    config.publish.signing = Some(if options.signing { Signing::Keyless } else { Signing::None });
    if options.architectures != Architecture::ALL {
        config.publish.architectures = Some(options.architectures.to_vec());
    }
    // Every other one with an access key reminds of its age.
    config.publish.key_max_age_days = (options.auth == Auth::AccessKey && options.signing).then_some(90);
    // Every other one of those with environments updates itself.
    let program = format!("https://downloads.acme.example/sbi-0.2.0#sha256={}", "0a".repeat(32));
    let updates = options.several && options.environment.is_some();
    config.publish.update_program = updates.then(|| program.parse().unwrap());
    if options.several {
        config.publish.images = templates::images().into_iter().map(|image| image.name).collect();
    }
    config
}

/// One member of the option matrix, rendered.
pub(super) struct Combination {
    pub(super) name: String,
    options: Options,
    pub(super) config: Config,
    pub(super) files: Vec<RenderedFile>,
    /// By path.
    workflows: BTreeMap<&'static str, Value>,
}

/// The whole option matrix, rendered once for all tests.
pub(super) fn matrix() -> &'static [Combination] {
    static ALL: LazyLock<Vec<Combination>> = LazyLock::new(|| {
        let mut all = Vec::new();
        for number in 0..64_u8 {
            let on = |bit: u8| number >> bit & 1 == 1;
            let options = Options {
                auth: if on(0) { Auth::AccessKey } else { Auth::Oidc },
                visibility: if on(1) { Visibility::Private } else { Visibility::Public },
                environment: if on(2) { None } else { Some("release") },
                several: on(3),
                signing: !on(4),
                architectures: if on(5) { &[Architecture::Amd64] } else { &Architecture::ALL },
            };
            let name = [
                options.auth.as_str(),
                options.visibility.as_str(),
                options.environment.unwrap_or("none"),
                if options.several { "several" } else { "one" },
                if options.signing { "signed" } else { "unsigned" },
                if options.architectures.len() == 1 { "amd64" } else { "both" },
            ];
            let config = config(options);
            let files = rendered(&config);
            let parsed = |path| (path, serde_yaml_ng::from_str(text(&files, path)).unwrap());
            let workflows = workflows_of(&config).map(parsed).collect();
            all.push(Combination { name: name.join("-"), options, config, files, workflows });
        }
        all
    });
    &ALL
}

/// What is rendered of this configuration.
fn workflows_of(config: &Config) -> impl Iterator<Item = &'static str> + use<> {
    let access = (config.publish.auth == Auth::Oidc).then_some(ACCESS_WORKFLOW);
    let age = config.publish.key_max_age_days.map(|_| KEY_AGE_WORKFLOW);
    let update = config.publish.update_program.as_ref().map(|_| UPDATE_WORKFLOW);
    [WORKFLOW, CHECK_WORKFLOW, RESCAN_WORKFLOW].into_iter().chain(access).chain(age).chain(update)
}

impl Combination {
    /// The paths of its workflows.
    fn paths(&self) -> impl Iterator<Item = &'static str> + use<> {
        workflows_of(&self.config)
    }

    fn text(&self, path: &str) -> &str {
        text(&self.files, path)
    }

    fn workflow(&self, path: &str) -> &Value {
        &self.workflows[path]
    }
}

fn public() -> Config {
    config(USUAL)
}

fn rendered(config: &Config) -> Vec<RenderedFile> {
    templates::render(config, &Pins::default()).unwrap()
}

fn text<'a>(files: &'a [RenderedFile], path: &str) -> &'a str {
    &files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not rendered")).text
}

fn write(files: &[RenderedFile], folder: &Path) {
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
}

#[test]
fn one_image_renders_these_paths_and_several_render_a_folder_each() {
    for Combination { name, config, files, .. } in matrix() {
        let mut paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert!(paths.is_sorted(), "{name}");
        for image in &config.publish.images {
            for file in ["Dockerfile", "accepted-findings.yaml", "image.json", "audit/main.go"] {
                let path = format!("images/{image}/{file}");
                assert!(paths.contains(&path.as_str()), "{name}: {path}");
            }
        }
        paths.retain(|path| !path.starts_with("images/"));
        let with_access = paths.len();
        paths.retain(|path| *path != KEY_AGE_WORKFLOW);
        assert_eq!(with_access > paths.len(), config.publish.key_max_age_days.is_some(), "{name}: a reminder");
        let with_update = paths.len();
        paths.retain(|path| *path != UPDATE_WORKFLOW);
        assert_eq!(with_update > paths.len(), config.publish.update_program.is_some(), "{name}: an update");
        let with_access = paths.len();
        paths.retain(|path| *path != ACCESS_WORKFLOW);
        assert_eq!(with_access > paths.len(), config.publish.auth == Auth::Oidc, "{name}: roles can be tried");
        insta::allow_duplicates! {
            insta::assert_snapshot!(paths.join("\n"), @"
            .github/dependabot.yml
            .github/workflows/check-images.yml
            .github/workflows/publish-to-ecr.yml
            .github/workflows/rescan.yml
            README.md
            SECURITY.md
            docs/verify.md
            sbi.toml
            ");
        }
    }
}

#[test]
fn every_combination_renders_the_same_each_time_and_tidy() {
    for Combination { name, config, files, .. } in matrix() {
        for file in files {
            let (path, text) = (&file.path, &file.text);
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{name}: {path} ends with one line feed");
            assert!(!text.contains('\r'), "{name}: {path} has a carriage return");
            assert!(!text.contains("\n\n\n"), "{name}: {path} has two blank lines in a row");
            for rest in ["{{%", "%}}", "{{{", "}}}"] {
                assert!(!text.contains(rest), "{name}: {path} holds a rest of the template: {rest}");
            }
            let blank = text.lines().find(|line| line.ends_with([' ', '\t']));
            assert_eq!(blank, None, "{name}: {path} has a blank at the end of a line");
        }
        assert_eq!(Config::parse(text(files, "sbi.toml")).unwrap(), *config, "{name}");
    }
    let last = matrix().last().unwrap();
    assert_eq!(last.files, rendered(&last.config), "rendering twice gives the same");
}

#[test]
fn the_files_of_a_public_repository_with_oidc_are_as_reviewed() {
    let files = rendered(&public());
    let reviewed = [
        WORKFLOW,
        CHECK_WORKFLOW,
        ".github/dependabot.yml",
        "README.md",
        "SECURITY.md",
        "images/static-go/Dockerfile",
        "images/static-go/example/Dockerfile",
    ];
    for path in reviewed {
        insta::assert_snapshot!(path.replace('/', "__"), text(&files, path));
    }
}

#[test]
fn every_folder_of_images_is_a_product_that_can_be_rendered() {
    let images = templates::images();
    // The first is the default.
    assert_eq!(images[0].name.as_str(), "static-go");
    let mut names: Vec<String> = images.iter().map(|image| image.name.to_string()).collect();
    names.sort_unstable();
    let mut folders: Vec<String> = std::fs::read_dir(root().join("images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    folders.sort_unstable();
    assert_eq!(names, folders, "a product is a folder");
    for image in images {
        let mut config = public();
        config.publish.images = vec![image.name];
        rendered(&config);
    }
}

#[test]
fn an_unknown_image_is_refused_with_the_list_of_known_ones() {
    let mut config = public();
    config.publish.images = vec![ImageName::new("static-rust").unwrap()];
    let failure = templates::render(&config, &Pins::default()).unwrap_err();
    assert_eq!(failure.message(), "there is no image `static-rust` in the catalogue");
    assert_eq!(failure.hints(), ["this version of sbi knows: static-go, base-go"]);
    assert_eq!(failure.exit_code() as i32, 2);
}

#[test]
fn no_image_and_the_same_image_twice_are_refused() {
    for (images, reason) in [(vec![], "names no image"), (vec!["static-go", "static-go"], "names static-go twice")] {
        let mut config = public();
        config.publish.images = images.into_iter().map(|name| ImageName::new(name).unwrap()).collect();
        let failure = templates::render(&config, &Pins::default()).unwrap_err();
        assert!(failure.message().contains(reason), "{}", failure.message());
        assert_eq!(failure.exit_code() as i32, 2);
    }
}

#[test]
fn architectures_are_named_once_and_at_least_one() {
    for (architectures, reason) in
        [(vec![], "names no architecture"), (vec![Architecture::Arm64, Architecture::Arm64], "names arm64 twice")]
    {
        let mut config = public();
        config.publish.architectures = Some(architectures);
        let failure = templates::render(&config, &Pins::default()).unwrap_err();
        assert!(failure.message().contains(reason), "{}", failure.message());
    }
    // Their order is no difference.
    let mut turned = public();
    turned.publish.architectures = Some(vec![Architecture::Arm64, Architecture::Amd64]);
    assert_eq!(text(&rendered(&turned), WORKFLOW), text(&rendered(&public()), WORKFLOW));
}

/// The secrets of one way to sign in; of several images none has its ECR repository as a secret.
fn secrets_of(config: &Config) -> Vec<&'static str> {
    let mut names = templates::secret_names(config);
    names.sort_unstable();
    names
}

#[test]
fn the_secrets_of_each_mode_are_exactly_those_that_the_workflow_reads() {
    for combination in matrix() {
        let mut read: Vec<&str> = combination
            .text(WORKFLOW)
            .split("secrets.")
            .skip(1)
            .map(|rest| &rest[..rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap()])
            .collect();
        read.sort_unstable();
        read.dedup();
        assert_eq!(read, secrets_of(&combination.config), "{}", combination.name);
        assert!(!combination.text(CHECK_WORKFLOW).contains("secrets."), "{}", combination.name);
    }
}

#[test]
fn the_subject_follows_the_rendered_publish_job() {
    for Combination { name, config, files, .. } in matrix() {
        let expected = match &config.publish.environment {
            Some(environment) => SubjectContext::Environment(environment.clone()),
            None => SubjectContext::ReleaseTag,
        };
        assert_eq!(templates::subject_context(files).unwrap(), expected, "{name}");
    }
}

/// A workflow whose job `fetch` signs in with this role.
fn reading(on: &str, job: &str, role: &str) -> String {
    format!(
        "on: {on}\njobs:\n  fetch:\n    runs-on: ubuntu-24.04\n{job}    steps:\n      - uses: somebody/sign-in\n        \
         with:\n          role-to-assume: {role}\n"
    )
}

#[test]
fn the_refs_that_read_are_those_of_the_jobs_that_assume_the_reading_role() {
    let config = public();
    let role = config.iam_arn("role/sbi-read-acme-base-images");
    assert!(role.ends_with(config.read_role().as_str()), "{role}");
    let refs = |workflows: &[&str]| {
        let file = |(at, text): (usize, &&str)| RenderedFile {
            path: format!(".github/workflows/{at}.yml"),
            text: (*text).to_owned(),
        };
        let files: Vec<RenderedFile> = workflows.iter().enumerate().map(file).collect();
        templates::reading_refs(&config, &files)
    };
    let release = reading("release", "", &role);
    let schedule = reading("{schedule: [{cron: '7 3 * * *'}], workflow_dispatch: }", "", &role);
    assert_eq!(refs(&[&release]).unwrap(), [ReadingRef::ReleaseTag].into());
    assert_eq!(refs(&[&schedule]).unwrap(), [ReadingRef::DefaultBranch].into());
    let both = [ReadingRef::ReleaseTag, ReadingRef::DefaultBranch].into();
    assert_eq!(refs(&[&release, &schedule, "on: push\njobs: {a: {}}\n"]).unwrap(), both);
    // Another role is nothing to this one, and a file that does not name it may even be broken.
    assert_eq!(refs(&[&reading("release", "", &config.iam_arn("role/other")), "on: ["]).unwrap(), [].into());
    for (workflow, reason) in [
        (reading("release", "    environment: publish\n", &role), "the job `fetch` reads and runs in an environment"),
        (reading("pull_request", "", &role), "the job `fetch` runs on neither releases nor a schedule"),
        (format!("# {role}\non: ["), "it is not YAML"),
    ] {
        let failure = refs(&[&workflow]).unwrap_err();
        assert!(failure.message().ends_with(reason), "{failure}");
    }
}

#[test]
fn the_subject_is_read_from_the_file_and_not_from_the_config() {
    let read =
        |workflow: &str| templates::subject_context(&[RenderedFile { path: WORKFLOW.into(), text: workflow.into() }]);
    let environment = |name: &str| SubjectContext::Environment(EnvironmentName::new(name).unwrap());
    assert_eq!(
        read("on: release\njobs: {publish: {environment: {name: prod, url: 'https://x'}}}").unwrap(),
        environment("prod")
    );
    assert_eq!(read("on: [push, release]\njobs: {publish: {}}").unwrap(), SubjectContext::ReleaseTag);
    for (workflow, reason) in [
        ("on: push\njobs: {publish: {}}", "it does not run on a release"),
        ("on: release\njobs: {deploy: {}}", "there is no job `publish`"),
        ("on: release\njobs: {publish: {environment: [a]}}", "has no name"),
        ("on: [", "it is not YAML"),
        ("", "it is not one YAML document"),
    ] {
        let failure = read(workflow).unwrap_err();
        assert!(failure.message().contains(reason), "{workflow:?}: {}", failure.message());
    }
    // An expression has no value before the run, so no role can trust it.
    assert!(read("on: release\njobs: {publish: {environment: '${{ inputs.where }}'}}").is_err());
    assert!(templates::subject_context(&[]).unwrap_err().message().contains("the file is missing"));
}

#[test]
fn release_notes_carry_the_marker_on_a_line_of_its_own() {
    let notes = templates::release_notes(&public(), &"static-go".parse().unwrap());
    assert!(notes.lines().any(|line| line == "<!-- sbi -->"), "{notes}");
    assert!(notes.contains("Acme Ltd"), "{notes}");
}

#[test]
fn a_hostile_publisher_name_stays_text_everywhere() {
    let hostile = r#"A"\n$(x) ${{ github.token }} {{ }} {{{ repository }}} `id` <script> [a](b) | ${PATH} '#"#;
    let mut config = public();
    config.publisher.name = hostile.into();
    let files = rendered(&config);
    assert!(!text(&files, WORKFLOW).contains("github.token"), "no workflow holds the publisher's name");
    assert!(!text(&files, ".github/dependabot.yml").contains("script"));
    assert_eq!(Config::parse(text(&files, "sbi.toml")).unwrap(), config);

    let dockerfile = text(&files, "images/static-go/Dockerfile");
    let label = dockerfile.lines().find(|line| line.contains("image.vendor")).unwrap();
    let value = label.trim().strip_prefix("org.opencontainers.image.vendor=").unwrap().strip_suffix(" \\").unwrap();
    assert_eq!(dockerfile_word(value), hostile);

    let readme = text(&files, "README.md");
    assert!(!readme.contains("<script>") && !readme.contains("[a](b)") && !readme.contains("`id`"), "{readme}");
}

/// What a Dockerfile parser makes of one double-quoted word, and a panic where it would expand or end it.
fn dockerfile_word(word: &str) -> String {
    let inner = word.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
    let mut value = String::new();
    let mut characters = inner.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek().is_some_and(|next| "\\\"$".contains(*next)) => {
                value.push(characters.next().unwrap());
            }
            '"' | '$' => panic!("{c} is not escaped in {word}"),
            other => value.push(other),
        }
    }
    value
}

#[test]
fn names_and_contacts_that_no_file_can_hold_are_refused() {
    for name in ["", " ", " Acme", "A\nUSER root", "A\rB", "A\u{202e}B", "A\u{2028}B", "A\0B", &"x".repeat(101)] {
        let mut config = public();
        config.publisher.name = name.into();
        let failure = templates::render(&config, &Pins::default()).unwrap_err();
        assert_eq!(failure.exit_code() as i32, 2, "{name:?}");
    }
    for contact in [
        "",
        "security",
        "a@b",
        "a@b.c d",
        "a b@c.example",
        "http://acme.example",
        "https://",
        "https://a.example/><script>",
        "https://user:secret@a.example/",
        "javascript:alert(1)",
        "a@b.example\nX: y",
    ] {
        let mut config = public();
        config.publisher.security_contact = contact.into();
        assert!(templates::render(&config, &Pins::default()).is_err(), "{contact:?} is accepted");
    }
    for contact in
        ["security@acme.example", "a.b+c@mail.acme.co.uk", "https://acme.example/security?from=readme#report"]
    {
        let mut config = public();
        config.publisher.security_contact = contact.into();
        assert!(text(&rendered(&config), "SECURITY.md").contains(&format!("<{contact}>")));
    }
}

#[test]
fn the_pipeline_accepts_the_tags_that_sbi_accepts() {
    // The plan job's own check runs in `scripts`; this one holds the two patterns against each other.
    for tag in ["v1.0.0", "v0.0.0", "v10.20.30", "v1.0.0-rc.1", "v1.2.3-x-y.0"] {
        assert!(ReleaseTag::new(tag).is_ok() && scripts::plan_accepts(tag), "{tag}");
    }
    for tag in [
        "1.0.0",
        "v1.0",
        "v01.0.0",
        "v1.0.0-",
        "v1.0.0+a",
        "v1.0.0-a..b",
        "latest",
        "v1.0.0 ",
        "V1.0.0",
        "v1.0.1234567890",
    ] {
        assert!(ReleaseTag::new(tag).is_err() && !scripts::plan_accepts(tag), "{tag}");
    }
}

#[test]
fn a_release_carries_the_marker_that_observing_looks_for() {
    for auth in [sbi::model::config::Auth::Oidc, sbi::model::config::Auth::AccessKey] {
        let notes = sbi::templates::release_notes(&crate::support::world::config(auth), &"static-go".parse().unwrap());
        assert!(notes.lines().any(|line| line == sbi::model::desired::RELEASE_MARKER), "{notes}");
    }
}
