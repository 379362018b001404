//! Where the token comes from and what it lacks.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use crate::model::observed::TokenKind;
use crate::model::secrets::Token;

/// `gh` answers from its own files or the system's key ring: longer means that it waits for somebody.
const GH_TIME: Duration = Duration::from_secs(5);

/// The first of `GH_TOKEN`, `GITHUB_TOKEN` (`GH_ENTERPRISE_TOKEN`, `GITHUB_ENTERPRISE_TOKEN` for any other host than
/// github.com: a token of one host is never sent to another) and what `gh` knows.
pub fn find_token(
    env: &dyn Fn(&str) -> Option<String>,
    host: &str,
    gh: &dyn Fn(&str) -> Option<Token>,
) -> Option<Token> {
    let names: [&str; 2] =
        if is_public(host) { ["GH_TOKEN", "GITHUB_TOKEN"] } else { ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"] };
    let usable = |text: String| {
        let text = text.trim();
        (!text.is_empty()).then(|| Token::new(text.to_owned()))
    };
    names.into_iter().find_map(|name| env(name).and_then(usable)).or_else(|| gh(host))
}

/// Loopback counts as github.com: it stands in for it.
fn is_public(host: &str) -> bool {
    let host = host.strip_prefix("api.").unwrap_or(host);
    host == "github.com" || host.ends_with(".ghe.com") || matches!(host, "127.0.0.1" | "localhost" | "[::1]" | "::1")
}

/// The token that GitHub's own CLI keeps for `host`; `None` when it has none, is absent or takes too long.
pub async fn token_from_gh(host: &str) -> Option<Token> {
    let output = tokio::process::Command::new("gh")
        .args(["auth", "token", "--hostname", host])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(GH_TIME, output).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| Token::new(text.to_owned()))
}

/// The classic scopes that a token lacks for these permissions, and of these scopes themselves. A fine-grained token tells nothing, so nothing is
/// known to be missing.
#[must_use]
pub fn missing_scopes(
    token: &TokenKind,
    permissions: &BTreeSet<&'static str>,
    scopes: &BTreeSet<&'static str>,
) -> Vec<&'static str> {
    let TokenKind::Scoped(granted) = token else { return Vec::new() };
    let of_permission = |&permission: &&'static str| match permission {
        "workflows: write" => "workflow",
        _ => "repo",
    };
    let needed: BTreeSet<&'static str> = permissions.iter().map(of_permission).chain(scopes.iter().copied()).collect();
    needed.into_iter().filter(|scope| !granted.contains(*scope)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(set: &[(&str, &str)], host: &str) -> Option<String> {
        let env = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let gh = |host: &str| Some(Token::new(format!("gh of {host}")));
        find_token(&env, host, &gh).map(|token| token.reveal(str::to_owned))
    }

    #[test]
    fn a_token_of_one_host_is_never_sent_to_another() {
        let both = [("GITHUB_TOKEN", "second"), ("GH_TOKEN", " first\n"), ("GH_ENTERPRISE_TOKEN", "third")];
        assert_eq!(found(&both, "github.com").as_deref(), Some("first"));
        assert_eq!(found(&both[..1], "api.github.com").as_deref(), Some("second"));
        assert_eq!(found(&both, "github.example.com").as_deref(), Some("third"));
        assert_eq!(found(&both[..2], "github.example.com").as_deref(), Some("gh of github.example.com"));
        assert_eq!(found(&[("GH_TOKEN", "  ")], "github.com").as_deref(), Some("gh of github.com"));
    }

    #[test]
    fn only_a_classic_token_is_known_to_lack_a_scope() {
        let wanted = BTreeSet::from(["contents: write", "workflows: write"]);
        let scoped = |scopes: &[&str]| TokenKind::Scoped(scopes.iter().map(|&scope| scope.to_owned()).collect());
        let none = BTreeSet::new();
        assert_eq!(missing_scopes(&scoped(&["repo"]), &wanted, &none), ["workflow"]);
        assert_eq!(missing_scopes(&scoped(&[]), &wanted, &none), ["repo", "workflow"]);
        assert!(missing_scopes(&scoped(&["repo", "workflow"]), &wanted, &none).is_empty());
        let more = BTreeSet::from(["delete_repo"]);
        assert_eq!(missing_scopes(&scoped(&["repo", "workflow"]), &wanted, &more), ["delete_repo"]);
        assert!(missing_scopes(&TokenKind::FineGrained, &wanted, &more).is_empty());
    }
}
