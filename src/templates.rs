//! What the publisher's repository holds: the embedded catalogue, rendered strictly. Pure: no clock, no environment.

mod catalogue;
mod escape;
mod subject;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context, syntax::SyntaxConfig};

use crate::failure::Failure;
use crate::model::config::{Auth, CONFIG_FILE, Config, Visibility};
use crate::model::desired::{RELEASE_MARKER, RenderedFile};
use crate::model::names::ImageName;
use crate::model::pins::Pins;
use catalogue::Product;

pub use subject::{reading_refs, subject_context};

/// The version of the templates: they are part of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the publishing workflow is in the publisher's repository.
pub const WORKFLOW: &str = ".github/workflows/publish-to-ecr.yml";

const PUBLISH: &str = include_str!("../templates/workflows/publish-to-ecr.yml.j2");
const DEPENDABOT: &str = include_str!("../templates/dependabot.yml.j2");
const README: &str = include_str!("../templates/documents/README.md.j2");
const SECURITY: &str = include_str!("../templates/documents/SECURITY.md.j2");
const RELEASE_NOTES: &str = include_str!("../templates/documents/release-notes.md.j2");

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

/// Names of the repository secrets that the rendered workflow reads, in the order of the plan.
#[must_use]
pub fn secret_names(config: &Config) -> Vec<&'static str> {
    let mut names = match config.publish.auth {
        Auth::Oidc => vec!["AWS_ROLE_ARN"],
        Auth::AccessKey => vec!["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    };
    names.extend(["AWS_REGION", "ECR_REGISTRY"]);
    if config.publish.images.len() == 1 {
        names.push("ECR_REPOSITORY");
    }
    names
}

/// Every file of the publisher's repository but `sbi.lock`, sorted by path. Texts end with one line feed.
///
/// # Errors
/// Names the image that the catalogue lacks, or the publisher's name or contact that can't be written safely.
pub fn render(config: &Config, pins: &Pins) -> Result<Vec<RenderedFile>, Failure> {
    let _ = pins;
    let product = product_of(config)?;
    escape::check_publisher_name(&config.publisher.name)?;
    escape::check_contact(&config.publisher.security_contact)?;

    let mut files = vec![RenderedFile { path: CONFIG_FILE.into(), text: config.to_text() }];
    let templates =
        [(WORKFLOW, PUBLISH), (".github/dependabot.yml", DEPENDABOT), ("README.md", README), ("SECURITY.md", SECURITY)];
    for (path, template) in templates {
        files.push(RenderedFile { path: path.into(), text: fill(config, &product, path, template)? });
    }
    for (name, text) in &product.files {
        let (name, text) = match name.strip_suffix(".j2") {
            Some(name) => (name, fill(config, &product, name, text)?),
            None => (*name, (*text).to_owned()),
        };
        files.push(RenderedFile { path: format!("images/{}/{name}", product.name), text });
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
    let product = catalogue::products().into_iter().find(|product| product.name == *image);
    let filled = product.and_then(|product| fill(config, &product, "release notes", RELEASE_NOTES).ok());
    tidy(&filled.unwrap_or_else(|| RELEASE_MARKER.into()))
}

fn product_of(config: &Config) -> Result<Product, Failure> {
    let known = catalogue::products();
    let list = known.iter().map(|product| product.name.to_string()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = config.publish.images.iter().find(|name| known.iter().all(|product| product.name != **name))
    {
        return Err(Failure::usage(format!("there is no image `{unknown}` in the catalogue"))
            .hinted(format!("this version of sbi knows: {list}")));
    }
    let [only] = config.publish.images.as_slice() else {
        let count = config.publish.images.len();
        return Err(Failure::usage(format!("`publish.images` in {CONFIG_FILE} names {count} images"))
            .hinted(format!("one ECR repository holds one image: name exactly one of {list}")));
    };
    known.into_iter().find(|product| product.name == *only).ok_or_else(|| Failure::new("the catalogue is empty"))
}

fn fill(config: &Config, product: &Product, name: &str, template: &str) -> Result<String, Failure> {
    let failed = |error: minijinja::Error| Failure::new(format!("the template of `{name}` is broken")).caused_by(error);
    let pins = catalogue::pins();
    let mut environment = environment().map_err(failed)?;
    let actions = pins.actions;
    environment.add_function("action", move |action: String, path: Option<String>| {
        let pin = actions.get(&action).ok_or_else(|| {
            minijinja::Error::new(ErrorKind::InvalidOperation, format!("`{action}` is not in the catalogue"))
        })?;
        let path = path.map(|path| format!("/{path}")).unwrap_or_default();
        // The comment is the last thing of the line, so that Dependabot renews both together.
        Ok::<_, minijinja::Error>(format!("{action}{path}@{} # {}", pin.commit, pin.tag))
    });
    let environment_name = config.publish.environment.as_ref().map(|name| name.as_str());
    let outside = if environment_name.is_none() { " # zizmor: ignore[secrets-outside-env]" } else { "" };
    let context = context! {
        image => context! { name => product.name.as_str(), ..Value::from(Serde(&product.facts)) },
        platforms => Value::from(Serde(product.facts.runners().map_err(Failure::new)?)),
        trivy => Value::from(Serde(&pins.trivy)),
        buildkit => Value::from(Serde(&pins.buildkit)),
        publisher => context! { name => config.publisher.name.as_str() },
        contact => escape::contact_link(&config.publisher.security_contact),
        repository => config.github.repository.to_string(),
        registry => config.ecr_registry(),
        ecr_repository => config.ecr.repository.as_str(),
        region => config.aws.region.as_str(),
        release => config.publish.release.as_str(),
        private => config.github.visibility == Visibility::Private,
        oidc => config.publish.auth == Auth::Oidc,
        environment => environment_name,
        outside => outside,
    };
    environment.render_str(template, context).map_err(failed)
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
            .build()?,
    );
    environment.add_filter("docker", |text: String| escape::docker(&text));
    environment.add_filter("markdown", |text: String| escape::markdown(&text));
    environment.add_filter("yaml", |text: String| escape::yaml(&text));
    Ok(environment)
}

/// One line feed at the end, none before one, no carriage return.
fn tidy(text: &str) -> String {
    format!("{}\n", text.replace("\r\n", "\n").trim_end())
}
