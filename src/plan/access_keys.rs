//! What each access key of the publishing user is to the pipeline. A secret can't be read back, so dates tell it.

use jiff::{SignedDuration, Timestamp};

use crate::model::observed::{KeyFacts, KeyUse};
use crate::model::region::Region;

/// How far apart the clocks of AWS and GitHub may be when a key's birth is compared with a secret's.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(5);
/// For this long after its birth a key's use is our own check that it works.
const OWN_CHECK: SignedDuration = SignedDuration::from_secs(120);
/// Access keys that one user may have, inactive ones included (IAM quotas).
pub const MOST_KEYS: usize = 2;

/// What a key is to the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the secret: the newest one that was there when the secret was written.
    Current,
    /// It was in the secret before the current one.
    Former,
    /// It never reached the secret and nobody used it: an interrupted run left it.
    Leftover,
    /// It never reached the secret, and somebody uses it.
    Foreign,
}

/// Every key with its standing, in the order given. `written` is when the secret was written last.
///
/// `IssueAccessKey` keeps the dates apart: it issues no key within seconds of the secret's last writing.
#[must_use]
pub fn standings(keys: &[KeyFacts], written: Option<Timestamp>) -> Vec<(&KeyFacts, Standing)> {
    let delivered = |key: &KeyFacts| written.is_some_and(|at| at + CLOCK_SKEW >= key.created);
    let newest = keys.iter().filter(|key| delivered(key)).max_by_key(|key| key.created);
    let standing = |key: &KeyFacts| match newest {
        Some(newest) if newest.id == key.id => Standing::Current,
        _ if delivered(key) => Standing::Former,
        _ if key.last_used.as_ref().is_some_and(|last| last.at > key.created + OWN_CHECK) => Standing::Foreign,
        _ => Standing::Leftover,
    };
    keys.iter().map(|key| (key, standing(key))).collect()
}

/// Whether a use can't have been the pipeline's: it signs in to ECR in its own region, and sbi asks STS who a key is.
#[must_use]
pub fn is_by_somebody_else(used: &KeyUse, region: &Region) -> bool {
    match used.service.as_str() {
        "ecr" => used.region != region.as_str(),
        // The global endpoint of STS reports its own region.
        "sts" => used.region != region.as_str() && used.region != "us-east-1",
        _ => true,
    }
}
