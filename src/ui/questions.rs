//! Which answers are given, which are open, what would be a good default, and what is wrong with a bad one. Pure.

mod checks;
mod field;

use std::collections::BTreeMap;
use std::fmt;

use crate::failure::Failure;
use checks::{
    check_publisher, check_security_contact, ecr_name, listed_names, parse_architectures, parse_auth, parse_days,
    parse_signing, parse_visibility,
};

use crate::model::config::{
    Auth, AwsSection, Config, EcrSection, GithubSection, PublishSection, PublisherSection, Visibility,
};
use crate::model::names::{
    AccountId, EcrRepositoryName, EnvironmentName, GithubRepositoryName, ImageName, ReleaseTag, RoleName, UserName,
};
use crate::model::pinned_program::PinnedProgram;
use crate::model::region::Region;
pub use field::Field;

/// The environment that the publish job runs in unless somebody says otherwise.
pub const DEFAULT_ENVIRONMENT: &str = "publish";
/// The repository's name where only its owner is known.
const DEFAULT_GITHUB_NAME: &str = "secure-base-images";
const DEFAULT_RELEASE: &str = "v1.0.0";

/// Answers as they were typed on the command line; nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub github: Option<String>,
    pub visibility: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub ecr_repository: Option<String>,
    pub images: Vec<String>,
    pub auth: Option<String>,
    pub release: Option<String>,
    pub publisher: Option<String>,
    pub security_contact: Option<String>,
    pub role_name: Option<String>,
    pub read_role_name: Option<String>,
    pub user_name: Option<String>,
    /// A name, or `none`.
    pub environment: Option<String>,
    pub architectures: Vec<String>,
    pub signing: Option<String>,
    /// In days.
    pub key_max_age: Option<String>,
    /// `https://…#sha256=HEX`
    pub update_program: Option<String>,
}

/// What was found out without asking. Never trusted: a value that a name refuses is no default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detected {
    /// Whose GitHub token it is.
    pub github_login: Option<String>,
    /// `OWNER/NAME` of the working directory's remote `origin`.
    pub git_remote: Option<String>,
    pub git_user_name: Option<String>,
    pub git_email: Option<String>,
    /// The region of the AWS profile or the environment.
    pub region: Option<String>,
    /// The account of the AWS credentials.
    pub account: Option<String>,
}

/// One of a few possible answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    /// In a few words, why one would take it.
    pub explanation: String,
}

impl Choice {
    #[must_use]
    pub fn new(value: impl Into<String>, explanation: impl Into<String>) -> Self {
        Self { value: value.into(), explanation: explanation.into() }
    }
}

/// A question that is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub id: Field,
    pub prompt: &'static str,
    pub help: &'static str,
    pub flag: &'static str,
    /// Valid, whenever there is one.
    pub default: Option<String>,
    /// Empty where any text may be the answer.
    pub choices: Vec<Choice>,
    /// Several choices may be the answer, joined by commas.
    pub takes_several: bool,
}

/// The answers so far. Each of them has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    answers: BTreeMap<Field, String>,
    /// Of the file: places of single images, for which there is no flag.
    ecr_repositories: BTreeMap<ImageName, EcrRepositoryName>,
    /// Products of the catalogue.
    products: Vec<Choice>,
}

/// Puts the flags over the file. `products` are those that the catalogue has, at least one.
///
/// # Errors
/// Lists every value that can't be used, of both the flags and the file.
pub fn merge(given: &Answers, file: Option<&Config>, products: &[Choice]) -> Result<Draft, Failure> {
    let ecr_repositories = file.map(|file| file.ecr.repositories.clone()).unwrap_or_default();
    let mut draft = Draft { answers: BTreeMap::new(), ecr_repositories, products: products.to_vec() };
    let mut problems = Vec::new();
    let flags = flagged(given);
    for (field, text) in file.map(filed).unwrap_or_default() {
        // A flag hides the file's value, so that a mistake in the file can be answered on the command line.
        if !flags.iter().any(|(flagged, _)| *flagged == field)
            && let Err(failure) = draft.answer(field, &text)
        {
            problems.push((format!("{} in sbi.toml", field.key()), failure));
        }
    }
    for (field, text) in flags {
        if let Err(failure) = draft.answer(field, &text) {
            problems.push((field.flag().to_owned(), failure));
        }
    }
    if let Some(auth) = draft.answers.get(&Field::Auth) {
        for (field, given, wants) in [
            (Field::RoleName, &given.role_name, Auth::Oidc),
            (Field::ReadRoleName, &given.read_role_name, Auth::Oidc),
            (Field::UserName, &given.user_name, Auth::AccessKey),
        ] {
            if given.is_some() && auth != wants.as_str() {
                let failure = Failure::usage(format!("means nothing with `--auth {auth}`")).hinted(format!(
                    "leave {} out, or take `--auth {}`",
                    field.flag(),
                    wants.as_str()
                ));
                problems.push((field.flag().to_owned(), failure));
            }
        }
    }
    if problems.is_empty() { Ok(draft) } else { Err(listed(problems)) }
}

fn flagged(given: &Answers) -> Vec<(Field, String)> {
    let Answers {
        github,
        visibility,
        account,
        region,
        ecr_repository,
        images,
        auth,
        release,
        publisher,
        security_contact,
        role_name,
        read_role_name,
        user_name,
        environment,
        architectures,
        signing,
        key_max_age,
        update_program,
    } = given;
    let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
    let (image, architectures) = (joined(images), joined(architectures));
    [
        (Field::Github, github),
        (Field::Visibility, visibility),
        (Field::Account, account),
        (Field::Region, region),
        (Field::EcrRepository, ecr_repository),
        (Field::Image, &image),
        (Field::Auth, auth),
        (Field::Release, release),
        (Field::Publisher, publisher),
        (Field::SecurityContact, security_contact),
        (Field::RoleName, role_name),
        (Field::ReadRoleName, read_role_name),
        (Field::UserName, user_name),
        (Field::Environment, environment),
        (Field::Architectures, &architectures),
        (Field::Signing, signing),
        (Field::KeyMaxAge, key_max_age),
        (Field::UpdateProgram, update_program),
    ]
    .into_iter()
    .filter_map(|(field, text)| Some((field, text.clone()?)))
    .collect()
}

fn filed(config: &Config) -> Vec<(Field, String)> {
    let Config { github, aws, ecr, publish, publisher } = config;
    let images: Vec<&str> = publish.images.iter().map(ImageName::as_str).collect();
    let mut answers = vec![
        (Field::Github, github.repository.to_string()),
        (Field::Visibility, github.visibility.as_str().into()),
        (Field::Account, aws.account.to_string()),
        (Field::Region, aws.region.to_string()),
        (Field::EcrRepository, ecr.repository.to_string()),
        (Field::Image, images.join(",")),
        (Field::Auth, publish.auth.as_str().into()),
        (Field::Release, publish.release.to_string()),
        (Field::Publisher, publisher.name.clone()),
        (Field::SecurityContact, publisher.security_contact.clone()),
        (Field::Environment, publish.environment.as_ref().map_or("none".into(), ToString::to_string)),
    ];
    answers.extend(aws.role.as_ref().map(|name| (Field::RoleName, name.to_string())));
    answers.extend(aws.read_role.as_ref().map(|name| (Field::ReadRoleName, name.to_string())));
    answers.extend(aws.user.as_ref().map(|name| (Field::UserName, name.to_string())));
    let architectures = publish.architectures.as_ref().map(|architectures| {
        let names: Vec<&str> = architectures.iter().map(|architecture| architecture.as_str()).collect();
        (Field::Architectures, names.join(","))
    });
    answers.extend(architectures);
    answers.extend(publish.signing.map(|signing| (Field::Signing, signing.as_str().into())));
    answers.extend(publish.key_max_age_days.map(|days| (Field::KeyMaxAge, days.to_string())));
    answers.extend(publish.update_program.as_ref().map(|program| (Field::UpdateProgram, program.to_string())));
    answers
}

impl Draft {
    /// The questions that nobody has answered yet, in the order of asking. A later default may depend on an earlier
    /// answer, so ask one and call this again.
    #[must_use]
    pub fn open_questions(&self, detected: &Detected) -> Vec<Question> {
        let open = |field: &Field| field.is_required() && !self.answers.contains_key(field);
        Field::ALL
            .into_iter()
            .filter(open)
            .filter(|field| self.settled(*field, detected).is_none())
            .map(|id| Question {
                id,
                prompt: id.prompt(),
                help: id.help(),
                flag: id.flag(),
                default: self.default(id, detected),
                choices: self.choices(id),
                takes_several: id == Field::Image,
            })
            .collect()
    }

    /// Checks one answer and keeps it. White space around it does not count.
    ///
    /// # Errors
    /// Says what is wrong with it; the draft stays as it was.
    pub fn answer(&mut self, id: Field, text: &str) -> Result<(), Failure> {
        let text = text.trim();
        self.check(id, text)?;
        self.answers.insert(id, text.to_owned());
        Ok(())
    }

    /// What was answered, by a flag, the file or a person.
    #[must_use]
    pub fn answered(&self, id: Field) -> Option<&str> {
        self.answers.get(&id).map(String::as_str)
    }

    /// Takes every default but the GitHub repository's: nobody's repository is written to on a guess.
    pub fn accept_defaults(&mut self, detected: &Detected) {
        for field in Field::ALL {
            if field.is_required()
                && field != Field::Github
                && !self.answers.contains_key(&field)
                && let Some(default) = self.settled(field, detected).or_else(|| self.default(field, detected))
            {
                self.answers.insert(field, default);
            }
        }
    }

    /// Nobody has said which environment the publish job runs in: `finish` takes `publish`, and whoever learns that
    /// the repository's plan has no environments may still take it away.
    #[must_use]
    pub fn environment_is_open(&self) -> bool {
        !self.answers.contains_key(&Field::Environment)
    }

    /// Adds what needs no question and turns the answers into the configuration.
    ///
    /// # Errors
    /// Lists every flag that is missing, with an example each.
    pub fn finish(mut self, detected: &Detected) -> Result<Config, Failure> {
        for field in Field::ALL.into_iter().filter(|field| field.is_required()) {
            if !self.answers.contains_key(&field)
                && let Some(value) = self.settled(field, detected)
            {
                self.answers.insert(field, value);
            }
        }
        let missing: Vec<Field> =
            Field::ALL.into_iter().filter(|field| field.is_required() && !self.answers.contains_key(field)).collect();
        if !missing.is_empty() {
            let flags: Vec<&str> = missing.iter().map(|field| field.flag()).collect();
            let noun = if missing.len() == 1 { "an answer is" } else { "answers are" };
            let failure = Failure::usage(format!("{noun} missing: {}", flags.join(", ")));
            return Err(missing
                .iter()
                .fold(failure, |failure, field| failure.hinted(format!("add {}", field.example())))
                .hinted("or run it in a terminal and be asked"));
        }
        let text = |field: Field| self.answers.get(&field).map_or("", String::as_str);
        let config = Config {
            github: GithubSection {
                repository: text(Field::Github).parse()?,
                visibility: parse_visibility(text(Field::Visibility))?,
            },
            aws: AwsSection {
                account: text(Field::Account).parse()?,
                region: text(Field::Region).parse()?,
                role: self.answered(Field::RoleName).map(str::parse).transpose()?,
                read_role: self.answered(Field::ReadRoleName).map(str::parse).transpose()?,
                user: self.answered(Field::UserName).map(str::parse).transpose()?,
            },
            ecr: EcrSection {
                repository: text(Field::EcrRepository).parse()?,
                repositories: self.ecr_repositories.clone(),
            },
            publish: PublishSection {
                auth: parse_auth(text(Field::Auth))?,
                images: listed_names(text(Field::Image)).map(str::parse).collect::<Result<_, _>>()?,
                release: text(Field::Release).parse()?,
                environment: match self.answered(Field::Environment).unwrap_or(DEFAULT_ENVIRONMENT) {
                    "none" => None,
                    name => Some(name.parse()?),
                },
                architectures: self.answered(Field::Architectures).map(parse_architectures).transpose()?,
                signing: self.answered(Field::Signing).map(parse_signing).transpose()?,
                key_max_age_days: self.answered(Field::KeyMaxAge).map(parse_days).transpose()?,
                update_program: self.answered(Field::UpdateProgram).map(str::parse).transpose()?,
            },
            publisher: PublisherSection {
                name: text(Field::Publisher).to_owned(),
                security_contact: text(Field::SecurityContact).to_owned(),
            },
        };
        config.check().map_err(|failure| failure.hinted("answer it differently: `sbi init --help` lists the flags"))?;
        Ok(config)
    }

    fn check(&self, id: Field, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Err(Failure::usage("it is empty").hinted(format!("for example `{}`", id.example())));
        }
        match id {
            Field::Github => text.parse::<GithubRepositoryName>().map(drop),
            Field::Visibility => parse_visibility(text).map(drop),
            Field::Account => text.parse::<AccountId>().map(drop),
            Field::Region => text.parse::<Region>().map(drop),
            Field::EcrRepository => text.parse::<EcrRepositoryName>().map(drop),
            Field::Image => self.check_images(text),
            Field::Auth => parse_auth(text).map(drop),
            Field::Release => text.parse::<ReleaseTag>().map(drop),
            Field::Publisher => check_publisher(text),
            Field::SecurityContact => check_security_contact(text),
            Field::RoleName | Field::ReadRoleName => text.parse::<RoleName>().map(drop),
            Field::UserName => text.parse::<UserName>().map(drop),
            Field::Environment => text.parse::<EnvironmentName>().map(drop),
            Field::Architectures => parse_architectures(text).map(drop),
            Field::Signing => parse_signing(text).map(drop),
            Field::KeyMaxAge => parse_days(text).map(drop),
            Field::UpdateProgram => text.parse::<PinnedProgram>().map(drop),
        }
    }

    fn check_images(&self, text: &str) -> Result<(), Failure> {
        let known: Vec<&str> = self.products.iter().map(|product| product.value.as_str()).collect();
        let mut named = Vec::new();
        for name in listed_names(text) {
            name.parse::<ImageName>()?;
            if !known.contains(&name) {
                return Err(Failure::usage(format!("`{name}` is no product of this version: {}", known.join(", "))));
            }
            if named.contains(&name) {
                return Err(Failure::usage(format!("`{name}` is named twice")));
            }
            named.push(name);
        }
        Ok(())
    }

    /// An answer that is a fact, or the only possible one: nobody is asked.
    fn settled(&self, id: Field, detected: &Detected) -> Option<String> {
        match id {
            Field::Account => self.valid(id, detected.account.as_deref()),
            Field::Image => match self.products.as_slice() {
                [only] => self.valid(id, Some(&only.value)),
                _ => None,
            },
            _ => None,
        }
    }

    fn default(&self, id: Field, detected: &Detected) -> Option<String> {
        let github = self.answered(Field::Github).and_then(|text| text.parse::<GithubRepositoryName>().ok());
        match id {
            Field::Github => self.valid(id, detected.git_remote.as_deref()).or_else(|| {
                let login = detected.github_login.as_deref()?;
                self.valid(id, Some(&format!("{login}/{DEFAULT_GITHUB_NAME}")))
            }),
            Field::Visibility => Some(Visibility::Private.as_str().into()),
            Field::Account => self.valid(id, detected.account.as_deref()),
            Field::Region => self.valid(id, detected.region.as_deref()),
            Field::EcrRepository => self.valid(id, Some(&ecr_name(&github?))),
            Field::Image => self.valid(id, Some(&self.products.first()?.value)),
            Field::Auth => Some(Auth::Oidc.as_str().into()),
            Field::Release => Some(DEFAULT_RELEASE.into()),
            Field::Publisher => self
                .valid(id, detected.git_user_name.as_deref())
                .or_else(|| self.valid(id, Some(github.as_ref()?.owner()))),
            Field::SecurityContact => self.valid(id, detected.git_email.as_deref()),
            Field::RoleName
            | Field::ReadRoleName
            | Field::UserName
            | Field::Environment
            | Field::Architectures
            | Field::Signing
            | Field::KeyMaxAge
            | Field::UpdateProgram => None,
        }
    }

    fn valid(&self, id: Field, text: Option<&str>) -> Option<String> {
        let text = text?.trim();
        self.check(id, text).ok()?;
        Some(text.to_owned())
    }

    fn choices(&self, id: Field) -> Vec<Choice> {
        match id {
            Field::Visibility => vec![
                // The safe one first: what was public once stays copied, what is private can be opened any day.
                Choice::new("private", "nobody but you and whom you invite; can be opened any day"),
                Choice::new("public", "everybody; environments and the Security tab cost nothing there"),
            ],
            Field::Auth => vec![
                Choice::new("oidc", "recommended: nothing to steal, nothing to rotate"),
                Choice::new("access-key", "an IAM user's key, sealed into a secret; `sbi rotate-keys` replaces it"),
            ],
            Field::Image => self.products.clone(),
            _ => Vec::new(),
        }
    }
}

/// An error under an error, so that a failure can list several.
#[derive(Debug)]
struct Listed {
    text: String,
    next: Option<Box<Listed>>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Listed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|next| next as &(dyn std::error::Error + 'static))
    }
}

/// One failure for several: with one, it is that one; with more, each is a reason.
fn listed(problems: Vec<(String, Failure)>) -> Failure {
    let hints: Vec<String> = problems.iter().flat_map(|(_, failure)| failure.hints().to_vec()).collect();
    let count = problems.len();
    let mut texts = problems.into_iter().map(|(name, failure)| format!("{name}: {failure}"));
    let failure = if count == 1 {
        Failure::usage(texts.next().unwrap_or_default())
    } else {
        let chain = texts.rev().fold(None, |next, text| Some(Box::new(Listed { text, next })));
        let failure = Failure::usage(format!("{count} answers can't be used"));
        match chain {
            Some(first) => failure.caused_by(*first),
            None => failure,
        }
    };
    hints.into_iter().fold(failure, Failure::hinted)
}

#[cfg(test)]
mod tests;
