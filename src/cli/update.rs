//! The flags of `sbi update`.

use clap::{ArgAction, Args};

use super::{AwsFlags, Format};

#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    #[command(flatten)]
    pub aws: AwsFlags,
    /// The GitHub repository to update, where there is no sbi.toml here; its own sbi.toml decides either way.
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "local")]
    pub github: Option<String>,
    /// Change nothing; show what would change, with every conflict, and exit with code 3 when something is newer.
    #[arg(long)]
    pub check: bool,
    /// Write into the working tree around sbi.toml instead of opening a pull request.
    ///
    /// What was rendered last is read from the git repository there; GitHub is asked for newer pins and for what a shallow
    /// clone lacks. Files with uncommitted changes are not written.
    #[arg(long)]
    pub local: bool,
    /// Keep this file as it is although this version's can't be merged into it; can be given several times.
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub keep: Vec<String>,
    /// Take this version's of a file although it was edited, deleted or is not ours; can be given several times.
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub overwrite: Vec<String>,
    /// Renew the pins of actions and the digests of base images as well.
    ///
    /// A version of an action is taken a week after it came out, when its commit is on a branch of the action's own
    /// repository. Later runs renew them too while the pull request is open.
    #[arg(long, conflicts_with = "offline")]
    pub pins: bool,
    /// Propose again what was closed without a merge.
    #[arg(long, conflicts_with = "local")]
    pub again: bool,
    /// Ask no container registry: base images that are new in this version are named by tag.
    #[arg(long)]
    pub offline: bool,
    /// How the result on stdout is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}
