//! Signatures and attestations by the real cosign: keyless, as on GitHub, with a token service and a certificate
//! authority of the tests' own. The rendered commands say who must have signed; here others try.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::runner::{Ended, Run};
use super::{REPOSITORY, World, config, debian_13, layout};
use crate::support::tools::{own_tool, python_tool, root};
use crate::support::trivy_database::Database;

pub(super) const WORKFLOW_OF_TAG: &str = "acme/base-images/.github/workflows/publish-to-ecr.yml@refs/tags/v1.0.0";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// A token service and a certificate authority; what trusts them lies in a folder of theirs.
pub(super) struct Sigstore {
    url: String,
    folder: tempfile::TempDir,
    process: Child,
}

impl Sigstore {
    pub(super) fn start() -> Option<Self> {
        let cosign = own_tool("cosign")?;
        let folder = tempfile::tempdir().unwrap();
        let root_certificate = folder.path().join("root.pem");
        let mut process = Command::new(python_tool("python")?)
            .arg(root().join("tests/tools/real/sigstore.py"))
            .arg(&root_certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = format!("http://127.0.0.1:{}", line.trim());
        let make = |what: &str, arguments: &[String]| {
            let made = Command::new(&cosign)
                .args([what, "create", "--out"])
                .arg(folder.path().join(format!("{what}.json")))
                .args(arguments)
                .env("HOME", folder.path())
                .status()
                .unwrap();
            assert!(made.success(), "{what}");
        };
        make("trusted-root", &[format!("--fulcio=url={url},certificate-chain={}", root_certificate.display())]);
        let since = "api-version=1,start-time=2026-01-01T00:00:00Z,operator=tests";
        make(
            "signing-config",
            &[format!("--fulcio=url={url},{since}"), format!("--oidc-provider=url={ISSUER},{since}")],
        );
        Some(Self { url, folder, process })
    }

    /// Makes a run sign as this workflow, and trust this authority.
    pub(super) fn serve(&self, run: &mut Run, workflow: &str) {
        run.give("REAL_COSIGN", &own_tool("cosign").unwrap().display().to_string());
        run.give("REAL_SIGSTORE", &self.folder.path().display().to_string());
        run.give("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/token?workflow={workflow}", self.url));
        run.give("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token-of-the-job");
    }

    /// What a buyer runs.
    fn verify(&self, world: &World, words: &[&str], identity: &str, issuer: &str, reference: &str) -> Output {
        let folder = self.folder.path();
        let auth = super::registry::basic_auth();
        let login = serde_json::json!({"auths": {world.registry.address.to_string(): {"auth": auth}}});
        std::fs::write(folder.join("config.json"), login.to_string()).unwrap();
        Command::new(root().join("tests/tools/real/cosign"))
            .args(words)
            .args(["--certificate-identity", identity, "--certificate-oidc-issuer", issuer])
            .arg(format!("{}/{REPOSITORY}{reference}", world.registry.address))
            .env("REAL_COSIGN", own_tool("cosign").unwrap())
            .env("REAL_SIGSTORE", folder)
            .env("DOCKER_CONFIG", folder)
            .env("HOME", folder)
            .output()
            .unwrap()
    }
}

impl Drop for Sigstore {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn signed_release(world: &World) -> Run {
    world.release_of(&config("oidc", "keyless", &["amd64"]), &debian_13(), &Database::clean())
}

/// The predicate of the first attestation in what `cosign verify-attestation` prints.
fn predicate(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&payload).unwrap()["predicate"].clone()
}

#[test]
fn a_buyer_verifies_who_built_the_image_and_a_stranger_is_refused() {
    let (Some(world), Some(sigstore)) = (World::new(), Sigstore::start()) else { return };
    let mut run = signed_release(&world);
    sigstore.serve(&mut run, WORKFLOW_OF_TAG);
    run.all();
    run.assert_ended("publish", &Ended::Success);
    run.assert_ended("verify", &Ended::Success);

    // Signing changed no byte of the image: the tag names the index that was merged.
    let (_, index) = world.registry.manifest(REPOSITORY, "v1.0.0");
    let digest = format!("sha256:{}", layout::sha256(&index));
    let published: Value =
        serde_json::from_slice(&std::fs::read(run.artifact("published").join("published.json")).unwrap()).unwrap();
    assert_eq!(published["digest"], digest.as_str());

    let identity = format!("https://github.com/{WORKFLOW_OF_TAG}");
    let of_tag =
        |words: &[&str], identity: &str, issuer: &str| sigstore.verify(&world, words, identity, issuer, ":v1.0.0");
    let good = of_tag(&["verify"], &identity, ISSUER);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for (stranger, issuer) in [
        (identity.replace("v1.0.0", "v1.0.1"), ISSUER),
        (identity.replace("acme", "evil"), ISSUER),
        (identity.replace("publish-to-ecr", "check-images"), ISSUER),
        (identity.clone(), "https://accounts.example"),
    ] {
        assert!(!of_tag(&["verify"], &stranger, issuer).status.success(), "{stranger} by {issuer}");
    }
    // Another authority's word counts for nothing, whatever name it wrote into its certificate.
    let other = Sigstore::start().unwrap();
    assert!(!other.verify(&world, &["verify"], &identity, ISSUER, ":v1.0.0").status.success());

    let provenance = predicate(&of_tag(&["verify-attestation", "--type", "slsaprovenance1"], &identity, ISSUER));
    assert_eq!(provenance["runDetails"]["builder"]["id"], identity.as_str());

    let index: Value = serde_json::from_slice(&index).unwrap();
    let platform = format!("@{}", index["manifests"][0]["digest"].as_str().unwrap());
    let of_platform = |kind: &str| {
        predicate(&sigstore.verify(&world, &["verify-attestation", "--type", kind], &identity, ISSUER, &platform))
    };
    assert!(sigstore.verify(&world, &["verify"], &identity, ISSUER, &platform).status.success());
    assert_eq!(of_platform("spdxjson"), evidence(&run, "sbom.spdx.json"));
    let scan = of_platform("vuln");
    assert_eq!(scan["scanner"]["db"]["version"], "2026-11-01T06:00:00Z");
    assert_eq!(scan["scanner"]["result"], evidence(&run, "trivy.json"));

    // An image that somebody put beside it has no signature, and takes none over.
    let folder = tempfile::tempdir().unwrap();
    let slipped_in = debian_13().package("slipped-in", "1").write(folder.path(), "amd64");
    world.registry.publish(folder.path(), &format!("{REPOSITORY}:v1.0.1"));
    let refused = sigstore.verify(&world, &["verify"], &identity, ISSUER, &format!("@{slipped_in}"));
    assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
}

fn evidence(run: &Run, name: &str) -> Value {
    let path: PathBuf = run.artifact("evidence-amd64").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_signature_of_another_workflow_or_tag_sets_no_tag() {
    let (Some(world), Some(sigstore)) = (World::new(), Sigstore::start()) else { return };
    let mut run = signed_release(&world);
    run.only(&["plan", "build", "scan"]);
    for stranger in [
        WORKFLOW_OF_TAG.replace("v1.0.0", "v1.0.1"),
        WORKFLOW_OF_TAG.replace("publish-to-ecr", "other"),
        WORKFLOW_OF_TAG.replace("acme/base-images", "evil/base-images"),
    ] {
        sigstore.serve(&mut run, &stranger);
        run.only(&["publish"]);
        run.assert_ended("publish", &Ended::Failure("Verify signatures and attestations".into()));
        assert_eq!(world.registry.manifest(REPOSITORY, "v1.0.0").0, 404, "{stranger}");
    }
}

#[test]
fn signing_that_fails_half_way_sets_no_tag_and_the_next_attempt_finishes() {
    let (Some(world), Some(sigstore)) = (World::new(), Sigstore::start()) else { return };
    let mut run = signed_release(&world);
    sigstore.serve(&mut run, WORKFLOW_OF_TAG);
    run.only(&["plan", "build", "scan"]);
    // The certificate authority is away; the image itself is in the registry by now.
    run.give("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "expired");
    run.only(&["publish"]);
    run.assert_ended("publish", &Ended::Failure("Sign and attest".into()));
    let pushed = world.proxy.writes();
    // The registry refuses one of the writes of signatures and attestations.
    sigstore.serve(&mut run, WORKFLOW_OF_TAG);
    for further in [1, 4, 9] {
        let repository = format!("acme/signed-{further}");
        run.secret("ECR_REPOSITORY", &repository);
        world.proxy.refuse_writes_from(Some(pushed + further));
        run.only(&["publish"]);
        run.assert_ended("publish", &Ended::Failure("Sign and attest".into()));
        assert_eq!(world.registry.manifest(&repository, "v1.0.0").0, 404);

        world.proxy.refuse_writes_from(None);
        run.only(&["publish"]);
        run.assert_ended("publish", &Ended::Success);
    }
}
