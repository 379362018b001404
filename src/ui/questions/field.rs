//! The answers by name: their flags, their keys in `sbi.toml`, and how each is asked for.

/// One answer. The order is the order of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    Github,
    Visibility,
    Account,
    Region,
    EcrRepository,
    Image,
    Auth,
    Release,
    Publisher,
    SecurityContact,
    RoleName,
    ReadRoleName,
    UserName,
    Environment,
    Architectures,
    Signing,
    KeyMaxAge,
    UpdateProgram,
}

impl Field {
    pub const ALL: [Self; 18] = [
        Self::Github,
        Self::Visibility,
        Self::Account,
        Self::Region,
        Self::EcrRepository,
        Self::Image,
        Self::Auth,
        Self::Release,
        Self::Publisher,
        Self::SecurityContact,
        Self::RoleName,
        Self::ReadRoleName,
        Self::UserName,
        Self::Environment,
        Self::Architectures,
        Self::Signing,
        Self::KeyMaxAge,
        Self::UpdateProgram,
    ];

    /// The flag that answers it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Self::Github => "--github",
            Self::Visibility => "--visibility",
            Self::Account => "--account",
            Self::Region => "--region",
            Self::EcrRepository => "--ecr-repository",
            Self::Image => "--image",
            Self::Auth => "--auth",
            Self::Release => "--release",
            Self::Publisher => "--publisher",
            Self::SecurityContact => "--security-contact",
            Self::RoleName => "--role-name",
            Self::UserName => "--user-name",
            Self::Environment => "--environment",
            Self::ReadRoleName => "--read-role-name",
            Self::Architectures => "--arch",
            Self::Signing => "--signing",
            Self::KeyMaxAge => "--key-max-age",
            Self::UpdateProgram => "--update-program",
        }
    }

    /// Its key in `sbi.toml`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Github => "github.repository",
            Self::Visibility => "github.visibility",
            Self::Account => "aws.account",
            Self::Region => "aws.region",
            Self::EcrRepository => "ecr.repository",
            Self::Image => "publish.images",
            Self::Auth => "publish.auth",
            Self::Release => "publish.release",
            Self::Publisher => "publisher.name",
            Self::SecurityContact => "publisher.security-contact",
            Self::RoleName => "aws.role",
            Self::UserName => "aws.user",
            Self::Environment => "publish.environment",
            Self::ReadRoleName => "aws.read-role",
            Self::Architectures => "publish.architectures",
            Self::Signing => "publish.signing",
            Self::KeyMaxAge => "publish.key-max-age-days",
            Self::UpdateProgram => "publish.update-program",
        }
    }

    /// The flag with a value, as it may be typed.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Self::Github => "--github acme/secure-base-images",
            Self::Visibility => "--visibility private",
            Self::Account => "--account 123456789012",
            Self::Region => "--region us-east-1",
            Self::EcrRepository => "--ecr-repository acme/secure-base",
            Self::Image => "--image static-go",
            Self::Auth => "--auth oidc",
            Self::Release => "--release v1.0.0",
            Self::Publisher => "--publisher 'Acme Ltd'",
            Self::SecurityContact => "--security-contact security@acme.example",
            Self::RoleName => "--role-name sbi-publish",
            Self::UserName => "--user-name sbi-publish",
            Self::Environment => "--environment publish",
            Self::ReadRoleName => "--read-role-name sbi-read",
            Self::Architectures => "--arch amd64,arm64",
            Self::Signing => "--signing keyless",
            Self::KeyMaxAge => "--key-max-age 90",
            Self::UpdateProgram => "--update-program https://downloads.acme.example/sbi-0.2.0#sha256=HEX",
        }
    }

    /// Optional answers have a default that needs no asking.
    pub(super) fn is_required(self) -> bool {
        match self {
            Self::Github
            | Self::Visibility
            | Self::Account
            | Self::Region
            | Self::EcrRepository
            | Self::Image
            | Self::Auth
            | Self::Release
            | Self::Publisher
            | Self::SecurityContact => true,
            Self::RoleName
            | Self::ReadRoleName
            | Self::UserName
            | Self::Environment
            | Self::Architectures
            | Self::Signing
            | Self::KeyMaxAge
            | Self::UpdateProgram => false,
        }
    }

    pub(super) fn prompt(self) -> &'static str {
        match self {
            Self::Github => "GitHub repository",
            Self::Visibility => "Who sees it",
            Self::Account => "AWS account",
            Self::Region => "AWS region",
            Self::EcrRepository => "ECR repository",
            Self::Image => "Products",
            Self::Auth => "Sign-in to AWS",
            Self::Release => "First release",
            Self::Publisher => "Publisher's name",
            Self::SecurityContact => "Security contact",
            Self::RoleName => "IAM role",
            Self::UserName => "IAM user",
            Self::Environment => "GitHub environment",
            Self::ReadRoleName => "IAM role that reads",
            Self::Architectures => "Architectures",
            Self::Signing => "Signatures",
            Self::KeyMaxAge => "Reminder of an old access key",
            Self::UpdateProgram => "Weekly update",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Github => "OWNER/NAME; created when it does not exist, adopted when it does",
            Self::Visibility => "counts when the repository is created; an existing one stays as it is",
            Self::Account => "twelve digits; credentials of any other account are refused from now on",
            Self::Region => "where the images are kept",
            Self::EcrRepository => "where the image goes; of several, each goes below this name",
            Self::Image => "what is built and published; space marks, Enter takes what is marked",
            Self::Auth => "how the pipeline proves to AWS who it is",
            Self::Release => "starts the pipeline when it is published",
            Self::Publisher => "as it stands in the documents and the image labels",
            Self::SecurityContact => "an e-mail address or an https URL; printed in SECURITY.md",
            Self::RoleName | Self::ReadRoleName | Self::UserName => "1 to 64 characters",
            Self::Environment => "or `none`",
            Self::Architectures => "what the images are built for",
            Self::Signing => "keyless, or none",
            Self::KeyMaxAge => "in days",
            Self::UpdateProgram => "the address of sbi, with its checksum",
        }
    }
}
