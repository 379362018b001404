//! Where a reference's manifest is: `HOST/REPOSITORY:TAG` → a URL of that registry, or of the mirror in its place.

use url::Url;

use super::MIRROR_VARIABLE;
use crate::failure::Failure;
use crate::transport::is_confidential;

/// Docker Hub's name in references, and the host that serves it.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_SERVES: &str = "registry-1.docker.io";

/// A registry that is asked in place of every other, as pull-through mirrors are: the original host becomes the first
/// part of the repository's name.
#[derive(Debug)]
pub(super) struct Mirror {
    url: Url,
}

/// A reference, and where to ask for it.
#[derive(Debug)]
pub(super) struct Address {
    reference: String,
    /// As the reference names it.
    host: String,
    manifest: Url,
    /// `library/golang`, with what the mirror puts before it.
    repository: String,
    mirrored: bool,
}

impl Mirror {
    /// # Errors
    /// When the text is no URL, would be asked unencrypted, or holds credentials.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let refuse = |reason: &str| {
            Failure::usage(format!("{MIRROR_VARIABLE} can't be used: {reason}")).hinted(
                "it looks like https://mirror.example, and gets the original host before each repository's name",
            )
        };
        let url = Url::parse(text).map_err(|_| refuse("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds credentials, and sbi asks registries without any"));
        }
        if !is_confidential(&url) {
            return Err(refuse("it is neither https nor on this machine"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has more than a host and a path"));
        }
        Ok(Self { url })
    }
}

impl Address {
    /// # Errors
    /// When the text is no reference with a host and a tag.
    pub(super) fn parse(reference: &str, mirror: Option<&Mirror>) -> Result<Self, Failure> {
        let refuse = |reason: &str| Failure::new(format!("`{reference}` names no image: {reason}"));
        let (host, rest) = reference.split_once('/').ok_or_else(|| refuse("it has no registry"))?;
        // Only what a host and a port are made of: nothing that a URL would read as credentials, path or query.
        if host.is_empty() || !host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':')) {
            return Err(refuse("its registry is no host"));
        }
        let (name, tag) = rest.rsplit_once(':').ok_or_else(|| refuse("it has no tag"))?;
        if !name.split('/').all(is_name_part) {
            return Err(refuse("its repository's name is not one"));
        }
        if !is_tag(tag) {
            return Err(refuse("its tag is not one"));
        }
        // Docker Hub keeps its official images below a name that references leave out.
        let name = if host == DOCKER_HUB && !name.contains('/') { format!("library/{name}") } else { name.to_owned() };
        let (mut manifest, repository) = match mirror {
            Some(mirror) => {
                let below = mirror.url.path().trim_matches('/');
                let below = if below.is_empty() { String::new() } else { format!("{below}/") };
                (mirror.url.clone(), format!("{below}{host}/{name}"))
            }
            None => {
                let served = if host == DOCKER_HUB { DOCKER_HUB_SERVES } else { host };
                let url = Url::parse(&format!("https://{served}")).map_err(|_| refuse("its registry is no host"))?;
                (url, name)
            }
        };
        manifest.set_path(&format!("/v2/{repository}/manifests/{tag}"));
        Ok(Self { reference: reference.into(), host: host.into(), manifest, repository, mirrored: mirror.is_some() })
    }

    pub(super) fn reference(&self) -> &str {
        &self.reference
    }

    pub(super) fn manifest(&self) -> &Url {
        &self.manifest
    }

    /// Who is asked, as a person knows it.
    pub(super) fn asked(&self) -> String {
        if self.mirrored {
            format!("the mirror {}", super::exchange::origin(&self.manifest))
        } else {
            self.host.clone()
        }
    }

    /// The right that a token must carry (Docker's token specification, "Scope").
    pub(super) fn scope(&self) -> String {
        format!("repository:{}:pull", self.repository)
    }

    pub(super) fn is_docker_hub(&self) -> bool {
        !self.mirrored && self.host == DOCKER_HUB
    }
}

/// Where a redirection or a realm leads from `base`: https, or this machine when `base` is on it already.
///
/// # Errors
/// Why it must not be followed.
pub(super) fn follows(base: &Url, target: &str) -> Result<Url, String> {
    let url = base.join(target).map_err(|_| format!("it leads to `{}`, which is no URL", shortened(target)))?;
    if url.scheme() == "https" || (base.scheme() == "http" && is_confidential(&url)) {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default();
    Err(format!("it leads to {}://{}, which is not encrypted", url.scheme(), shortened(host)))
}

/// What a server said, short enough for a line.
pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// OCI distribution specification, "Pulling manifests": `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, a little wider: nothing
/// that a path would read otherwise.
fn is_name_part(part: &str) -> bool {
    let ok = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-');
    !part.is_empty() && part.chars().all(ok) && part.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_tag(tag: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=128).contains(&tag.len()) && tag.chars().all(ok) && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(reference: &str, mirror: Option<&str>) -> String {
        let mirror = mirror.map(|text| Mirror::parse(text).unwrap());
        Address::parse(reference, mirror.as_ref()).unwrap().manifest().to_string()
    }

    #[test]
    fn references_lead_to_their_registries() {
        let gcr = "gcr.io/distroless/static-debian13:nonroot";
        assert_eq!(url(gcr, None), "https://gcr.io/v2/distroless/static-debian13/manifests/nonroot");
        let official = "https://registry-1.docker.io/v2/library/golang/manifests/1.26-trixie";
        assert_eq!(url("docker.io/golang:1.26-trixie", None), official);
        assert_eq!(url("docker.io/library/golang:1.26-trixie", None), official);
        assert_eq!(
            url("docker.io/moby/buildkit:v1", None),
            "https://registry-1.docker.io/v2/moby/buildkit/manifests/v1"
        );
        assert_eq!(url("registry.example:5000/a:b", None), "https://registry.example:5000/v2/a/manifests/b");
    }

    #[test]
    fn a_mirror_gets_the_host_before_the_name() {
        let mirror = Some("https://mirror.example");
        let gcr = "gcr.io/distroless/static-debian13:nonroot";
        assert_eq!(url(gcr, mirror), "https://mirror.example/v2/gcr.io/distroless/static-debian13/manifests/nonroot");
        let below = Some("https://mirror.example/cache/");
        let hub = "docker.io/golang:1";
        assert_eq!(url(hub, below), "https://mirror.example/v2/cache/docker.io/library/golang/manifests/1");
        assert_eq!(url(hub, Some("http://127.0.0.1:5")), "http://127.0.0.1:5/v2/docker.io/library/golang/manifests/1");
    }

    #[test]
    fn an_address_that_could_mean_something_else_is_refused() {
        for text in
            ["golang", "gcr.io/a", "gcr.io/../a:b", "gcr.io/a//b:c", "gcr.io/a:b?c", "gcr.io/a:.b", "gcr.io/A:b"]
        {
            assert!(Address::parse(text, None).is_err(), "{text}");
        }
        for text in ["me@gcr.io/a:b", "gcr.io?x/a:b", "a b/c:d", "/a:b"] {
            assert!(Address::parse(text, None).is_err(), "{text}");
        }
        for text in ["mirror", "http://mirror.example", "https://me:pass@mirror.example", "https://mirror.example/?x=y"]
        {
            let failure = Mirror::parse(text).unwrap_err();
            assert!(!failure.message().contains("pass"), "{failure}");
        }
    }

    #[test]
    fn what_is_asked_over_tls_never_leads_out_of_it() {
        let from = |base: &str, target: &str| follows(&Url::parse(base).unwrap(), target).map(|url| url.to_string());
        assert_eq!(from("https://a.example/v2/x", "/y").unwrap(), "https://a.example/y");
        assert_eq!(from("https://a.example/v2/x", "https://b.example/y").unwrap(), "https://b.example/y");
        assert_eq!(from("http://127.0.0.1:1/v2/x", "http://127.0.0.1:2/y").unwrap(), "http://127.0.0.1:2/y");
        for (base, target) in [
            ("https://a.example", "http://a.example/token"),
            ("https://a.example", "http://127.0.0.1/token"),
            ("http://127.0.0.1:1", "http://b.example/token"),
            ("http://127.0.0.1:1", "file:///etc/passwd"),
        ] {
            assert!(from(base, target).is_err(), "{base} to {target}");
        }
    }
}
