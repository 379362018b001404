//! GitHub, provisionally.

pub mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use octocrab::Octocrab;
use serde_json::{Value, json};

use crate::failure::{Cause, Failure};
use crate::model::config::Visibility;
use crate::model::git::{BlobId, CommitId};
use crate::model::lock::Lock;
use crate::model::names::{EnvironmentName, GithubRepositoryName};
use crate::model::observed::*;
use crate::model::secrets::{AccessKey, Token};
use crate::plan::step::{Commit, Delivery, Produced};

pub struct Settings {
    pub api_url: Option<String>,
    pub token: Token,
}

pub struct Github {
    octo: Octocrab,
    installation: bool,
    key: Arc<tokio::sync::OnceCell<(String, String)>>,
}

pub fn find_token(env: &dyn Fn(&str) -> Option<String>, _host: &str) -> Option<Token> {
    env("GH_TOKEN").or_else(|| env("GITHUB_TOKEN")).map(Token::new)
}

pub async fn token_from_gh(_host: &str) -> Option<Token> {
    None
}

pub fn missing_scopes(token: &TokenKind, wanted: &BTreeSet<&'static str>) -> Vec<&'static str> {
    let TokenKind::Scoped(scopes) = token else { return Vec::new() };
    let mut missing = Vec::new();
    if !wanted.is_empty() && !scopes.contains("repo") {
        missing.push("repo");
    }
    if wanted.contains("workflows: write") && !scopes.contains("workflow") {
        missing.push("workflow");
    }
    missing
}

fn fail(error: octocrab::Error) -> Failure {
    match error {
        octocrab::Error::GitHub { source, .. } => {
            let cause = match source.status_code.as_u16() {
                404 => Cause::NotFound,
                401 => Cause::Unauthenticated,
                403 => Cause::Denied { action: "?".into(), resource: None },
                422 => Cause::Exists,
                _ => Cause::Other,
            };
            Failure::new(source.message.clone()).because(cause)
        }
        other => Failure::new("GitHub can't be reached").because(Cause::Unreachable).caused_by(other),
    }
}

impl Github {
    pub fn connect(settings: Settings) -> Result<Github, Failure> {
        let installation = settings.token.reveal(|text| text.starts_with("ghs_"));
        let mut builder = Octocrab::builder()
            .set_connect_timeout(Some(Duration::from_secs(5)))
            .set_read_timeout(Some(Duration::from_secs(30)))
            .personal_token(settings.token.reveal(str::to_owned));
        if let Some(url) = settings.api_url {
            builder = builder.base_uri(url).map_err(|e| Failure::usage("bad url").caused_by(e))?;
        }
        let octo = builder.build().map_err(fail)?;
        Ok(Github { octo, installation, key: Arc::default() })
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, http_headers::Headers, Value), Failure> {
        let uri = path.to_owned();
        let response = match method {
            "GET" => self.octo._get(uri).await,
            "PUT" => self.octo._put(uri, body).await,
            "POST" => self.octo._post(uri, body).await,
            _ => self.octo._patch(uri, body).await,
        }
        .map_err(fail)?;
        let response = octocrab::map_github_error(response).await.map_err(fail)?;
        let status = response.status().as_u16();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(fail)?.to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let scopes = parts.headers.get("x-oauth-scopes").and_then(|v| v.to_str().ok()).map(str::to_owned);
        Ok((status, http_headers::Headers { scopes }, value))
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send("GET", path, None).await.map(|(_, _, v)| v)
    }

    async fn maybe(&self, path: &str) -> Result<Option<Value>, Failure> {
        match self.get(path).await {
            Ok(v) => Ok(Some(v)),
            Err(f) if matches!(f.cause(), Cause::NotFound | Cause::Denied { .. }) => Ok(None),
            Err(f) => Err(f),
        }
    }

    pub async fn viewer(&self) -> Result<Viewer, Failure> {
        if self.installation {
            return Ok(Viewer { login: "app".into(), id: 0, token: TokenKind::Installation });
        }
        let (_, headers, user) = self.send("GET", "/user", None).await?;
        let token = match headers.scopes {
            Some(text) => TokenKind::Scoped(text.split(", ").map(str::to_owned).collect()),
            None => TokenKind::FineGrained,
        };
        Ok(Viewer { login: s(&user["login"]), id: user["id"].as_u64().unwrap_or(0), token })
    }

    pub async fn owner(&self, login: &str, viewer: &Viewer) -> Result<Owner, Failure> {
        let user = if login.eq_ignore_ascii_case(&viewer.login) {
            self.get("/user").await?
        } else {
            self.get(&format!("/users/{login}")).await?
        };
        let is_organization = user["type"] == "Organization";
        Ok(Owner {
            login: s(&user["login"]),
            id: user["id"].as_u64().unwrap_or(0),
            is_organization,
            plan: user["plan"]["name"].as_str().map(str::to_owned),
        })
    }

    pub async fn repository(&self, name: &GithubRepositoryName) -> Result<Option<GithubRepository>, Failure> {
        let root = format!("/repos/{name}");
        let Some(repo) = self.maybe(&root).await? else { return Ok(None) };
        let branch = s(&repo["default_branch"]);
        let sub = self.get(&format!("{root}/actions/oidc/customization/sub")).await?;
        let tree = self.maybe(&format!("{root}/git/trees/{branch}?recursive=1")).await;
        let tree = tree.unwrap_or(None);
        let head = self.get(&format!("{root}/git/ref/heads/{branch}")).await.ok();
        let lock = self.maybe(&format!("{root}/contents/sbi.lock")).await?;
        let secrets = self.get(&format!("{root}/actions/secrets?per_page=100")).await?;
        let envs = self.maybe(&format!("{root}/environments?per_page=100")).await?.unwrap_or_default();
        let perms = self.maybe(&format!("{root}/actions/permissions")).await?;
        let wf = self.maybe(&format!("{root}/actions/permissions/workflow")).await?;
        let rules = self.maybe(&format!("{root}/rules/branches/{branch}")).await?;
        let releases = self.get(&format!("{root}/releases?per_page=100")).await?;
        let tags = self.get(&format!("{root}/git/matching-refs/tags/")).await.unwrap_or(json!([]));
        let mut environments = BTreeMap::new();
        for e in envs["environments"].as_array().into_iter().flatten() {
            let n = s(&e["name"]);
            let custom = e["deployment_branch_policy"]["custom_branch_policies"] == true;
            let pats = if custom {
                let l = self.get(&format!("{root}/environments/{n}/deployment-branch-policies")).await?;
                Some(
                    l["branch_policies"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter(|p| p["type"] == "tag")
                        .map(|p| s(&p["name"]))
                        .collect(),
                )
            } else {
                None
            };
            environments.insert(n, Environment { tag_patterns: pats });
        }
        let has =
            |kind: &str| rules.as_ref().and_then(|r| r.as_array()).is_some_and(|r| r.iter().any(|x| x["type"] == kind));
        Ok(Some(GithubRepository {
            identity: GithubIdentity {
                repository_id: repo["id"].as_u64().unwrap_or(0),
                owner_id: repo["owner"]["id"].as_u64().unwrap_or(0),
                subject_prefix: s(&sub["sub_claim_prefix"]),
            },
            full_name: s(&repo["full_name"]),
            private: repo["private"] == true,
            archived: repo["archived"] == true,
            can_admin: repo["permissions"]["admin"] == true,
            can_push: repo["permissions"]["push"] == true,
            default_branch: branch,
            head: head.map(|h| CommitId::told(s(&h["object"]["sha"]))),
            files: tree
                .map(|t| {
                    t["tree"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter(|e| e["type"] == "blob")
                        .map(|e| (s(&e["path"]), BlobId::told(s(&e["sha"]))))
                        .collect()
                })
                .unwrap_or_default(),
            lock: lock.and_then(|l| {
                let text: String = s(&l["content"]).chars().filter(|c| !c.is_whitespace()).collect();
                Lock::parse(&String::from_utf8(STANDARD.decode(text).ok()?).ok()?).ok()
            }),
            secrets: secrets["secrets"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|x| Some((s(&x["name"]), x["updated_at"].as_str()?.parse().ok()?)))
                .collect(),
            environments,
            actions: perms.zip(wf).map(|(p, w)| ActionsPermissions {
                enabled: p["enabled"] == true,
                allowed_actions: p["allowed_actions"].as_str().map(str::to_owned),
                sha_pinning_required: p["sha_pinning_required"] == true,
                default_write: w["default_workflow_permissions"] == "write",
                can_approve_pull_requests: w["can_approve_pull_request_reviews"] == true,
            }),
            branch_rules: BranchRules {
                pull_request_required: has("pull_request"),
                signatures_required: has("required_signatures"),
            },
            releases: releases
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|r| {
                    Some(Release {
                        tag: r["tag_name"].as_str()?.parse().ok()?,
                        draft: r["draft"] == true,
                        ours: r["body"].as_str().unwrap_or_default().contains("<!-- sbi -->"),
                        url: s(&r["html_url"]),
                    })
                })
                .collect(),
            tags: tags
                .as_array()
                .into_iter()
                .flatten()
                .map(|t| s(&t["ref"]).trim_start_matches("refs/tags/").to_owned())
                .collect(),
            pull_requests: Vec::new(),
        }))
    }

    pub async fn create_repository(
        &self,
        name: &GithubRepositoryName,
        in_organization: bool,
        visibility: Visibility,
        description: &str,
    ) -> Result<Produced, Failure> {
        let path = if in_organization { format!("/orgs/{}/repos", name.owner()) } else { "/user/repos".into() };
        let repo = self.send("POST", &path, Some(&json!({"name": name.name(), "private": visibility == Visibility::Private, "description": description, "auto_init": true}))).await?.2;
        let branch = s(&repo["default_branch"]);
        let sub = self.get(&format!("/repos/{name}/actions/oidc/customization/sub")).await?;
        let head = self.get(&format!("/repos/{name}/git/ref/heads/{branch}")).await?;
        Ok(Produced::GithubRepository {
            identity: GithubIdentity {
                repository_id: repo["id"].as_u64().unwrap_or(0),
                owner_id: repo["owner"]["id"].as_u64().unwrap_or(0),
                subject_prefix: s(&sub["sub_claim_prefix"]),
            },
            default_branch: branch,
            head: CommitId::told(s(&head["object"]["sha"])),
            url: s(&repo["html_url"]),
        })
    }

    pub async fn start_history(
        &self,
        name: &GithubRepositoryName,
        branch: &str,
        text: &str,
    ) -> Result<CommitId, Failure> {
        let v = self
            .send(
                "PUT",
                &format!("/repos/{name}/contents/sbi.toml"),
                Some(&json!({"message": "Start", "branch": branch, "content": STANDARD.encode(text)})),
            )
            .await?
            .2;
        Ok(CommitId::told(s(&v["commit"]["sha"])))
    }

    pub async fn restrict_workflow_token(&self, name: &GithubRepositoryName) -> Result<(), Failure> {
        self.send(
            "PUT",
            &format!("/repos/{name}/actions/permissions/workflow"),
            Some(&json!({"default_workflow_permissions": "read", "can_approve_pull_request_reviews": false})),
        )
        .await
        .map(drop)
    }

    pub async fn require_pinned_actions(
        &self,
        name: &GithubRepositoryName,
        allowed: Option<&str>,
    ) -> Result<(), Failure> {
        self.send(
            "PUT",
            &format!("/repos/{name}/actions/permissions"),
            Some(&json!({"enabled": true, "allowed_actions": allowed.unwrap_or("all"), "sha_pinning_required": true})),
        )
        .await
        .map(drop)
    }

    pub async fn set_environment(
        &self,
        name: &GithubRepositoryName,
        environment: &EnvironmentName,
        _exists: bool,
        patterns: &BTreeSet<String>,
    ) -> Result<(), Failure> {
        let path = format!("/repos/{name}/environments/{environment}");
        self.send(
            "PUT",
            &path,
            Some(&json!({"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}})),
        )
        .await?;
        for p in patterns {
            self.send("POST", &format!("{path}/deployment-branch-policies"), Some(&json!({"name": p, "type": "tag"})))
                .await?;
        }
        Ok(())
    }

    pub async fn put_secret(&self, name: &GithubRepositoryName, secret: &str, value: &str) -> Result<(), Failure> {
        let (id, key) = self
            .key
            .get_or_try_init(|| async {
                let k = self.get(&format!("/repos/{name}/actions/secrets/public-key")).await?;
                Ok::<_, Failure>((s(&k["key_id"]), s(&k["key"])))
            })
            .await?;
        let bytes: [u8; 32] =
            STANDARD.decode(key).unwrap_or_default().try_into().map_err(|_| Failure::new("bad key"))?;
        let sealed = crypto_box::PublicKey::from(bytes)
            .seal(&mut crypto_box::aead::OsRng, value.as_bytes())
            .map_err(|_| Failure::new("seal"))?;
        self.send(
            "PUT",
            &format!("/repos/{name}/actions/secrets/{secret}"),
            Some(&json!({"key_id": id, "encrypted_value": STANDARD.encode(sealed)})),
        )
        .await
        .map(drop)
    }

    pub async fn put_access_key(&self, name: &GithubRepositoryName, key: &AccessKey) -> Result<(), Failure> {
        self.put_secret(name, "AWS_ACCESS_KEY_ID", key.id()).await?;
        let secret = key.reveal(str::to_owned);
        self.put_secret(name, "AWS_SECRET_ACCESS_KEY", &secret).await
    }

    pub async fn commit(&self, commit: &Commit, branch: &str, parent: &CommitId) -> Result<Produced, Failure> {
        let root = format!("/repos/{}", commit.repository);
        let entries: Vec<Value> = commit
            .files
            .iter()
            .map(|(p, t)| json!({"path": p, "mode": "100644", "type": "blob", "content": t}))
            .collect();
        let mut body = json!({"tree": entries});
        if !commit.whole_tree {
            let c = self.get(&format!("{root}/git/commits/{parent}")).await?;
            body["base_tree"] = c["tree"]["sha"].clone();
        }
        let tree = self.send("POST", &format!("{root}/git/trees"), Some(&body)).await?.2;
        let made = self
            .send(
                "POST",
                &format!("{root}/git/commits"),
                Some(&json!({"message": commit.message, "tree": tree["sha"], "parents": [parent.as_str()]})),
            )
            .await?
            .2;
        if let Delivery::PullRequest { branch: head, title, body, .. } = &commit.delivery {
            self.send(
                "POST",
                &format!("{root}/git/refs"),
                Some(&json!({"ref": format!("refs/heads/{head}"), "sha": made["sha"]})),
            )
            .await?;
            let pr = self
                .send(
                    "POST",
                    &format!("{root}/pulls"),
                    Some(&json!({"title": title, "body": body, "head": head, "base": branch})),
                )
                .await?
                .2;
            return Ok(Produced::PullRequest { number: pr["number"].as_u64().unwrap_or(0), url: s(&pr["html_url"]) });
        }
        self.send(
            "PATCH",
            &format!("{root}/git/refs/heads/{branch}"),
            Some(&json!({"sha": made["sha"], "force": false})),
        )
        .await?;
        Ok(Produced::Commit { id: CommitId::told(s(&made["sha"])), url: s(&made["html_url"]) })
    }
}

fn s(v: &Value) -> String {
    v.as_str().unwrap_or_default().to_owned()
}

mod http_headers {
    pub struct Headers {
        pub scopes: Option<String>,
    }
}

#[allow(unused)]
type Unused = Mutex<()>;
