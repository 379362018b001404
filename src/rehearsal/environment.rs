//! What of the person's environment a script may see: enough to find programs, engines and the network, no credential.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Passed on as they are. None of them holds a credential; a proxy's address may, and nothing works without it.
const PASSED: &[&str] = &[
    "ALL_PROXY",
    "BUILDAH_ISOLATION",
    "BUILDAH_RUNTIME",
    "CONTAINERS_CONF",
    "CONTAINERS_CONF_OVERRIDE",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_REGISTRIES_CONF_DIR",
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CERT_PATH",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "USER",
    "XDG_RUNTIME_DIR",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Where Trivy's database is and how it is reached. The others could change what Trivy finds, or hold a password.
const TRIVY: &[&str] = &[
    "TRIVY_CACHE_BACKEND",
    "TRIVY_CACHE_DIR",
    "TRIVY_CACHE_TTL",
    "TRIVY_CHECKS_BUNDLE_REPOSITORY",
    "TRIVY_DB_REPOSITORY",
    "TRIVY_DEBUG",
    "TRIVY_DISABLE_TELEMETRY",
    "TRIVY_INSECURE",
    "TRIVY_JAVA_DB_REPOSITORY",
    "TRIVY_NO_PROGRESS",
    "TRIVY_OFFLINE_SCAN",
    "TRIVY_QUIET",
    "TRIVY_SKIP_CHECK_UPDATE",
    "TRIVY_SKIP_DB_UPDATE",
    "TRIVY_SKIP_JAVA_DB_UPDATE",
    "TRIVY_SKIP_VERSION_CHECK",
    "TRIVY_SKIP_VEX_REPO_UPDATE",
    "TRIVY_TIMEOUT",
];

/// What scripts get of the person's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    pub variables: BTreeMap<String, String>,
    /// Names of Trivy's variables that are set and not passed on.
    pub withheld: Vec<String>,
    /// The person's home folder, for the engines only.
    pub home: PathBuf,
}

impl Passed {
    /// Chooses from the person's whole environment. `more` names variables that the person asks for by name.
    #[must_use]
    pub fn of(person: &BTreeMap<String, String>, more: &[String]) -> Self {
        let wanted = |name: &str| PASSED.contains(&name) || TRIVY.contains(&name) || more.iter().any(|one| one == name);
        let mut variables: BTreeMap<String, String> =
            person.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        let withheld =
            person.keys().filter(|name| name.starts_with("TRIVY_") && !wanted(name)).cloned().collect::<Vec<_>>();
        let home = person.get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let below =
            |variable: &str, folder: &str| person.get(variable).map_or_else(|| home.join(folder), PathBuf::from);
        let mut default = |name: &str, place: PathBuf, needs_to_exist: bool| {
            if !needs_to_exist || place.exists() {
                variables.entry(name.to_owned()).or_insert_with(|| place.display().to_string());
            }
        };
        // Scripts have a home folder of their own, so what the tools would look for in the person's is named.
        default("TRIVY_CACHE_DIR", below("XDG_CACHE_HOME", ".cache").join("trivy"), false);
        let registries = below("XDG_CONFIG_HOME", ".config").join("containers/registries.conf");
        default("CONTAINERS_REGISTRIES_CONF", registries, true);
        Self { variables, withheld, home }
    }

    /// Where docker keeps its contexts and plugins.
    #[must_use]
    pub fn docker_config(&self, person: &BTreeMap<String, String>) -> PathBuf {
        person.get("DOCKER_CONFIG").map_or_else(|| self.home.join(".docker"), PathBuf::from)
    }
}

/// A program in one of the folders of `path`.
#[must_use]
pub fn found_on(path: &str, program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs =
        |place: &Path| place.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|place| runs(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_what_would_change_a_verdict_stay_behind() {
        let person: BTreeMap<String, String> = [
            ("PATH", "/bin"),
            ("HOME", "/home/ann"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("GH_TOKEN", "canary"),
            ("DOCKER_AUTH_CONFIG", "canary"),
            ("TRIVY_PASSWORD", "canary"),
            ("TRIVY_SEVERITY", "LOW"),
            ("TRIVY_SKIP_DB_UPDATE", "true"),
            ("BASH_ENV", "/home/ann/canary"),
            ("LD_PRELOAD", "canary"),
            ("MINE", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let passed = Passed::of(&person, &["MINE".to_owned()]);
        let names: Vec<&str> = passed.variables.keys().map(String::as_str).collect();
        assert_eq!(names, ["MINE", "PATH", "TRIVY_CACHE_DIR", "TRIVY_SKIP_DB_UPDATE"]);
        assert_eq!(passed.variables["TRIVY_CACHE_DIR"], "/home/ann/.cache/trivy");
        assert_eq!(passed.withheld, ["TRIVY_PASSWORD", "TRIVY_SEVERITY"]);
    }
}
