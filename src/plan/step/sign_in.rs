//! Which changes decide about the jobs that sign in to AWS.

use super::Step;

impl Step {
    /// It changes which jobs get in, or what they may do there.
    #[must_use]
    pub fn changes_whom_aws_lets_in(&self) -> bool {
        matches!(
            self,
            Self::CreateOidcProvider { .. }
                | Self::AddOidcAudience { .. }
                | Self::CreateRole { .. }
                | Self::SetRoleTrust { .. }
                | Self::SetRolePolicy { .. }
                | Self::CreateUser { .. }
                | Self::SetUserPolicy { .. }
                | Self::SetEnvironment { .. }
        )
    }

    /// It changes what a job signs in with.
    #[must_use]
    pub fn changes_credentials(&self) -> bool {
        matches!(self, Self::IssueAccessKey { .. } | Self::PutSecret { .. })
    }
}
