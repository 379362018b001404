//! Repositories and their settings.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Repository, Target, partition, read_tags, seconds};
use crate::model::observed::{Encryption, TagMutability};
use crate::sandbox::aws::authority::{Caller, Extra, authorise};
use crate::sandbox::aws::json::Input;
use crate::sandbox::aws::refusal::{Outcome, Refusal};
use crate::sandbox::aws::state::World;
use crate::sandbox::aws::tags::{Tags, resource_tags};

pub(super) fn create(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&[
        "registryId",
        "repositoryName",
        "tags",
        "imageTagMutability",
        "imageTagMutabilityExclusionFilters",
        "imageScanningConfiguration",
        "encryptionConfiguration",
    ])?;
    let target = Target::read(world, caller, input)?;
    let tags = read_tags(input.list("tags")?.unwrap_or_default())?;
    let tag_mutability = read_tag_mutability(input, Some("MUTABLE"))?;
    let scan_on_push = read_scan_on_push(input)?.unwrap_or(false);
    let encryption = read_encryption(input)?;
    target.ask(world, caller, "CreateRepository", tags.requested())?;
    if !tags.0.is_empty() {
        target.ask(world, caller, "TagResource", tags.requested())?;
    }
    if let Encryption::Kms { key: Some(key), .. } = &encryption {
        // ECR makes its grant in the caller's name (Amazon ECR user guide, "Encryption at rest").
        authorise(world, caller, "kms:CreateGrant", key, Extra::new())?;
        authorise(world, caller, "kms:DescribeKey", key, Extra::new())?;
    }
    if world.repositories.contains_key(&target.key) {
        let message = format!(
            "The repository with name '{}' already exists in the registry with id '{}'",
            target.name(),
            target.registry
        );
        return Err(Refusal::new(400, "RepositoryAlreadyExistsException", message));
    }
    let repository = Repository {
        arn: target.arn(caller),
        created: (world.clock)(),
        tag_mutability,
        scan_on_push,
        encryption,
        lifecycle: None,
        tags: tags.0,
        layers: BTreeMap::new(),
        uploads: BTreeMap::new(),
        images: BTreeMap::new(),
    };
    let answer = json!({ "repository": describe_one(&target, caller, &repository) });
    world.repositories.insert(target.key, repository);
    Ok(answer)
}

pub(super) fn describe(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryNames", "nextToken", "maxResults"])?;
    let Some(names) = input.texts("repositoryNames")?.filter(|names| !names.is_empty()) else {
        let any = format!("arn:{}:ecr:{}:{}:repository/*", partition(caller).id(), caller.region, world.account);
        authorise(world, caller, "ecr:DescribeRepositories", &any, Extra::new())?;
        let here = world.repositories.iter().filter(|((region, _), _)| *region == caller.region);
        let all: Vec<Value> = here
            .map(|(key, found)| {
                let target = Target { key: key.clone(), registry: world.account.to_string() };
                describe_one(&target, caller, found)
            })
            .collect();
        let (page, next) = input.page(all)?;
        return Ok(with_next(json!({ "repositories": page }), next));
    };
    if names.len() > 100 || input.text("nextToken")?.is_some() || input.number("maxResults")?.is_some() {
        return Err(Input::invalid("repositoryNames", "1 to 100 names, without paging"));
    }
    let mut targets = Vec::new();
    for name in names {
        let target = Target::of(world, caller, input, name)?;
        target.ask(world, caller, "DescribeRepositories", Extra::new())?;
        targets.push(target);
    }
    let found: Outcome<Vec<Value>> =
        targets.iter().map(|target| Ok(describe_one(target, caller, target.find(world)?))).collect();
    Ok(json!({ "repositories": found? }))
}

pub(super) fn delete(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "force"])?;
    let target = Target::read(world, caller, input)?;
    target.ask(world, caller, "DeleteRepository", Extra::new())?;
    let repository = target.find(world)?;
    if !repository.images.is_empty() && !input.flag("force") {
        let message = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            target.name(),
            target.registry
        );
        return Err(Refusal::new(400, "RepositoryNotEmptyException", message));
    }
    let answer = json!({ "repository": describe_one(&target, caller, repository) });
    world.repositories.remove(&target.key);
    Ok(answer)
}

pub(super) fn put_tag_mutability(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "imageTagMutability", "imageTagMutabilityExclusionFilters"])?;
    let target = Target::read(world, caller, input)?;
    let mutability = read_tag_mutability(input, None)?;
    target.ask(world, caller, "PutImageTagMutability", Extra::new())?;
    let repository = target.find_mut(world)?;
    repository.tag_mutability = mutability;
    Ok(target.answer(describe_mutability(&repository.tag_mutability)))
}

pub(super) fn put_scanning(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["registryId", "repositoryName", "imageScanningConfiguration"])?;
    let target = Target::read(world, caller, input)?;
    let scan_on_push =
        read_scan_on_push(input)?.ok_or_else(|| Input::invalid("imageScanningConfiguration", "must not be null"))?;
    target.ask(world, caller, "PutImageScanningConfiguration", Extra::new())?;
    target.find_mut(world)?.scan_on_push = scan_on_push;
    Ok(target.answer(json!({ "imageScanningConfiguration": { "scanOnPush": scan_on_push } })))
}

pub(super) fn tag(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["resourceArn", "tags"])?;
    let tags = read_tags(input.list("tags")?.ok_or_else(|| Input::invalid("tags", "must not be null"))?)?;
    let repository = by_arn(world, caller, input, "ecr:TagResource", &tags)?;
    let together: BTreeSet<&String> = repository.tags.keys().chain(tags.0.keys()).collect();
    if together.len() > 50 {
        return Err(Refusal::new(400, "TooManyTagsException", "a repository has at most 50 tags"));
    }
    repository.tags.extend(tags.0);
    Ok(json!({}))
}

pub(super) fn untag(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["resourceArn", "tagKeys"])?;
    let keys = input.texts("tagKeys")?.ok_or_else(|| Input::invalid("tagKeys", "must not be null"))?;
    // What is not there is taken off without a word.
    let keys: BTreeSet<String> = keys.into_iter().map(str::to_owned).collect();
    let repository = by_arn(world, caller, input, "ecr:UntagResource", &Tags(BTreeMap::new()))?;
    repository.tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

pub(super) fn list_tags(world: &mut World, caller: &Caller, input: &Input) -> Outcome<Value> {
    input.only(&["resourceArn"])?;
    let repository = by_arn(world, caller, input, "ecr:ListTagsForResource", &Tags(BTreeMap::new()))?;
    let tags: Vec<Value> = repository.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "tags": tags }))
}

fn by_arn<'a>(
    world: &'a mut World,
    caller: &Caller,
    input: &Input,
    action: &str,
    tags: &Tags,
) -> Outcome<&'a mut Repository> {
    let arn = input.need("resourceArn")?;
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let name = match fields[..] {
        ["arn", _, "ecr", _, _, rest] => rest.strip_prefix("repository/"),
        _ => None,
    };
    let name = name.ok_or_else(|| Input::invalid("resourceArn", "Invalid ARN"))?;
    let mut extra = tags.requested();
    let found = world.repositories.values().find(|repository| repository.arn == arn);
    extra.extend(found.map(|found| resource_tags("ecr", &found.tags)).unwrap_or_default());
    authorise(world, caller, action, arn, extra)?;
    let missing = format!(
        "The repository with name '{name}' does not exist in the registry with id '{}'",
        fields.get(4).copied().unwrap_or_default()
    );
    world
        .repositories
        .values_mut()
        // A regional endpoint knows its own region only.
        .find(|repository| repository.arn == arn && fields.get(3) == Some(&caller.region.as_str()))
        .ok_or_else(|| Refusal::new(400, "RepositoryNotFoundException", missing))
}

fn with_next(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

/// The setting and its exclusion filters: 1 to 5 where the setting wants them, none elsewhere (Amazon ECR API
/// reference, `ImageTagMutabilityExclusionFilter`).
fn read_tag_mutability(input: &Input, default: Option<&str>) -> Outcome<TagMutability> {
    let setting = match default {
        Some(default) => input.text("imageTagMutability")?.unwrap_or(default),
        None => input.need("imageTagMutability")?,
    };
    let at = "imageTagMutabilityExclusionFilters";
    let mut filters = BTreeSet::new();
    for filter in input.list(at)?.unwrap_or_default() {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._*-".contains(c);
        match (filter.get("filterType").and_then(Value::as_str), filter.get("filter").and_then(Value::as_str)) {
            (Some("WILDCARD"), Some(text)) if (1..=128).contains(&text.len()) && text.chars().all(fits) => {
                filters.insert(text.to_owned());
            }
            _ => return Err(Input::invalid(at, "WILDCARD filters of the form ^[0-9a-zA-Z._*-]{1,128}$")),
        }
    }
    match (setting, filters.len()) {
        ("MUTABLE", 0) => Ok(TagMutability::Mutable),
        ("IMMUTABLE", 0) => Ok(TagMutability::Immutable),
        ("IMMUTABLE_WITH_EXCLUSION", 1..=5) => Ok(TagMutability::ImmutableExcept(filters)),
        ("MUTABLE_WITH_EXCLUSION", 1..=5) => Ok(TagMutability::MutableExcept(filters)),
        ("MUTABLE" | "IMMUTABLE" | "IMMUTABLE_WITH_EXCLUSION" | "MUTABLE_WITH_EXCLUSION", _) => {
            Err(Input::invalid(at, "1 to 5 filters with an exclusion setting, none with any other"))
        }
        _ => Err(Input::invalid(
            "imageTagMutability",
            "must satisfy enum value set: [IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE, MUTABLE_WITH_EXCLUSION]",
        )),
    }
}

fn read_scan_on_push(input: &Input) -> Outcome<Option<bool>> {
    match input.fields.get("imageScanningConfiguration") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields.get("scanOnPush").and_then(Value::as_bool).unwrap_or(false))),
        Some(_) => Err(Input::invalid("imageScanningConfiguration", "must be a structure")),
    }
}

fn read_encryption(input: &Input) -> Outcome<Encryption> {
    let at = "encryptionConfiguration";
    let Some(given) = input.fields.get(at).filter(|given| !given.is_null()) else { return Ok(Encryption::Aes256) };
    let key = given.get("kmsKey").and_then(Value::as_str).map(str::to_owned);
    match (given.get("encryptionType").and_then(Value::as_str), key) {
        (Some("AES256"), None) => Ok(Encryption::Aes256),
        (Some("KMS"), key) => Ok(Encryption::Kms { dual_layer: false, key }),
        (Some("KMS_DSSE"), key) => Ok(Encryption::Kms { dual_layer: true, key }),
        (Some("AES256"), Some(_)) => Err(Input::invalid(at, "AES256 takes no kmsKey")),
        _ => Err(Input::invalid(at, "must satisfy enum value set: [AES256, KMS, KMS_DSSE]")),
    }
}

fn describe_mutability(mutability: &TagMutability) -> Value {
    let with = |setting: &str, filters: &BTreeSet<String>| {
        let filters: Vec<Value> =
            filters.iter().map(|filter| json!({ "filterType": "WILDCARD", "filter": filter })).collect();
        json!({ "imageTagMutability": setting, "imageTagMutabilityExclusionFilters": filters })
    };
    match mutability {
        TagMutability::Mutable => json!({ "imageTagMutability": "MUTABLE" }),
        TagMutability::Immutable => json!({ "imageTagMutability": "IMMUTABLE" }),
        TagMutability::ImmutableExcept(filters) => with("IMMUTABLE_WITH_EXCLUSION", filters),
        TagMutability::MutableExcept(filters) => with("MUTABLE_WITH_EXCLUSION", filters),
    }
}

fn describe_one(target: &Target, caller: &Caller, repository: &Repository) -> Value {
    let encryption = match &repository.encryption {
        Encryption::Aes256 => json!({ "encryptionType": "AES256" }),
        Encryption::Kms { dual_layer, key } => {
            let kind = if *dual_layer { "KMS_DSSE" } else { "KMS" };
            match key {
                Some(key) => json!({ "encryptionType": kind, "kmsKey": key }),
                None => json!({ "encryptionType": kind }),
            }
        }
    };
    let (region, suffix) = (&caller.region, partition(caller).dns_suffix());
    let mut answer = target.answer(json!({
        "repositoryArn": repository.arn,
        "repositoryUri": format!("{}.dkr.ecr.{region}.{suffix}/{}", target.registry, target.name()),
        "createdAt": seconds(repository.created),
        "imageScanningConfiguration": { "scanOnPush": repository.scan_on_push },
        "encryptionConfiguration": encryption,
    }));
    if let (Value::Object(answer), Value::Object(rest)) = (&mut answer, describe_mutability(&repository.tag_mutability))
    {
        answer.extend(rest);
    }
    answer
}
