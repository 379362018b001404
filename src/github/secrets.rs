//! Repository secrets: one public key, sealed boxes, uploads at once.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use curve25519_dalek::MontgomeryPoint;
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::{Call, Github, lock, repo_path};
use crate::failure::Failure;
use crate::model::names::GithubRepositoryName;
use crate::model::secrets::{ACCESS_KEY_SECRET, AccessKey};

/// GitHub's limit for one secret.
const LONGEST_VALUE: usize = 48 * 1024;

/// A repository's public key, fit for sealing.
#[derive(Clone)]
pub(super) struct SealingKey {
    id: String,
    key: crypto_box::PublicKey,
}

#[derive(Deserialize)]
struct PublicKeyAnswer {
    key_id: String,
    key: String,
}

/// Reads a public key as GitHub answers it: strict base64 of 32 bytes that are no point of low order. Anyone could
/// open a box sealed to such a point.
fn read_key(text: &str) -> Result<crypto_box::PublicKey, &'static str> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| "it is not base64")?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| "it has not 32 bytes")?;
    // A clamped scalar is a multiple of the cofactor, so exactly the points of low order become zero.
    if MontgomeryPoint(bytes).mul_clamped([1; 32]).to_bytes() == [0; 32] {
        return Err("it is a point of low order");
    }
    Ok(crypto_box::PublicKey::from(bytes))
}

impl SealingKey {
    fn seal(&self, value: &str) -> Result<String, &'static str> {
        if value.len() > LONGEST_VALUE {
            return Err("it is longer than 48 KB");
        }
        let sealed = self.key.seal(&mut crypto_box::aead::OsRng, value.as_bytes()).map_err(|_| "sealing failed")?;
        Ok(BASE64_STANDARD.encode(sealed))
    }
}

impl Github {
    async fn sealing_key(&self, repository: &GithubRepositoryName) -> Result<SealingKey, Failure> {
        let cell = Arc::clone(lock(&self.keys).entry(repository.clone()).or_default());
        let fetch = || async {
            let call = Call::get(repo_path(repository, "/actions/secrets/public-key"), "read the public key")
                .of(repository)
                .needing("secrets: read");
            let answer: PublicKeyAnswer = self.ask(&call).await?;
            let key = read_key(&answer.key).map_err(|reason| {
                Failure::new(format!("GitHub's public key of {repository} can't be used: {reason}"))
                    .hinted("nothing was sealed; check GITHUB_API_URL and the proxy between here and GitHub")
            })?;
            Ok::<_, Failure>(SealingKey { id: answer.key_id, key })
        };
        cell.get_or_try_init(fetch).await.cloned()
    }

    /// Reads and checks the repository's public key, so that from then on an upload can fail only on its way.
    ///
    /// # Errors
    /// When the key can't be used or GitHub refuses.
    pub async fn prepare_sealing(&self, repository: &GithubRepositoryName) -> Result<(), Failure> {
        self.sealing_key(repository).await.map(drop)
    }

    fn upload(
        &self,
        repository: &GithubRepositoryName,
        key: &SealingKey,
        secret: &str,
        value: &str,
    ) -> Result<Call, Failure> {
        let sealed =
            key.seal(value).map_err(|reason| Failure::new(format!("secret {secret} can't be uploaded: {reason}")))?;
        Ok(Call::new(
            Method::PUT,
            repo_path(repository, &format!("/actions/secrets/{secret}")),
            format!("set the secret {secret}"),
        )
        .of(repository)
        .needing("secrets: write")
        .body(json!({ "encrypted_value": sealed, "key_id": key.id })))
    }

    /// Seals a value and uploads it as a repository secret.
    ///
    /// # Errors
    /// When the repository's key can't be used or GitHub refuses.
    pub async fn put_secret(
        &self,
        repository: &GithubRepositoryName,
        secret: &str,
        value: &str,
    ) -> Result<(), Failure> {
        let key = self.sealing_key(repository).await?;
        let call = self.upload(repository, &key, secret, value)?;
        self.send(&call).await.map(drop)
    }

    /// Deletes a repository secret; one that is gone already is fine.
    ///
    /// # Errors
    /// When GitHub refuses.
    pub async fn delete_secret(&self, repository: &GithubRepositoryName, secret: &str) -> Result<(), Failure> {
        let path = repo_path(repository, &format!("/actions/secrets/{secret}"));
        let call = Call::new(Method::DELETE, path.clone(), format!("delete the secret {secret}"))
            .of(repository)
            .needing("secrets: write");
        let look = Call::get(path, format!("look for the secret {secret}")).of(repository).needing("secrets: read");
        self.delete(&call, &look).await
    }

    /// Seals an access key and uploads it as one secret.
    ///
    /// # Errors
    /// As `put_secret`.
    pub async fn put_access_key(&self, repository: &GithubRepositoryName, access: &AccessKey) -> Result<(), Failure> {
        let key = self.sealing_key(repository).await?;
        let call = access.reveal_both(|text| self.upload(repository, &key, ACCESS_KEY_SECRET, text))?;
        self.send(&call).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_anyone_could_open_are_refused() {
        // The points of order 1, 2, 4 and 8 on curve and twist, canonical or not, with and without the ignored bit
        // (RFC 7748 section 6.1; the list of libsodium's `has_small_order`).
        let low = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        for hex in low {
            let mut bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
            assert!(read_key(&BASE64_STANDARD.encode(&bytes)).is_err(), "{hex}");
            bytes[31] |= 0x80;
            assert!(read_key(&BASE64_STANDARD.encode(&bytes)).is_err(), "{hex} with its last bit");
        }
        assert!(read_key(&BASE64_STANDARD.encode([9; 31])).is_err());
        assert!(read_key(&BASE64_STANDARD.encode([9; 33])).is_err());
        assert!(read_key(BASE64_STANDARD.encode([9; 32]).trim_end_matches('=')).is_err(), "lenient base64");
        let good = crypto_box::SecretKey::from([7; 32]).public_key();
        assert!(read_key(&BASE64_STANDARD.encode(good.as_bytes())).is_ok());
    }

    #[test]
    fn a_value_over_48_kb_is_refused_before_it_is_sent() {
        let key = SealingKey { id: "1".into(), key: crypto_box::SecretKey::from([7; 32]).public_key() };
        assert!(key.seal(&"x".repeat(LONGEST_VALUE)).is_ok());
        assert!(key.seal(&"x".repeat(LONGEST_VALUE + 1)).is_err());
    }
}
