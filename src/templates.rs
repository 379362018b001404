//! What the publisher's repository holds: the embedded catalogue, rendered strictly. Pure: no clock, no environment.

mod catalogue;
mod changes;
mod escape;
mod pinning;
mod promises;
mod subject;

use std::collections::BTreeSet;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context, syntax::SyntaxConfig};

use crate::failure::Failure;
use crate::model::config::{Architecture, Auth, CONFIG_FILE, Config, Visibility};
use crate::model::desired::{RELEASE_MARKER, RenderedFile};
use crate::model::names::ImageName;
use crate::model::pins::Pins;
use crate::model::secrets::ACCESS_KEY_SECRET;
use crate::model::status::ImagePromises;
use catalogue::Product;

pub use changes::{Change, MOVED, changes, reasons};
pub use pinning::differ_by_pins_alone;
pub use subject::{reading_refs, subject_context};

/// The version of the templates: they are part of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the publishing workflow is in the publisher's repository.
pub const WORKFLOW: &str = ".github/workflows/publish-to-ecr.yml";

/// Where the workflow that checks proposed changes is in the publisher's repository.
pub const CHECK_WORKFLOW: &str = ".github/workflows/check-images.yml";

/// Where the workflow is that scans what was released, every night.
pub const RESCAN_WORKFLOW: &str = ".github/workflows/rescan.yml";

/// Where the workflow is that signs in to AWS and does nothing else; only with `auth = "oidc"`.
pub const ACCESS_WORKFLOW: &str = ".github/workflows/check-access.yml";

/// Where the workflow is that reminds of an old access key; only where `publish.key-max-age-days` is set.
pub const KEY_AGE_WORKFLOW: &str = ".github/workflows/key-age.yml";

/// Where the workflow is that keeps the pull request of `sbi update`; only where `publish.update-program` is set.
pub const UPDATE_WORKFLOW: &str = ".github/workflows/update.yml";

const PUBLISH: &str = include_str!("../templates/workflows/publish-to-ecr.yml.j2");
const CHECK: &str = include_str!("../templates/workflows/check-images.yml.j2");
const RESCAN: &str = include_str!("../templates/workflows/rescan.yml.j2");
const ACCESS: &str = include_str!("../templates/workflows/check-access.yml.j2");
const KEY_AGE: &str = include_str!("../templates/workflows/key-age.yml.j2");
const UPDATE: &str = include_str!("../templates/workflows/update.yml.j2");
const DEPENDABOT: &str = include_str!("../templates/dependabot.yml.j2");
const README: &str = include_str!("../templates/documents/README.md.j2");
const SECURITY: &str = include_str!("../templates/documents/SECURITY.md.j2");
const VERIFY: &str = include_str!("../templates/documents/verify.md.j2");
const RELEASE_NOTES: &str = include_str!("../templates/documents/release-notes.md.j2");

macro_rules! part {
    ($file:literal) => {
        (concat!("parts/", $file), include_str!(concat!("../templates/workflows/parts/", $file)))
    };
}

/// What several workflows, or several jobs of one, have in common: steps at the indentation of a job's.
const PARTS: &[(&str, &str)] = &[
    part!("assume-read-role.yml.j2"),
    part!("build.yml.j2"),
    part!("check-sign-in.yml.j2"),
    part!("checkout.yml.j2"),
    part!("credentials.yml.j2"),
    part!("decide.yml.j2"),
    part!("fetch-plan.yml.j2"),
    part!("find-repository.yml.j2"),
    part!("install-cosign.yml.j2"),
    part!("install-sbi.yml.j2"),
    part!("install-trivy.yml.j2"),
    part!("scan.yml.j2"),
    part!("split-access-key.yml.j2"),
    part!("verify-signatures.yml.j2"),
    part!("verify.yml.j2"),
];

/// One product of the catalogue, as the question for it shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub name: ImageName,
    pub title: String,
}

/// Every product that can be published, in the order of the catalogue.
#[must_use]
pub fn images() -> Vec<Image> {
    catalogue::products().into_iter().map(|product| Image { name: product.name, title: product.facts.title }).collect()
}

/// What the catalogue promises of each published image, in the order of `publish.images`.
///
/// # Errors
/// Names the image that the catalogue lacks.
pub fn image_promises(config: &Config) -> Result<Vec<ImagePromises>, Failure> {
    Ok(Chosen::of(config, &Pins::default())?.products.iter().map(Product::promises).collect())
}

/// Names of the repository secrets that the rendered workflow reads, in the order of the plan.
#[must_use]
pub fn secret_names(config: &Config) -> Vec<&'static str> {
    let mut names = match config.publish.auth {
        Auth::Oidc => Vec::new(),
        Auth::AccessKey => vec![ACCESS_KEY_SECRET],
    };
    if !config.has_settings_as_secrets() {
        return names;
    }
    if config.publish.auth == Auth::Oidc {
        names.push("AWS_ROLE_ARN");
    }
    names.extend(["AWS_REGION", "ECR_REGISTRY"]);
    if config.publish.images.len() == 1 {
        names.push("ECR_REPOSITORY");
    }
    names
}

/// Every image of somebody else that the rendered files build on, with its tag: sorted, each once.
///
/// # Errors
/// Names the image that the catalogue lacks.
pub fn references(config: &Config) -> Result<Vec<String>, Failure> {
    let chosen = Chosen::of(config, &Pins::default())?;
    let references: BTreeSet<&str> = chosen.products.iter().flat_map(|product| product.facts.references()).collect();
    Ok(references.into_iter().map(str::to_owned).collect())
}

/// Every file of the publisher's repository but `sbi.lock`, sorted by path. Texts end with one line feed. `FROM` lines
/// carry the digest of `pins` behind the tag where there is one.
///
/// # Errors
/// Names what `Config::check` refuses, the image that the catalogue lacks, or the publisher's name or contact that can't
/// be written safely.
pub fn render(config: &Config, pins: &Pins) -> Result<Vec<RenderedFile>, Failure> {
    let chosen = Chosen::of(config, pins)?;
    escape::check_publisher_name(&config.publisher.name)?;
    escape::check_contact(&config.publisher.security_contact)?;

    let filler = Filler::new(config, &chosen)?;
    let mut files = vec![RenderedFile { path: CONFIG_FILE.into(), text: config.to_text() }];
    let access = (config.publish.auth == Auth::Oidc).then_some((ACCESS_WORKFLOW, ACCESS));
    let templates = [
        (WORKFLOW, PUBLISH),
        (CHECK_WORKFLOW, CHECK),
        (RESCAN_WORKFLOW, RESCAN),
        (".github/dependabot.yml", DEPENDABOT),
        ("README.md", README),
        ("SECURITY.md", SECURITY),
        ("docs/verify.md", VERIFY),
    ];
    let [first, ..] = chosen.products.as_slice() else { return Err(Failure::new("the catalogue is empty")) };
    let key_age = config.publish.key_max_age_days.map(|_| (KEY_AGE_WORKFLOW, KEY_AGE));
    let update = config.publish.update_program.as_ref().map(|_| (UPDATE_WORKFLOW, UPDATE));
    for (path, template) in templates.into_iter().chain(access).chain(key_age).chain(update) {
        files.push(RenderedFile { path: path.into(), text: filler.fill(first, path, template)? });
    }
    for product in &chosen.products {
        for (name, text) in &product.files {
            let (name, text) = match name.strip_suffix(".j2") {
                Some(name) => (name, filler.fill(product, name, text)?),
                None => (*name, (*text).to_owned()),
            };
            files.push(RenderedFile { path: format!("images/{}/{name}", product.name), text });
        }
    }
    for file in &mut files {
        file.text = tidy(&file.text);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The text of an image's release made by sbi, with the marker that `sbi` knows its releases by.
#[must_use]
pub fn release_notes(config: &Config, image: &ImageName) -> String {
    // A config that can't be rendered is refused by `render`, before any release is planned.
    let filled = Chosen::of(config, &Pins::default()).ok().and_then(|chosen| {
        let product = chosen.products.iter().find(|product| product.name == *image)?;
        Filler::new(config, &chosen).ok()?.fill(product, "release notes", RELEASE_NOTES).ok()
    });
    tidy(&filled.unwrap_or_else(|| RELEASE_MARKER.into()))
}

/// What one configuration takes from the catalogue.
struct Chosen {
    /// In the order of `publish.images`; at least one.
    products: Vec<Product>,
    /// What all of them are built for.
    architectures: Vec<Architecture>,
    /// Which digest stands behind the tag of somebody else's image.
    pins: Pins,
}

impl Chosen {
    /// # Errors
    /// Names what does not fit together in the configuration, the image that the catalogue lacks, and the architecture
    /// that an image lacks.
    fn of(config: &Config, pins: &Pins) -> Result<Self, Failure> {
        // From here on, images and architectures are named, and each once.
        config.check().map_err(|failure| failure.hinted(format!("mend `{CONFIG_FILE}`")))?;
        let mut known = catalogue::products();
        let list = known.iter().map(|product| product.name.to_string()).collect::<Vec<_>>().join(", ");
        let mut products = Vec::new();
        for name in &config.publish.images {
            let Some(found) = known.iter().position(|product| product.name == *name) else {
                return Err(Failure::usage(format!("there is no image `{name}` in the catalogue"))
                    .hinted(format!("this version of sbi knows: {list}")));
            };
            products.push(known.swap_remove(found));
        }
        let architectures = architectures(config, &products)?;
        Ok(Self { products, architectures, pins: pins.clone() })
    }
}

/// One list for all images, because they share the jobs of one workflow.
fn architectures(config: &Config, products: &[Product]) -> Result<Vec<Architecture>, Failure> {
    let names = |list: &[Architecture]| list.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ");
    let promised = products.iter().map(|product| (&product.name, product.facts.architectures()));
    let Some(wanted) = &config.publish.architectures else {
        let mut all = promised;
        let (_, first) = all.next().ok_or_else(|| Failure::new("no image is chosen"))?;
        if let Some((name, other)) = all.find(|(_, other)| *other != first) {
            let (first, other) = (names(&first), names(&other));
            return Err(Failure::usage(format!(
                "the images are for different architectures: {first}; `{name}`: {other}"
            ))
            .hinted(format!("name those that all have as `publish.architectures` in {CONFIG_FILE}")));
        }
        return Ok(first);
    };
    let mut sorted = wanted.clone();
    sorted.sort_unstable();
    for (name, promised) in promised {
        if let Some(lacking) = sorted.iter().find(|one| !promised.contains(one)) {
            return Err(Failure::usage(format!("the image `{name}` does not promise {}", lacking.as_str()))
                .hinted(format!("it promises {}: choose among them in `publish.architectures`", names(&promised))));
        }
    }
    Ok(sorted)
}

/// Fills templates for one configuration. What all texts share is made once: a repository may have many images.
struct Filler<'a> {
    config: &'a Config,
    chosen: &'a Chosen,
    environment: Environment<'static>,
    pins: catalogue::Pins,
    /// What each image's texts are told, in the order of `publish.images`.
    images: Vec<Value>,
}

impl<'a> Filler<'a> {
    /// # Errors
    /// When what templates may call can't be set up.
    fn new(config: &'a Config, chosen: &'a Chosen) -> Result<Self, Failure> {
        let pins = catalogue::pins();
        let mut environment =
            environment().map_err(|error| Failure::new("templates can't be filled").caused_by(error))?;
        let digests = chosen.pins.clone();
        environment.add_filter("pinned", move |reference: String| digests.pinned(&reference));
        let actions = pins.actions.clone();
        environment.add_function("action", move |action: String, path: Option<String>| {
            let pin = actions.get(&action).ok_or_else(|| {
                minijinja::Error::new(ErrorKind::InvalidOperation, format!("`{action}` is not in the catalogue"))
            })?;
            let path = path.map(|path| format!("/{path}")).unwrap_or_default();
            // The comment is the last thing of the line, so that Dependabot renews both together.
            Ok::<_, minijinja::Error>(format!("{action}{path}@{} # {}", pin.commit, pin.tag))
        });
        let images = chosen.products.iter().map(|product| image_context(config, product)).collect();
        Ok(Self { config, chosen, environment, pins, images })
    }

    /// `product` is the image whose folder the text is for; a file of the whole repository gets the first one.
    fn fill(&self, product: &Product, name: &str, template: &str) -> Result<String, Failure> {
        let Self { config, chosen, pins, images, .. } = self;
        let environment_name = config.publish.environment.as_ref().map(|name| name.as_str());
        let outside = if environment_name.is_none() { " # zizmor: ignore[secrets-outside-env]" } else { "" };
        let runner = |one: &Architecture| context! { arch => one.as_str(), runner => one.runner() };
        let context = context! {
            several => images.len() > 1,
            images => images,
            image => image_context(config, product),
            architectures => chosen.architectures.iter().map(runner).collect::<Vec<_>>(),
            trivy => Value::from(Serde(&pins.trivy)),
            cosign => Value::from(Serde(&pins.cosign)),
            buildkit => Value::from(Serde(&pins.buildkit)),
            publisher => context! { name => config.publisher.name.as_str() },
            contact => escape::contact_link(&config.publisher.security_contact),
            repository => config.github.repository.to_string(),
            registry => config.ecr_registry(),
            ecr_repository => config.ecr_repository_of(&product.name).as_str(),
            region => config.aws.region.as_str(),
            publish_role_arn => config.iam_arn(&format!("role/{}", config.role())),
            read_role_arn => config.iam_arn(&format!("role/{}", config.read_role())),
            release => config.publish.release.as_str(),
            private => config.github.visibility == Visibility::Private,
            oidc => config.publish.auth == Auth::Oidc,
            signing => config.signs(),
            user => config.user().as_str(),
            key_max_age => config.publish.key_max_age_days,
            update_program => config.publish.update_program.as_ref().map(|program| context! {
                url => program.url(), sha256 => program.sha256(),
            }),
            environment => environment_name,
            outside => outside,
        };
        self.environment
            .render_str(template, context)
            .map_err(|error| Failure::new(format!("the template of `{name}` is broken")).caused_by(error))
    }
}

/// What the catalogue says about an image, and how it leaves this repository.
fn image_context(config: &Config, product: &Product) -> Value {
    let repository = config.ecr_repository_of(&product.name);
    let outlet = config.outlet_of(&product.name);
    context! {
        ecr_repository => repository.as_str(),
        uri => format!("{}/{repository}", config.ecr_registry()),
        tag => outlet.tag.to_string(),
        tag_pattern => outlet.tag_pattern.as_str(),
        docker_folders => folders_with(product, "Dockerfile"),
        go_folders => folders_with(product, "go.mod"),
        ..product.context(&config.github.repository)
    }
}

/// The folders below the image's own that hold such a file: `` for its own, `/example`.
fn folders_with(product: &Product, file: &str) -> Vec<String> {
    let folder = |path: &&str| {
        let path = path.strip_suffix(".j2").unwrap_or(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        (name == file).then(|| if folder.is_empty() { String::new() } else { format!("/{folder}") })
    };
    product.files.keys().filter_map(folder).collect()
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // `${{ }}` is GitHub's.
    environment.set_syntax(
        SyntaxConfig::builder()
            .block_delimiters("{{%", "%}}")
            .variable_delimiters("{{{", "}}}")
            .comment_delimiters("{{#", "#}}")
            .trim_blocks(true)
            .lstrip_blocks(true)
            // Parts end with a line, so that an empty one after their place is an empty one in the file.
            .keep_trailing_newline(true)
            .build()?,
    );
    for (name, text) in PARTS {
        environment.add_template(name, text)?;
    }
    environment.add_filter("json", |value: Value| {
        serde_json::to_string_pretty(&value)
            .map_err(|error| minijinja::Error::new(ErrorKind::BadSerialization, "not JSON").with_source(error))
    });
    environment.add_filter("docker", |text: String| escape::docker(&text));
    environment.add_filter("markdown", |text: String| escape::markdown(&text));
    environment.add_filter("yaml", |text: String| escape::yaml(&text));
    Ok(environment)
}

/// One line feed at the end, none before one, no carriage return.
fn tidy(text: &str) -> String {
    format!("{}\n", text.replace("\r\n", "\n").trim_end())
}
