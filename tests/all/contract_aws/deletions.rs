//! Taking identities away: against moto, and against answers that moto can't give.

use std::collections::BTreeSet;
use std::sync::Mutex;

use sbi::failure::Cause;
use sbi::model::holdings::IamHoldings;
use sbi::model::names::{Digest, RoleName, UserName};
use sbi::model::registry::tag_mutability;
use sbi::sandbox::http::Answer;
use serde_json::json;

use super::against_moto::{raw_ecr, raw_iam};
use super::{allow, connect, ecr_name, operations, serve, tags, trust, whole_text, xml, xml_error};
use crate::support::moto;

#[tokio::test]
async fn a_user_goes_once_its_policy_and_keys_are_gone() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = UserName::new("contract-leaving-user").unwrap();
    aws.create_user(&name, &tags("acme/base")).await.unwrap();
    aws.set_user_policy(&name, "sbi-publish", &allow("ecr:PutImage")).await.unwrap();
    let key = aws.create_access_key(&name).await.unwrap();
    let failure = aws.delete_user(&name).await.unwrap_err();
    assert!(failure.message().contains("the IAM user contract-leaving-user"), "{failure}");
    assert!(whole_text(&failure).contains("aws iam list-access-keys"), "{}", whole_text(&failure));
    aws.delete_access_key(&name, key.id()).await.unwrap();
    aws.delete_user(&name).await.unwrap_err();
    // Each twice: an answer may have been lost.
    for _ in 0..2 {
        aws.delete_user_policy(&name, "sbi-publish").await.unwrap();
    }
    for _ in 0..2 {
        aws.delete_user(&name).await.unwrap();
    }
    aws.delete_user_policy(&name, "sbi-publish").await.unwrap();
    assert_eq!(aws.user(&name, "sbi-publish").await.unwrap(), None);
}

#[tokio::test]
async fn a_role_goes_once_its_policy_is_gone() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = RoleName::new("contract-leaving-role").unwrap();
    aws.create_role(&name, "a role", &trust("acme/base"), &tags("acme/base")).await.unwrap();
    aws.set_role_policy(&name, "sbi-publish", &allow("ecr:PutImage")).await.unwrap();
    let failure = aws.delete_role(&name).await.unwrap_err();
    assert!(whole_text(&failure).contains("aws iam list-attached-role-policies"), "{}", whole_text(&failure));
    for _ in 0..2 {
        aws.delete_role_policy(&name, "sbi-publish").await.unwrap();
    }
    for _ in 0..2 {
        aws.delete_role(&name).await.unwrap();
    }
    assert_eq!(aws.role(&name, "sbi-publish").await.unwrap(), None);
}

#[tokio::test]
async fn images_are_listed_and_go_by_digest_before_their_repository_does() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/leaving");
    assert_eq!(aws.images(&name).await.unwrap(), []);
    aws.delete_images(&name, Vec::new()).await.unwrap();
    aws.create_ecr_repository(&name, &tag_mutability(), &tags("acme/base")).await.unwrap();
    let raw = raw_ecr(url);
    for (number, tag) in [(1, "v1.0.0"), (2, "v1.0.1"), (3, "sha256-abc.sig")] {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "size": number,
                "digest": format!("sha256:{}", "0".repeat(64)) },
        });
        let put = raw.put_image().repository_name(name.as_str()).image_manifest(manifest.to_string()).image_tag(tag);
        put.send().await.unwrap();
    }
    let images = aws.images(&name).await.unwrap();
    let found: BTreeSet<&str> = images.iter().flat_map(|image| &image.tags).map(String::as_str).collect();
    assert_eq!(found, BTreeSet::from(["v1.0.0", "v1.0.1", "sha256-abc.sig"]));
    assert!(images.iter().all(|image| image.pushed.is_some()), "{images:?}");

    let failure = aws.delete_ecr_repository(&name).await.unwrap_err();
    assert!(failure.message().contains("new since the plan"), "{failure}");
    let digests: Vec<Digest> = images.iter().map(|image| image.digest.clone()).collect();
    // One is gone already: an answer was lost.
    aws.delete_images(&name, digests[..1].to_vec()).await.unwrap();
    aws.delete_images(&name, digests).await.unwrap();
    assert_eq!(aws.images(&name).await.unwrap(), []);
    for _ in 0..2 {
        aws.delete_ecr_repository(&name).await.unwrap();
    }
    assert_eq!(aws.ecr_repository(&name).await.unwrap(), None);
}

#[tokio::test]
async fn our_tags_come_off_and_others_stay() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let name = ecr_name("contract/untagged");
    let mut both = tags("acme/base");
    both.insert("team".into(), "platform".into());
    aws.create_ecr_repository(&name, &tag_mutability(), &both).await.unwrap();
    let arn = aws.ecr_repository(&name).await.unwrap().unwrap().arn;
    let keys = BTreeSet::from(["sbi:github-repository".to_owned(), "absent".to_owned()]);
    aws.untag_ecr_repository(&arn, &keys).await.unwrap();
    let left = aws.ecr_repository(&name).await.unwrap().unwrap().tags;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["team"]);
}

#[tokio::test]
async fn what_others_put_on_a_user_and_a_role_is_found() {
    let Some(url) = moto::url() else { return };
    let aws = connect(url).await;
    let (user, role) = (UserName::new("contract-laden").unwrap(), RoleName::new("contract-laden").unwrap());
    aws.create_user(&user, &tags("acme/base")).await.unwrap();
    aws.create_role(&role, "a role", &trust("acme/base"), &tags("acme/base")).await.unwrap();
    assert_eq!(aws.user_holdings(&user).await.unwrap(), IamHoldings::default());
    assert_eq!(aws.role_holdings(&role).await.unwrap(), IamHoldings::default());

    let raw = raw_iam(url);
    let document = allow("ecr:PutImage").to_json();
    let policy = raw.create_policy().policy_name("contract-laden").policy_document(&document).send().await.unwrap();
    let arn = policy.policy.unwrap().arn.unwrap();
    let name = user.as_str();
    raw.attach_user_policy().user_name(name).policy_arn(&arn).send().await.unwrap();
    raw.attach_role_policy().role_name(name).policy_arn(&arn).send().await.unwrap();
    raw.put_user_policy().user_name(name).policy_name("theirs").policy_document(&document).send().await.unwrap();
    raw.put_role_policy().role_name(name).policy_name("theirs").policy_document(&document).send().await.unwrap();
    raw.create_group().group_name("contract-group").send().await.unwrap();
    raw.add_user_to_group().group_name("contract-group").user_name(name).send().await.unwrap();
    raw.create_login_profile().user_name(name).password("a long enough 1 Password!").send().await.unwrap();
    raw.create_instance_profile().instance_profile_name("contract-profile").send().await.unwrap();
    let add = raw.add_role_to_instance_profile().instance_profile_name("contract-profile").role_name(name);
    add.send().await.unwrap();

    let one = |text: &str| BTreeSet::from([text.to_owned()]);
    let held = aws.user_holdings(&user).await.unwrap();
    assert_eq!((held.policies, held.attached, held.groups), (one("theirs"), one(&arn), one("contract-group")));
    assert!(held.has_password);
    let held = aws.role_holdings(&role).await.unwrap();
    let expected = (one("theirs"), one(&arn), one("contract-profile"));
    assert_eq!((held.policies, held.attached, held.instance_profiles), expected);
}

/// The stand-in is as strict as AWS may be: a list and what it lists never go by one request.
#[tokio::test]
async fn a_list_of_images_goes_before_what_it_lists_and_a_signature_with_its_image() {
    let digest = |c: char| format!("sha256:{}", c.to_string().repeat(64)).parse::<Digest>().unwrap();
    let first = Mutex::new(true);
    let server = serve(move |_, body| {
        let fail = |digest: Digest, code: &str| json!({ "imageId": { "imageDigest": digest }, "failureCode": code, "failureReason": "no" });
        let failures = match std::mem::take(&mut *first.lock().unwrap()) {
            true => vec![fail(digest('a'), "ImageReferencedByManifestList"), fail(digest('b'), "ImageNotFound")],
            false if body.contains(&"c".repeat(64)) => vec![fail(digest('c'), "ImageReferencedByManifestList")],
            false => Vec::new(),
        };
        Answer::new(200, "application/x-amz-json-1.1", json!({ "imageIds": [], "failures": failures }).to_string())
    });
    let aws = connect(&server.url()).await;
    let name = ecr_name("contract/listed");
    aws.delete_images(&name, vec![digest('a'), digest('b')]).await.unwrap();
    assert_eq!(operations(&server), ["BatchDeleteImage", "BatchDeleteImage"]);
    // A list that nobody told of keeps its parts: it came after the plan.
    let failure = aws.delete_images(&name, vec![digest('c')]).await.unwrap_err();
    assert!(failure.message().contains("new since the plan"), "{failure}");
}

/// IAM may see a policy for a moment after it was deleted.
#[tokio::test]
async fn a_conflict_that_passes_is_waited_for() {
    let left = Mutex::new(2);
    let server = serve(move |operation, _| {
        let mut left = left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return xml_error(409, "DeleteConflict", "Cannot delete entity, must delete policies first.");
        }
        xml(operation, "")
    });
    let aws = connect(&server.url()).await;
    aws.delete_role(&RoleName::new("leaving").unwrap()).await.unwrap();
    assert_eq!(operations(&server), ["DeleteRole", "DeleteRole", "DeleteRole"]);
}

#[tokio::test]
async fn a_refused_deletion_names_the_right() {
    let server = serve(|_, _| xml_error(403, "AccessDenied", "no"));
    let aws = connect(&server.url()).await;
    let (role, user) = (RoleName::new("r").unwrap(), UserName::new("u").unwrap());
    for (failure, action) in [
        (aws.delete_role(&role).await.unwrap_err(), "iam:DeleteRole"),
        (aws.delete_role_policy(&role, "p").await.unwrap_err(), "iam:DeleteRolePolicy"),
        (aws.delete_user(&user).await.unwrap_err(), "iam:DeleteUser"),
        (aws.delete_user_policy(&user, "p").await.unwrap_err(), "iam:DeleteUserPolicy"),
    ] {
        assert!(matches!(failure.cause(), Cause::Denied { action: told, .. } if told == action), "{failure}");
    }
    assert_eq!(operations(&server).len(), 4, "a refusal is not repeated");
}
