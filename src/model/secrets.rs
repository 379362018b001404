//! Values that must never be printed: no `Debug`, no `Clone`, no `Serialize`; wiped when dropped, lent by `reveal`.

use secrecy::{ExposeSecret as _, SecretString};

/// The repository secret with an access key, id and secret access key a line each. One secret, because two can't be
/// written at once: a job that started between them would see the halves of two keys.
pub const ACCESS_KEY_SECRET: &str = "AWS_ACCESS_KEY";

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

    /// Lends what `ACCESS_KEY_SECRET` holds: the id, a line feed, the secret access key.
    pub fn reveal_both<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        let both = SecretString::from(format!("{}\n{}", self.id, self.secret.expose_secret()));
        read(both.expose_secret())
    }

    /// Reads what `reveal_both` lends; `None` when it is no such text.
    #[must_use]
    pub fn from_both(text: &SecretString) -> Option<Self> {
        let (id, secret) = text.expose_secret().split_once('\n')?;
        Some(Self::new(id.to_owned(), secret.to_owned()))
    }
}
