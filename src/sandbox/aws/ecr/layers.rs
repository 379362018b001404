//! Layers: uploaded in parts, kept under the digest that their bytes have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{DOWNLOADS, Target};
use crate::sandbox::aws::authority::{Caller, Extra};
use crate::sandbox::aws::json::Input;
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::signature::sha256;
use crate::sandbox::aws::state::{World, new_id};

/// Every part but the last has at least this many bytes (Amazon ECR API reference, `CompleteLayerUpload`).
const SMALLEST_PART: usize = 5 * 1024 * 1024;
/// What `InitiateLayerUpload` recommends, in bytes.
const PART_SIZE: usize = 20 * 1024 * 1024;

/// A layer on its way in.
#[derive(Default)]
pub(in super::super) struct Upload {
    bytes: Vec<u8>,
    parts: Vec<usize>,
}

/// What a download link leads to.
pub(in super::super) struct Download {
    repository: (String, String),
    digest: String,
}

pub(super) fn check_availability(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "layerDigests"])?;
    let target = Target::read(world, caller, input)?;
    let digests = digests(input)?;
    target.ask(world, caller, "BatchCheckLayerAvailability", Extra::new())?;
    let repository = target.find(world)?;
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for digest in digests {
        if !is_digest(digest) {
            failures.push(json!({
                "layerDigest": digest,
                "failureCode": "InvalidLayerDigest",
                "failureReason": format!("Invalid layer digest: '{digest}'")
            }));
            continue;
        }
        layers.push(match repository.layers.get(digest) {
            Some(bytes) => json!({ "layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": bytes.len() }),
            None => json!({ "layerDigest": digest, "layerAvailability": "UNAVAILABLE" }),
        });
    }
    Ok(json!({ "layers": layers, "failures": failures }))
}

pub(super) fn initiate_upload(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName"])?;
    let target = Target::read(world, caller, input)?;
    target.ask(world, caller, "InitiateLayerUpload", Extra::new())?;
    let id = new_id("upload-", 20).to_lowercase();
    target.find_mut(world)?.uploads.insert(id.clone(), Upload::default());
    Ok(json!({ "uploadId": id, "partSize": PART_SIZE }))
}

pub(super) fn upload_part(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "uploadId", "partFirstByte", "partLastByte", "layerPartBlob"])?;
    let target = Target::read(world, caller, input)?;
    let id = input.need("uploadId")?;
    let position = |name| input.number(name)?.ok_or_else(|| Input::invalid(name, "must not be null"));
    let (first, last) = (position("partFirstByte")?, position("partLastByte")?);
    let part =
        STANDARD.decode(input.need("layerPartBlob")?).map_err(|_| Input::invalid("layerPartBlob", "must be base64"))?;
    target.ask(world, caller, "UploadLayerPart", Extra::new())?;
    let upload = target.find_mut(world)?.uploads.get_mut(id).ok_or_else(|| no_upload(&target, id))?;
    if first != upload.bytes.len() || part.is_empty() || last + 1 != first + part.len() {
        return Err(Refusal::new(
            400,
            "InvalidLayerPartException",
            format!("Invalid layer part: the upload '{id}' goes on at byte {}", upload.bytes.len()),
        ));
    }
    upload.parts.push(part.len());
    upload.bytes.extend(part);
    Ok(target.answer(json!({ "uploadId": id, "lastByteReceived": last })))
}

pub(super) fn complete_upload(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "uploadId", "layerDigests"])?;
    let target = Target::read(world, caller, input)?;
    let id = input.need("uploadId")?;
    let wanted = digests(input)?;
    target.ask(world, caller, "CompleteLayerUpload", Extra::new())?;
    let repository = target.find_mut(world)?;
    let upload = repository.uploads.get(id).ok_or_else(|| no_upload(&target, id))?;
    if upload.bytes.is_empty() {
        return Err(Refusal::new(400, "EmptyUploadException", format!("the upload '{id}' has no bytes")));
    }
    if upload.parts.iter().rev().skip(1).any(|size| *size < SMALLEST_PART) {
        let message = format!("every part but the last has at least {SMALLEST_PART} bytes");
        return Err(Refusal::new(400, "LayerPartTooSmallException", message));
    }
    let digest = format!("sha256:{}", sha256(&upload.bytes));
    if wanted.iter().any(|wanted| **wanted != digest) {
        let message = format!("Layer with digest '{}' does not match computed digest '{digest}'", wanted[0]);
        return Err(Refusal::new(400, "InvalidLayerException", message));
    }
    if repository.layers.contains_key(&digest) {
        let message = format!("Layer with digest '{digest}' already exists in the repository '{}'", target.name());
        return Err(Refusal::new(400, "LayerAlreadyExistsException", message));
    }
    let upload = repository.uploads.remove(id).unwrap_or_default();
    repository.layers.insert(digest.clone(), upload.bytes);
    Ok(target.answer(json!({ "uploadId": id, "layerDigest": digest })))
}

pub(super) fn download_url(world: &mut World, caller: &Caller, input: &Input, host: &str) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "layerDigest"])?;
    let target = Target::read(world, caller, input)?;
    let digest = input.need("layerDigest")?;
    target.ask(world, caller, "GetDownloadUrlForLayer", Extra::new())?;
    if !target.find(world)?.layers.contains_key(digest) {
        let message = format!("The layer with digest '{digest}' does not exist in the repository '{}'", target.name());
        return Err(Refusal::new(400, "LayersNotFoundException", message));
    }
    let token = new_id("", 32);
    let url = format!("http://{host}{DOWNLOADS}{token}");
    world.downloads.insert(token, Download { repository: target.key, digest: digest.to_owned() });
    Ok(json!({ "downloadUrl": url, "layerDigest": digest }))
}

/// The bytes that a link leads to.
pub(super) fn linked(world: &World, token: &str) -> Option<Vec<u8>> {
    let download = world.downloads.get(token)?;
    world.repositories.get(&download.repository)?.layers.get(&download.digest).cloned()
}

/// `sha256:` and 64 lower-case hexadecimal digits.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn digests(input: &Input) -> Outcome<Vec<&str>> {
    let digests = input.texts("layerDigests")?.unwrap_or_default();
    if (1..=100).contains(&digests.len()) {
        return Ok(digests);
    }
    Err(Input::invalid("layerDigests", "1 to 100 digests"))
}

fn no_upload(target: &Target, id: &str) -> Refusal {
    let message = format!("Upload with id '{id}' could not be found in the repository '{}'", target.name());
    Refusal::new(400, "UploadNotFoundException", message)
}
