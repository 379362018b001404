//! The issuer of workflow tokens that both stand-ins share: the GitHub one signs with it, the AWS one verifies.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::Value;

use crate::failure::Failure;

/// A key pair that lives as long as the rehearsal. ES256, one of the algorithms that AWS takes from a provider.
pub struct OidcIssuer {
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl OidcIssuer {
    /// Makes a new key pair.
    ///
    /// # Errors
    /// When the machine gives no randomness.
    pub fn new() -> Result<Self, Failure> {
        let no_key = |_| Failure::new("no signing key could be made for the sandbox's token issuer");
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).map_err(no_key)?;
        let signing = EncodingKey::from_ec_der(pair.as_ref());
        let verifying = Jwk::from_encoding_key(&signing, Algorithm::ES256)
            .and_then(|jwk| DecodingKey::from_jwk(&jwk))
            .map_err(|error| Failure::new("the sandbox's token issuer has no usable key").caused_by(error))?;
        Ok(Self { signing, verifying })
    }

    /// A token with exactly these claims: none is added, none is checked.
    ///
    /// # Errors
    /// When the claims are not an object.
    pub fn sign(&self, claims: &Value) -> Result<String, Failure> {
        encode(&Header::new(Algorithm::ES256), claims, &self.signing)
            .map_err(|error| Failure::new("the claims can't be signed").caused_by(error))
    }

    /// The claims of a token that this issuer signed. Looks at the signature alone: time, audience and issuer are for
    /// whoever asked.
    ///
    /// # Errors
    /// When the token is malformed or somebody else's.
    pub fn verify(&self, token: &str) -> Result<Value, Failure> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        decode(token, &self.verifying, &validation)
            .map(|data| data.claims)
            .map_err(|error| Failure::new("the token's signature is not this issuer's").caused_by(error))
    }
}
