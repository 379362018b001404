//! What the command lines of a script do, as far as their words tell.

/// The lines of a script that run something: comments dropped, continued lines put together.
pub(super) fn commands(script: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut continued = false;
    for line in script.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        match lines.last_mut().filter(|_| continued) {
            Some(last) => last.push_str(&format!(" {}", line.trim())),
            None => lines.push(line.trim().to_owned()),
        }
        // A pipe at the end continues a line as well.
        continued = goes_on || line.ends_with('|');
    }
    lines
}

/// The words of a line, with the signs between commands as words of their own.
fn words(line: &str) -> Vec<String> {
    let spaced = line.replace(['|', ';', '&', '(', ')', '`'], " \u{0} ").replace(['"', '\''], " ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

fn has_words(line: &str, first: &str, then: &[&str]) -> bool {
    let words = words(line);
    let is_first = |word: &str| word.rsplit('/').next() == Some(first);
    words.iter().enumerate().any(|(at, word)| {
        let behind = words[at + 1..].iter().take_while(|word| *word != "\u{0}");
        is_first(word)
            && then.iter().zip(behind.filter(|word| !word.starts_with('-'))).all(|(one, other)| one == other)
            && words[at + 1..].iter().take_while(|word| *word != "\u{0}").filter(|word| !word.starts_with('-')).count()
                >= then.len()
    })
}

pub(super) fn builds_an_image(line: &str) -> bool {
    let commands: &[(&str, &[&str])] = &[
        ("docker", &["build"]),
        ("docker", &["buildx", "build"]),
        ("docker", &["buildx", "bake"]),
        ("docker", &["compose", "build"]),
        ("docker", &["image", "build"]),
        ("docker-compose", &["build"]),
        ("podman", &["build"]),
        ("buildah", &["bud"]),
        ("buildah", &["build"]),
        ("nerdctl", &["build"]),
        ("ko", &["build"]),
        ("ko", &["publish"]),
        ("pack", &["build"]),
        ("executor", &[]),
        ("buildctl", &["build"]),
    ];
    commands
        .iter()
        .any(|(first, then)| has_words(line, first, then) && (*first != "executor" || line.contains("kaniko")))
}

pub(super) fn scans_an_image(line: &str) -> bool {
    let commands: &[(&str, &[&str])] = &[
        ("trivy", &["image"]),
        ("trivy", &["fs"]),
        ("trivy", &["rootfs"]),
        ("trivy", &["convert"]),
        ("grype", &[]),
        ("syft", &[]),
        ("docker", &["scout"]),
        ("snyk", &["container"]),
    ];
    commands.iter().any(|(first, then)| has_words(line, first, then))
}

/// What sends an image to a registry.
pub(super) fn pushes_an_image(line: &str) -> bool {
    let commands: &[(&str, &[&str])] = &[
        ("docker", &["push"]),
        ("docker", &["image", "push"]),
        ("docker", &["compose", "push"]),
        ("docker-compose", &["push"]),
        ("podman", &["push"]),
        ("buildah", &["push"]),
        ("nerdctl", &["push"]),
        ("skopeo", &["copy"]),
        ("skopeo", &["sync"]),
        ("crane", &["push"]),
        ("crane", &["copy"]),
        ("crane", &["cp"]),
        ("regctl", &["image", "copy"]),
        ("oras", &["push"]),
        ("oras", &["cp"]),
        ("ko", &["build"]),
        ("ko", &["publish"]),
    ];
    let builds_and_pushes =
        builds_an_image(line) && (line.contains("--push") || line.contains("push=true") || line.contains("kaniko"));
    builds_and_pushes || commands.iter().any(|(first, then)| has_words(line, first, then))
}

/// `curl … | sh`, `bash <(curl …)`, `sh -c "$(curl …)"`.
pub(super) fn pipes_a_download(line: &str) -> bool {
    let is_download = |part: &str| ["curl", "wget"].iter().any(|program| has_words(part, program, &[]));
    let is_shell = |part: &str| {
        let mut words = part
            .split_whitespace()
            .skip_while(|word| word.starts_with('-') || word.contains('=') || ["sudo", "env", "exec"].contains(word));
        let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        ["sh", "bash", "dash", "zsh", "ash", "python", "python3", "perl", "node"].contains(&program)
    };
    let mut parts = line.split('|').skip_while(|part| !is_download(part)).skip(1);
    let piped = line.contains('|') && parts.any(is_shell);
    let substituted = ["$(curl", "$(wget", "<(curl", "<(wget", "`curl", "`wget"].iter().any(|start| {
        line.split_once(start).is_some_and(|(before, _)| {
            before.trim_end_matches(['"', '\'']).split([';', '&', '|']).next_back().is_some_and(is_shell)
                || before.trim_end().ends_with("eval")
                || before.trim_end_matches(['"', ' ']).ends_with("eval")
        })
    });
    piped || substituted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_words_and_not_by_mention() {
        for line in [
            "docker build .",
            "sudo docker buildx build --push -t a .",
            "if docker --debug build .; then",
            "/usr/bin/podman build x",
        ] {
            assert!(builds_an_image(line), "{line}");
        }
        for line in [
            "echo docker-build",
            "docker buildx create --name build",
            "docker buildx imagetools inspect x",
            "make build",
            "ls docker",
        ] {
            assert!(!builds_an_image(line), "{line}");
        }
        assert!(scans_an_image("trivy --quiet image a") && !scans_an_image("trivy version"));
        for line in
            ["docker push a", "docker buildx build --push .", "x | docker push a", "skopeo copy a b", "crane push a b"]
        {
            assert!(pushes_an_image(line), "{line}");
        }
        for line in ["git push", "docker build -t push .", "skopeo inspect a", "docker pull a"] {
            assert!(!pushes_an_image(line), "{line}");
        }
    }

    #[test]
    fn a_download_that_runs_at_once_is_told_from_one_that_is_kept() {
        for line in [
            "curl -sSfL https://x/install.sh | sh -s -- -b /usr/local/bin",
            "wget -qO- https://x | sudo bash",
            "bash <(curl -s https://x)",
            "sh -c \"$(curl -fsSL https://x)\"",
            "curl https://x | tee log | bash -",
            "eval \"$(curl https://x)\"",
            "curl https://x | sudo -E bash",
        ] {
            assert!(pipes_a_download(line), "{line}");
        }
        for line in [
            "curl --output x https://x",
            "curl https://x | tar -xz",
            "curl https://x | sha256sum --check",
            "version=$(curl https://x)",
            "echo a | sh",
            "curl https://x | jq -r .sh",
        ] {
            assert!(!pipes_a_download(line), "{line}");
        }
    }

    #[test]
    fn continued_lines_are_one_and_comments_none() {
        assert_eq!(commands("# docker build\na \\\n  b\n\nc |\n d\ne"), ["a b", "c | d", "e"]);
    }
}
