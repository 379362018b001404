//! Taking identities away: against moto, and against answers that moto can't give.

use std::sync::Mutex;

use sbi::failure::Cause;
use sbi::model::names::{RoleName, UserName};

use super::{allow, connect, operations, serve, tags, trust, whole_text, xml, xml_error};
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
