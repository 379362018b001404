//! The access key that a job gets when it starts now.

use secrecy::ExposeSecret as _;

use super::room::{REPOSITORY, Room};

/// The id of the key in the repository's secrets, `None` when there is none.
///
/// # Errors
/// What is wrong with it: half of it is missing, AWS knows no such pair, or the key is switched off.
pub(crate) fn delivered_key(room: &Room) -> Result<Option<String>, String> {
    let open = |name| room.github.open_secret(REPOSITORY, name).map(|value| value.expose_secret().to_owned());
    let (id, secret) = match (open("AWS_ACCESS_KEY_ID"), open("AWS_SECRET_ACCESS_KEY")) {
        (None, None) => return Ok(None),
        (Some(id), Some(secret)) => (id, secret),
        (Some(_), None) => return Err("the secrets hold an access key's id without its secret".into()),
        (None, Some(_)) => return Err("the secrets hold an access key's secret without its id".into()),
    };
    if !room.aws.is_secret_of(&id, &secret) {
        return Err(format!("the secret beside {id} is not the secret of that key"));
    }
    let facts = room.aws.inventory();
    let facts = facts.iter().find(|(name, _)| name.starts_with(&format!("access key {id} of")));
    if !facts.is_some_and(|(_, facts)| facts["active"] == true) {
        return Err(format!("the key {id} in the secrets is not active"));
    }
    Ok(Some(id))
}
