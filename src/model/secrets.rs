//! Values that must never be printed: no `Debug`, no `Clone`, no `Serialize`; wiped when dropped, lent by `reveal`.

use secrecy::{ExposeSecret as _, SecretString};

/// A GitHub token.
pub struct Token(SecretString);

impl Token {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// Lends the text for the length of one call.
    pub fn reveal<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        read(self.0.expose_secret())
    }
}

/// An IAM access key as `CreateAccessKey` answers it. The id is no secret, the secret access key is.
pub struct AccessKey {
    id: String,
    secret: SecretString,
}

impl AccessKey {
    #[must_use]
    pub fn new(id: String, secret: String) -> Self {
        Self { id, secret: SecretString::from(secret) }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Lends the secret access key for the length of one call.
    pub fn reveal<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        read(self.secret.expose_secret())
    }
}
