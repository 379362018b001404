//! The rules that every freshly rendered file keeps, each with the sentence that says why.

use std::fmt;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    PinnedActions,
    VersionComments,
    KnownBadActions,
    ForeignCode,
    ExpressionsInScripts,
    NarrowToken,
    CredentialsApart,
    NoLongLivedKeys,
    NoCacheInReleases,
    FixedRunners,
    NoPipedDownloads,
    PinnedBase,
    NoLatestTag,
    UnprivilegedUser,
    SmallBase,
    NoAddedDownloads,
    NoSecretsInImage,
}

impl Rule {
    /// Its name in a list.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PinnedActions => "pinned-actions",
            Self::VersionComments => "version-comments",
            Self::KnownBadActions => "known-bad-actions",
            Self::ForeignCode => "foreign-code",
            Self::ExpressionsInScripts => "expressions-in-scripts",
            Self::NarrowToken => "narrow-token",
            Self::CredentialsApart => "credentials-apart",
            Self::NoLongLivedKeys => "no-long-lived-keys",
            Self::NoCacheInReleases => "no-cache-in-releases",
            Self::FixedRunners => "fixed-runners",
            Self::NoPipedDownloads => "no-piped-downloads",
            Self::PinnedBase => "pinned-base",
            Self::NoLatestTag => "no-latest-tag",
            Self::UnprivilegedUser => "unprivileged-user",
            Self::SmallBase => "small-base",
            Self::NoAddedDownloads => "no-added-downloads",
            Self::NoSecretsInImage => "no-secrets-in-image",
        }
    }

    /// What may happen where it is broken.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::PinnedActions => {
                "whoever takes over an action moves its tags, and the next run executes their code with this job's rights"
            }
            Self::VersionComments => "without the version in a comment nobody sees which release a commit is",
            Self::KnownBadActions => "this commit read the secrets of whoever ran it",
            Self::ForeignCode => "anybody's pull request runs with the rights and the secrets of the repository",
            Self::ExpressionsInScripts => {
                "GitHub writes the value into the script before the shell reads it: a branch or a title can hold commands"
            }
            Self::NarrowToken => "every action of a job can use all that its token may do",
            Self::CredentialsApart => {
                "building and scanning run other people's code, which can take every credential that the job holds"
            }
            Self::NoLongLivedKeys => "a key works for whoever has read it once, until somebody deletes it",
            Self::NoCacheInReleases => "any branch can write to a cache, and what it left there goes into the release",
            Self::FixedRunners => "the label moves to another system on a day that nobody here chooses",
            Self::NoPipedDownloads => "what is downloaded runs before anybody could compare it with a checksum",
            Self::PinnedBase => "the tag can name another image tomorrow, without a commit that says so",
            Self::NoLatestTag => "nobody can tell which base an image was built on, or build it again",
            Self::UnprivilegedUser => "a process that somebody breaks out of is root on the way",
            Self::SmallBase => {
                "a shell and a package manager are what an intruder works with, and every package adds findings"
            }
            Self::NoAddedDownloads => "what the address serves is not compared with anything",
            Self::NoSecretsInImage => "every layer and its history can be read by whoever pulls the image",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place where a file breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRule {
    pub rule: Rule,
    /// Where, as people name it: `jobs.build.steps."Check out"`, `line 12`.
    pub place: String,
    /// What stands there: `actions/checkout@v4 names no full commit`.
    pub what: String,
}
