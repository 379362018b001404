//! Images: manifests whose parts are there, under tags that move only where the repository lets them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::layers::is_digest;
use super::{Repository, Target, seconds};
use crate::model::evaluation::matches_wildcard;
use crate::model::observed::TagMutability;
use crate::sandbox::aws::authority::{Caller, Extra};
use crate::sandbox::aws::json::Input;
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::signature::sha256;
use crate::sandbox::aws::state::World;

const IMAGES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

pub(in super::super) struct Image {
    manifest: String,
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
    /// Digests of the manifests that it lists.
    lists: Vec<String>,
    size: u64,
    pushed: Timestamp,
    pub(super) tags: BTreeSet<String>,
}

/// An index of no image under a tag, as if the pipeline had pushed it; its digest.
pub(in super::super) fn publish(repository: &mut Repository, tag: &str, pushed: Timestamp) -> String {
    let [media_type, _] = INDEXES;
    let annotations = json!({ "org.opencontainers.image.version": tag });
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [], "annotations": annotations }).to_string();
    let digest = format!("sha256:{}", sha256(manifest.as_bytes()));
    let image = Image {
        size: manifest.len() as u64,
        manifest,
        media_type: media_type.to_owned(),
        artifact_type: None,
        subject: None,
        lists: Vec::new(),
        pushed,
        tags: BTreeSet::from([tag.to_owned()]),
    };
    repository.images.insert(digest.clone(), image);
    digest
}

pub(super) fn put(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&[
        "registryId",
        "repositoryName",
        "imageManifest",
        "imageManifestMediaType",
        "imageTag",
        "imageDigest",
    ])?;
    let target = Target::read(world, caller, input)?;
    let text = input.need("imageManifest")?;
    let tag = input.text("imageTag")?;
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Err(Input::invalid("imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"));
    }
    let manifest = Manifest::read(text, input.text("imageManifestMediaType")?)?;
    let digest = format!("sha256:{}", sha256(text.as_bytes()));
    target.ask(world, caller, "PutImage", Extra::new())?;
    let now = (world.clock)();
    let repository = target.find_mut(world)?;
    let refuse = |code, message: String| Err(Refusal::new(400, code, message));
    if input.text("imageDigest")?.is_some_and(|wanted| wanted != digest) {
        return refuse(
            "ImageDigestDoesNotMatchException",
            format!("the manifest's digest is '{digest}', not the one that was given"),
        );
    }
    if let Some(missing) = manifest.layers.iter().find(|layer| !repository.layers.contains_key(*layer)) {
        let message = format!("Layers with digests '[{missing}]' do not exist in the repository '{}'", target.name());
        return refuse("LayersNotFoundException", message);
    }
    if let Some(missing) = manifest.images.iter().find(|image| !repository.images.contains_key(*image)) {
        let message = format!(
            "Images with digests '[{missing}]' required for pushing image into repository with name '{}' in the registry do not exist",
            target.name()
        );
        return refuse("ReferencedImagesNotFoundException", message);
    }
    let known = repository.images.get(&digest);
    if known.is_some_and(|known| tag.is_none_or(|tag| known.tags.contains(tag))) {
        let message = format!(
            "Image with digest '{digest}' and tag '{}' already exists in the repository '{}'",
            tag.unwrap_or("null"),
            target.name()
        );
        return refuse("ImageAlreadyExistsException", message);
    }
    if let Some(tag) = tag {
        let holder = repository.images.values_mut().find(|image| image.tags.contains(tag));
        match holder {
            Some(_) if is_fixed(&repository.tag_mutability, tag) => {
                let message = format!(
                    "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the \
                     tag is immutable.",
                    target.name()
                );
                return refuse("ImageTagAlreadyExistsException", message);
            }
            Some(holder) => {
                holder.tags.remove(tag);
            }
            None => {}
        }
    }
    let size = manifest.size(repository, text);
    let image = repository.images.entry(digest.clone()).or_insert_with(|| Image {
        manifest: text.to_owned(),
        media_type: manifest.media_type,
        artifact_type: manifest.artifact_type,
        subject: manifest.subject,
        lists: manifest.images,
        size,
        pushed: now,
        tags: BTreeSet::new(),
    });
    image.tags.extend(tag.map(str::to_owned));
    Ok(json!({ "image": target.answer(json!({
        "imageId": image_id(&digest, tag),
        "imageManifest": text,
        "imageManifestMediaType": image.media_type,
    })) }))
}

pub(super) fn batch_get(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "imageIds", "acceptedMediaTypes"])?;
    let target = Target::read(world, caller, input)?;
    let ids = input.list("imageIds")?.unwrap_or_default();
    if !(1..=100).contains(&ids.len()) {
        return Err(Input::invalid("imageIds", "1 to 100 image ids"));
    }
    target.ask(world, caller, "BatchGetImage", Extra::new())?;
    let repository = target.find(world)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        match find(repository, id) {
            Ok((digest, image)) => images.push(target.answer(json!({
                "imageId": image_id(digest, id.get("imageTag").and_then(Value::as_str)),
                "imageManifest": image.manifest,
                "imageManifestMediaType": image.media_type,
            }))),
            Err((code, reason)) => {
                failures.push(json!({ "imageId": id, "failureCode": code, "failureReason": reason }));
            }
        }
    }
    Ok(json!({ "images": images, "failures": failures }))
}

/// What was referred to when the request came is kept, even when the list that does so goes by the same request: the
/// documentation promises no order.
pub(super) fn batch_delete(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "imageIds"])?;
    let target = Target::read(world, caller, input)?;
    let ids = input.list("imageIds")?.unwrap_or_default();
    if !(1..=100).contains(&ids.len()) {
        return Err(Input::invalid("imageIds", "1 to 100 image ids"));
    }
    target.ask(world, caller, "BatchDeleteImage", Extra::new())?;
    let repository = target.find_mut(world)?;
    let listed: BTreeSet<String> = repository.images.values().flat_map(|image| image.lists.clone()).collect();
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for id in ids {
        let mut fail = |code: &str, reason: &str| {
            failures.push(json!({ "imageId": id, "failureCode": code, "failureReason": reason }));
        };
        let digest = match find(repository, id) {
            Ok((digest, _)) => digest.to_owned(),
            Err((code, reason)) => {
                fail(code, reason);
                continue;
            }
        };
        let tag = id.get("imageTag").and_then(Value::as_str);
        let tags_left = repository.images.get_mut(&digest).map_or(0, |image| {
            // A tag takes itself off; with the last one, or named by digest, the image goes.
            if let Some(tag) = tag {
                image.tags.remove(tag);
            }
            image.tags.len()
        });
        if id.get("imageDigest").is_some() || tags_left == 0 {
            if listed.contains(&digest) {
                fail("ImageReferencedByManifestList", "Requested image referenced by manifest list");
                continue;
            }
            repository.images.remove(&digest);
            // What refers to an image goes with it.
            repository.images.retain(|_, image| image.subject.as_deref() != Some(&digest));
        }
        deleted.push(image_id(&digest, tag));
    }
    Ok(json!({ "imageIds": deleted, "failures": failures }))
}

/// An image without layers, as somebody with all rights pushes it.
pub(in super::super) fn add(world: &mut World, repository: &str, tag: Option<&str>) -> Option<String> {
    let now = (world.clock)();
    let (_, repository) = world.repositories.iter_mut().find(|((_, name), _)| name == repository)?;
    let number = repository.images.len();
    let manifest =
        json!({ "schemaVersion": 2, "mediaType": IMAGES[0], "annotations": { "number": number.to_string() } });
    let manifest = manifest.to_string();
    let digest = format!("sha256:{}", sha256(manifest.as_bytes()));
    let image = Image {
        media_type: IMAGES[0].into(),
        artifact_type: None,
        subject: None,
        lists: Vec::new(),
        size: 1_234_567,
        pushed: now,
        tags: tag.map(str::to_owned).into_iter().collect(),
        manifest,
    };
    repository.images.insert(digest.clone(), image);
    Some(digest)
}

pub(super) fn describe(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "imageIds", "filter", "nextToken", "maxResults"])?;
    let target = Target::read(world, caller, input)?;
    let wanted_status = match input.fields.get("filter").and_then(|filter| filter.get("tagStatus")?.as_str()) {
        None | Some("ANY") => None,
        Some("TAGGED") => Some(true),
        Some("UNTAGGED") => Some(false),
        Some(_) => return Err(Input::invalid("filter", "tagStatus is TAGGED, UNTAGGED or ANY")),
    };
    target.ask(world, caller, "DescribeImages", Extra::new())?;
    let repository = target.find(world)?;
    let detail = |digest: &str, image: &Image| {
        let mut detail = target.answer(json!({
            "imageDigest": digest,
            "imageSizeInBytes": image.size,
            "imagePushedAt": seconds(image.pushed),
            "imageManifestMediaType": image.media_type,
            "imageStatus": "ACTIVE",
        }));
        if !image.tags.is_empty() {
            detail["imageTags"] = json!(image.tags);
        }
        if let Some(artifact) = &image.artifact_type {
            detail["artifactMediaType"] = json!(artifact);
        }
        if let Some(subject) = &image.subject {
            detail["subjectManifestDigest"] = json!(subject);
        }
        detail
    };
    let Some(ids) = input.list("imageIds")?.filter(|ids| !ids.is_empty()) else {
        let all: Vec<Value> = repository
            .images
            .iter()
            .filter(|(_, image)| wanted_status.is_none_or(|tagged| tagged != image.tags.is_empty()))
            .map(|(digest, image)| detail(digest, image))
            .collect();
        let (page, next) = input.page(all)?;
        return Ok(match next {
            Some(next) => json!({ "imageDetails": page, "nextToken": next }),
            None => json!({ "imageDetails": page }),
        });
    };
    let mut details = Vec::new();
    for id in ids {
        let (digest, image) = find(repository, id).map_err(|_| {
            let shown = |name: &str| id.get(name).and_then(Value::as_str).unwrap_or("null").to_owned();
            Refusal::new(
                400,
                "ImageNotFoundException",
                format!(
                    "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository \
                     with name '{}' in the registry with id '{}'",
                    shown("imageDigest"),
                    shown("imageTag"),
                    target.name(),
                    target.registry
                ),
            )
        })?;
        details.push(detail(digest, image));
    }
    Ok(json!({ "imageDetails": details }))
}

/// An image by digest, by tag, or by both when they agree; else a failure's code and reason.
fn find<'a>(repository: &'a Repository, id: &Value) -> Result<(&'a str, &'a Image), (&'static str, &'static str)> {
    let field = |name: &str| id.get(name).and_then(Value::as_str);
    let missing = ("ImageNotFound", "Requested image not found");
    let by_tag = |tag: &str| repository.images.iter().find(|(_, image)| image.tags.contains(tag));
    match (field("imageDigest"), field("imageTag")) {
        (None, None) => Err(("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")),
        (Some(digest), _) if !is_digest(digest) => Err((
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex 'sha256:[0-9a-f]{64}'",
        )),
        (Some(digest), None) => {
            repository.images.get_key_value(digest).map(|(digest, image)| (digest.as_str(), image)).ok_or(missing)
        }
        (None, Some(tag)) => by_tag(tag).map(|(digest, image)| (digest.as_str(), image)).ok_or(missing),
        (Some(digest), Some(tag)) => match by_tag(tag) {
            Some((found, image)) if found == digest => Ok((found.as_str(), image)),
            _ => Err(("ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest")),
        },
    }
}

fn image_id(digest: &str, tag: Option<&str>) -> Value {
    match tag {
        Some(tag) => json!({ "imageDigest": digest, "imageTag": tag }),
        None => json!({ "imageDigest": digest }),
    }
}

/// The tag grammar of the OCI distribution specification.
fn is_tag(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 128
        && chars.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

fn is_fixed(mutability: &TagMutability, tag: &str) -> bool {
    let excluded = |filters: &BTreeSet<String>| filters.iter().any(|filter| matches_wildcard(filter, tag));
    match mutability {
        TagMutability::Mutable => false,
        TagMutability::Immutable => true,
        TagMutability::ImmutableExcept(filters) => !excluded(filters),
        TagMutability::MutableExcept(filters) => excluded(filters),
    }
}

/// What a manifest says about itself.
struct Manifest {
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
    /// Digests of its configuration and layers.
    layers: Vec<String>,
    /// Digests of the manifests it lists.
    images: Vec<String>,
}

impl Manifest {
    fn read(text: &str, given: Option<&str>) -> Outcome<Self> {
        let invalid = |constraint: &str| Input::invalid("ImageManifest", constraint);
        let manifest: Value = serde_json::from_str(text).map_err(|_| invalid("Invalid JSON syntax"))?;
        if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(invalid("schemaVersion 2"));
        }
        let own = manifest.get("mediaType").and_then(Value::as_str);
        let media_type = match (own, given) {
            (Some(own), Some(given)) if own != given => {
                return Err(invalid("the mediaType is not the imageManifestMediaType"));
            }
            (own, given) => own.or(given).ok_or_else(|| invalid("no mediaType and no imageManifestMediaType"))?,
        };
        let digest = |descriptor: Option<&Value>| {
            let digest = descriptor.and_then(|descriptor| descriptor.get("digest")?.as_str()).filter(|d| is_digest(d));
            digest.map(str::to_owned).ok_or_else(|| invalid("a descriptor has no digest"))
        };
        let list = |name: &str| manifest.get(name).and_then(Value::as_array).cloned();
        let (mut layers, mut images) = (Vec::new(), Vec::new());
        if IMAGES.contains(&media_type) {
            layers.push(digest(manifest.get("config"))?);
            for layer in list("layers").ok_or_else(|| invalid("an image manifest lists layers"))? {
                layers.push(digest(Some(&layer))?);
            }
        } else if INDEXES.contains(&media_type) {
            for image in list("manifests").ok_or_else(|| invalid("an index lists manifests"))? {
                images.push(digest(Some(&image))?);
            }
        } else {
            return Err(invalid(&format!("unsupported manifest media type {media_type}")));
        }
        let artifact_type = manifest
            .get("artifactType")
            .or_else(|| manifest.pointer("/config/mediaType"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let subject = match manifest.get("subject") {
            None => None,
            subject => Some(digest(subject)?),
        };
        Ok(Self { media_type: media_type.to_owned(), artifact_type, subject, layers, images })
    }

    /// Bytes of the layers, without the configuration; an index has the size of its own text.
    fn size(&self, repository: &Repository, text: &str) -> u64 {
        let bytes: usize = match self.layers.len() {
            0 => text.len(),
            _ => self.layers.iter().skip(1).filter_map(|layer| repository.layers.get(layer)).map(Vec::len).sum(),
        };
        bytes as u64
    }
}
