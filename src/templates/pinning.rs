//! Whether two texts of a rendered file say the same with other pins, as Dependabot leaves them.

/// The text with every pin taken out: what follows the `@` of a `uses:`, and digests of images.
fn masked(text: &str) -> Vec<String> {
    text.lines().map(|line| masked_line(line.trim_end())).collect()
}

fn masked_line(line: &str) -> String {
    let is_use = line.trim_start().trim_start_matches("- ").starts_with("uses:");
    match line.split_once('@') {
        // The version in the comment behind belongs to the pin.
        Some((action, pin)) if is_use && is_commit(pin) => format!("{action}@"),
        _ => without_digests(line),
    }
}

/// 40 hex digits, alone or with a comment behind.
fn is_commit(pin: &str) -> bool {
    let (commit, comment) = pin.split_at_checked(40).unwrap_or((pin, ""));
    let comment = comment.trim_start();
    commit.len() == 40
        && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
        && (comment.is_empty() || comment.starts_with('#'))
}

fn without_digests(line: &str) -> String {
    let mut parts = line.split("@sha256:");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        masked.push_str(if digits == 64 { "@" } else { "@sha256:" });
        masked.push_str(if digits == 64 { &part[digits..] } else { part });
    }
    masked
}

/// Nothing but pins differs: the commits that `uses:` names and the digests of images. Never true of equal meaning in
/// other words, and never of a pin that is gone.
#[must_use]
pub fn differ_by_pins_alone(one: &str, other: &str) -> bool {
    masked(one) == masked(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(action: &str, digest: &str, gate: &str) -> String {
        format!(
            "steps:\n  - uses: actions/checkout@{action}\n  - run: |\n      {gate}\nFROM a:1@sha256:{digest} AS b\n"
        )
    }

    #[test]
    fn newer_pins_are_told_from_other_changes() {
        let rendered = text(&format!("{} # v5.0.0", "0a".repeat(20)), &"0b".repeat(32), "trivy image");
        let same = |other: &str| differ_by_pins_alone(&rendered, other);
        assert!(same(&text(&format!("{} # v6.1.0", "1c".repeat(20)), &"2d".repeat(32), "trivy image")));
        assert!(same(&rendered.replace('\n', "\r\n")), "line ends are no change");
        assert!(!same(&text("v6", &"2d".repeat(32), "trivy image")), "a tag is no pin");
        assert!(!same(&text("0a0a0a0", &"2d".repeat(32), "trivy image")), "half a commit is no pin");
        assert!(!same(&text("main # v5.0.0", &"2d".repeat(32), "trivy image")));
        assert!(!same(&text(&format!("{} # v5.0.0", "0a".repeat(20)), &"0b".repeat(32), "true")), "the gate is gone");
        assert!(!same(&text(&format!("{} # v5.0.0", "0a".repeat(20)), "0b", "trivy image")), "the digest is cut");
        assert!(!same(&rendered.replace("actions/checkout", "evil/checkout")));
        assert!(!same(&rendered.replace(" AS b", " AS c")));
        let injected = rendered.replace(" # v5.0.0", ", evil");
        assert!(!same(&injected), "what follows a commit is no comment");
    }
}
