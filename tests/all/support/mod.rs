//! What several tests share.

pub(crate) mod iam_judge;
pub(crate) mod tools;
