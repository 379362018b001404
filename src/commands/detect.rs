//! What can be found out instead of asked: the region, the account, the GitHub login, the git repository around.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use crate::ui::questions::Detected;

/// Longest wait for `git`.
const GIT_TIMEOUT: Duration = Duration::from_secs(5);

/// What `git` says about `folder`: `OWNER/NAME` of `origin`, and who commits there. Nothing when there is no git.
pub(super) async fn from_git(folder: &Path) -> Detected {
    let (remote, name, email) = futures_util::join!(
        git(folder, &["remote", "get-url", "origin"]),
        git(folder, &["config", "user.name"]),
        git(folder, &["config", "user.email"]),
    );
    Detected {
        git_remote: remote.as_deref().and_then(repository_of),
        git_user_name: name,
        git_email: email,
        ..Detected::default()
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let run = Command::new("git").current_dir(folder).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(GIT_TIMEOUT, run).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// `OWNER/NAME` of a remote on any GitHub: `git@HOST:OWNER/NAME.git` or `https://HOST/OWNER/NAME`.
fn repository_of(remote: &str) -> Option<String> {
    let path = match remote.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => remote.split_once(':')?.1,
    };
    let path = path.trim_end_matches('/').trim_end_matches(".git");
    (path.split('/').count() == 2).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_remote_name_the_repository() {
        let expected = Some("acme/base-images".to_owned());
        assert_eq!(repository_of("git@github.com:acme/base-images.git"), expected);
        assert_eq!(repository_of("https://github.com/acme/base-images.git"), expected);
        assert_eq!(repository_of("ssh://git@github.com/acme/base-images"), expected);
        assert_eq!(repository_of("/srv/git/base"), None);
        assert_eq!(repository_of("https://gitlab.example/group/sub/base.git"), None);
    }
}
