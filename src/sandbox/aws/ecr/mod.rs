//! ECR: repositories, their settings, and a small image store that recomputes every digest.

mod images;
mod layers;
mod lifecycle;
mod repositories;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::authority::{Caller, Extra, authorise};
use super::json::Input;
use super::refusal::{Outcome, Refusal};
use super::state::{World, new_secret};
use super::tags::{TagProblem, Tags, resource_tags};
use crate::model::names::EcrRepositoryName;
use crate::model::observed::{Encryption, TagMutability};
use crate::model::region::{Partition, Region};
use crate::sandbox::http::{Answer, Request};

pub(super) use images::{add as add_image, publish};
pub(super) use layers::Download;

/// Where layers are downloaded from: AWS hands out signed links of S3, this port hands out its own.
pub(super) const DOWNLOADS: &str = "/sandbox-layers/";

pub(super) struct Repository {
    pub(super) arn: String,
    pub(super) created: Timestamp,
    pub(super) tag_mutability: TagMutability,
    pub(super) scan_on_push: bool,
    pub(super) encryption: Encryption,
    pub(super) lifecycle: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// By digest.
    pub(super) layers: BTreeMap<String, Vec<u8>>,
    /// By upload id.
    pub(super) uploads: BTreeMap<String, layers::Upload>,
    /// By digest.
    pub(super) images: BTreeMap<String, images::Image>,
}

impl Repository {
    pub(super) fn tags_of_images(&self) -> BTreeMap<String, String> {
        self.images
            .iter()
            .flat_map(|(digest, image)| image.tags.iter().map(move |tag| (tag.clone(), digest.clone())))
            .collect()
    }
}

pub(super) fn perform(
    world: &mut World,
    caller: &Caller,
    host: &str,
    input: &Input,
    operation: &str,
) -> Outcome<Value> {
    match operation {
        "CreateRepository" => repositories::create(world, caller, input),
        "DescribeRepositories" => repositories::describe(world, caller, input),
        "DeleteRepository" => repositories::delete(world, caller, input),
        "PutImageTagMutability" => repositories::put_tag_mutability(world, caller, input),
        "PutImageScanningConfiguration" => repositories::put_scanning(world, caller, input),
        "TagResource" => repositories::tag(world, caller, input),
        "UntagResource" => repositories::untag(world, caller, input),
        "ListTagsForResource" => repositories::list_tags(world, caller, input),
        "PutLifecyclePolicy" => lifecycle::put(world, caller, input),
        "GetLifecyclePolicy" => lifecycle::get(world, caller, input),
        "GetAuthorizationToken" => authorization_token(world, caller, input),
        "BatchCheckLayerAvailability" => layers::check_availability(world, caller, input),
        "InitiateLayerUpload" => layers::initiate_upload(world, caller, input),
        "UploadLayerPart" => layers::upload_part(world, caller, input),
        "CompleteLayerUpload" => layers::complete_upload(world, caller, input),
        "GetDownloadUrlForLayer" => layers::download_url(world, caller, input, host),
        "PutImage" => images::put(world, caller, input),
        "BatchGetImage" => images::batch_get(world, caller, input),
        "DescribeImages" => images::describe(world, caller, input),
        "BatchDeleteImage" => images::batch_delete(world, caller, input),
        other => Err(Refusal::new(
            400,
            "UnknownOperationException",
            format!("the sandbox does not know the operation ecr:{other}"),
        )),
    }
}

/// Serves a layer to whoever holds a link to it.
pub(super) fn download(world: &World, request: &Request) -> Answer {
    match request.path.strip_prefix(DOWNLOADS).and_then(|token| layers::linked(world, token)) {
        Some(bytes) => Answer::new(200, "application/octet-stream", bytes),
        None => Answer::new(403, "text/plain", "this link leads nowhere"),
    }
}

fn authorization_token(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryIds"])?;
    authorise(world, caller, "ecr:GetAuthorizationToken", "*", Extra::new())?;
    let expires = (world.clock)() + SignedDuration::from_hours(12);
    let suffix = partition(caller).dns_suffix();
    Ok(json!({ "authorizationData": [{
        "authorizationToken": STANDARD.encode(format!("AWS:{}", new_secret(400))),
        "expiresAt": seconds(expires),
        "proxyEndpoint": format!("https://{}.dkr.ecr.{}.{suffix}", world.account, caller.region),
    }] }))
}

/// A moment as AWS JSON writes it: seconds since 1970.
fn seconds(at: Timestamp) -> f64 {
    // Milliseconds since 1970 fit a double exactly.
    #[expect(clippy::cast_precision_loss)]
    let milliseconds = at.as_millisecond() as f64;
    milliseconds / 1_000.0
}

fn partition(caller: &Caller) -> Partition {
    Region::new(&caller.region).map_or(Partition::Aws, |region| region.partition())
}

/// The repository that a request is about: named, checked, and asked for.
struct Target {
    key: (String, String),
    registry: String,
}

impl Target {
    fn read(world: &World, caller: &Caller, input: &Input) -> Outcome<Self> {
        Self::of(world, caller, input, input.need("repositoryName")?)
    }

    fn of(world: &World, caller: &Caller, input: &Input, name: &str) -> Outcome<Self> {
        if EcrRepositoryName::new(name).is_err() {
            return Err(Input::invalid(
                "repositoryName",
                "must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*', 2 to \
                 256 characters",
            ));
        }
        let registry = input.text("registryId")?.unwrap_or(world.account.as_str()).to_owned();
        Ok(Self { key: (caller.region.clone(), name.to_owned()), registry })
    }

    fn name(&self) -> &str {
        &self.key.1
    }

    fn arn(&self, caller: &Caller) -> String {
        let (region, name) = &self.key;
        format!("arn:{}:ecr:{region}:{}:repository/{name}", partition(caller).id(), self.registry)
    }

    /// Asks for `ecr:OPERATION` on the repository.
    fn ask(&self, world: &mut World, caller: &Caller, action: &str, requested: Extra) -> Outcome<()> {
        let mut extra = requested;
        extra.extend(self.find(world).map(|found| resource_tags("ecr", &found.tags)).unwrap_or_default());
        authorise(world, caller, &format!("ecr:{action}"), &self.arn(caller), extra)
    }

    fn find<'a>(&self, world: &'a World) -> Outcome<&'a Repository> {
        let found = world.repositories.get(&self.key).filter(|_| self.registry == world.account.as_str());
        found.ok_or_else(|| self.missing())
    }

    fn find_mut<'a>(&self, world: &'a mut World) -> Outcome<&'a mut Repository> {
        let ours = self.registry == world.account.as_str();
        world.repositories.get_mut(&self.key).filter(|_| ours).ok_or_else(|| self.missing())
    }

    fn missing(&self) -> Refusal {
        let message = format!(
            "The repository with name '{}' does not exist in the registry with id '{}'",
            self.name(),
            self.registry
        );
        Refusal::new(400, "RepositoryNotFoundException", message)
    }

    /// The two fields that most answers begin with.
    fn answer(&self, rest: Value) -> Value {
        let mut answer = json!({ "registryId": self.registry, "repositoryName": self.name() });
        if let (Value::Object(answer), Value::Object(rest)) = (&mut answer, rest) {
            answer.extend(rest);
        }
        answer
    }
}

fn read_tags(values: &[Value]) -> Outcome<Tags> {
    let mut pairs = Vec::new();
    for value in values {
        let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(key), Some(text)) = (field("Key"), field("Value")) else {
            return Err(Refusal::new(400, "InvalidTagParameterException", "a tag has a Key and a Value"));
        };
        pairs.push((key, text));
    }
    Tags::read(pairs).map_err(|problem| match &problem {
        TagProblem::TooMany => Refusal::new(400, "TooManyTagsException", problem.message()),
        TagProblem::Invalid(_) => Refusal::new(400, "InvalidTagParameterException", problem.message()),
    })
}
