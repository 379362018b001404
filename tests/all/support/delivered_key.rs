//! The access key that a job gets when it starts now.

use sbi::model::secrets::{ACCESS_KEY_SECRET, AccessKey};

use super::room::{REPOSITORY, Room};

/// The id of the key in the repository's secret, `None` when there is none.
///
/// # Errors
/// What is wrong with it: it is no key, AWS knows no such pair, or the key is switched off.
pub(crate) fn delivered_key(room: &Room) -> Result<Option<String>, String> {
    let Some(text) = room.github.open_secret(REPOSITORY, ACCESS_KEY_SECRET) else { return Ok(None) };
    let Some(key) = AccessKey::from_both(&text) else { return Err(format!("{ACCESS_KEY_SECRET} holds no key")) };
    let id = key.id().to_owned();
    if !key.reveal(|secret| room.aws.is_secret_of(&id, secret)) {
        return Err(format!("the secret beside {id} is not the secret of that key"));
    }
    let facts = room.aws.inventory();
    let facts = facts.iter().find(|(name, _)| name.starts_with(&format!("access key {id} of")));
    if !facts.is_some_and(|(_, facts)| facts["active"] == true) {
        return Err(format!("the key {id} in the secret is not active"));
    }
    Ok(Some(id))
}
