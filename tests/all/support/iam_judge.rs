//! Asks an IAM engine that is not ours (`tests/tools/iam-judge.mjs`) what a policy document allows.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use sbi::model::config::Config;
use serde_json::{Value, json};

use super::tools;

/// An (action, resource), such as `("ecr:PutImage", "arn:aws:ecr:…")`; `*` where the action knows no resource.
pub(crate) type Call = (String, String);

/// What `sweep` found.
pub(crate) struct Sweep {
    /// Actions that AWS's service reference knows.
    pub(crate) actions: u64,
    /// Simulations by the checked call.
    pub(crate) simulations: u64,
    /// Of those, how many only the engine could answer, because the checked call refuses the combination.
    pub(crate) unchecked: u64,
    /// What the first policy allows by the checked call.
    pub(crate) checked: BTreeSet<Call>,
    /// What the first policy allows by the engine alone.
    pub(crate) allowed: BTreeSet<Call>,
    /// Whether each other policy allows the same as the first, by the engine alone.
    pub(crate) alike: Vec<bool>,
}

/// A GitHub OIDC token as IAM sees it.
pub(crate) struct WebIdentity {
    /// ARN of the OIDC provider that vouches for it.
    pub(crate) provider: String,
    /// Context key → value.
    pub(crate) claims: Vec<(String, String)>,
}

/// Judges in the names of one configuration.
pub(crate) struct Judge {
    scope: Value,
    /// ARNs of the images' ECR repositories.
    repositories: Vec<String>,
    role: String,
}

impl Judge {
    /// `None` when the engine is not installed.
    #[must_use = "a test without its tool must return early"]
    pub(crate) fn of(config: &Config) -> Option<Self> {
        tools::node_package("@cloud-copilot/iam-simulate")?;
        tools::system_tool("node")?;
        let scope = json!({
            "partition": config.aws.region.partition().id(),
            "region": config.aws.region.as_str(),
            "account": config.aws.account.as_str(),
            "principal": config.iam_arn("role/judged"),
        });
        let role = config.iam_arn(&format!("role/{}", config.role()));
        let repositories = config.ecr_repositories().iter().map(|name| config.ecr_repository_arn(name)).collect();
        Some(Self { scope, repositories, role })
    }

    /// Policy → whether it allows each call. Panics when a policy is not valid, when AWS knows no such action, or when
    /// the action does not take such a resource.
    pub(crate) fn calls(&self, policies: &[Value], calls: &[Call]) -> Vec<Vec<bool>> {
        let answer = ask(&json!({ "calls": { "policies": policies, "scope": self.scope, "calls": calls } }));
        serde_json::from_value(answer).unwrap()
    }

    /// The calls that `policy` refuses.
    pub(crate) fn refused(&self, policy: &Value, calls: &[Call]) -> Vec<Call> {
        let verdicts = self.calls(std::slice::from_ref(policy), calls).remove(0);
        calls.iter().zip(verdicts).filter(|(_, allowed)| !allowed).map(|(call, _)| call.clone()).collect()
    }

    /// The parts of `policy` without which every call is still allowed: whole statements, and single actions of them.
    pub(crate) fn needless(&self, policy: &Value, calls: &[Call]) -> Vec<String> {
        let parts = without_each_part(policy);
        let policies: Vec<Value> = parts.iter().map(|(_, rest)| rest.clone()).collect();
        let verdicts = self.calls(&policies, calls);
        let still_enough = |verdicts: &Vec<bool>| verdicts.iter().all(|allowed| *allowed);
        parts.iter().zip(&verdicts).filter(|(_, row)| still_enough(row)).map(|((part, _), _)| part.clone()).collect()
    }

    /// Asks about every action of every service. `near_misses` are ARNs of repositories that are not ours.
    pub(crate) fn sweep(&self, policies: &[Value], near_misses: &[String]) -> Sweep {
        let answer = ask(&json!({ "sweep": {
            "policies": policies,
            "scope": self.scope,
            "nearMisses": near_misses,
            "repositories": self.repositories,
        }}));
        let set = |calls: &Value| serde_json::from_value::<BTreeSet<Call>>(calls.clone()).unwrap();
        Sweep {
            actions: answer["actions"].as_u64().unwrap(),
            simulations: answer["simulations"].as_u64().unwrap(),
            unchecked: answer["unchecked"].as_u64().unwrap(),
            checked: set(&answer["checked"]),
            allowed: set(&answer["allowed"]),
            alike: serde_json::from_value(answer["alike"].clone()).unwrap(),
        }
    }

    /// Trust document → whether it lets each token assume the role.
    pub(crate) fn trust(&self, documents: &[Value], tokens: &[WebIdentity]) -> Vec<Vec<bool>> {
        let tokens: Vec<Value> = tokens
            .iter()
            .map(|token| {
                let claims: serde_json::Map<String, Value> =
                    token.claims.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
                json!({ "provider": token.provider, "claims": claims })
            })
            .collect();
        let question =
            json!({ "trust": { "documents": documents, "scope": self.scope, "tokens": tokens, "role": self.role } });
        serde_json::from_value(ask(&question)).unwrap()
    }
}

/// Each statement, and each action of a statement with several, with the policy that is left without it.
fn without_each_part(policy: &Value) -> Vec<(String, Value)> {
    let mut parts = Vec::new();
    for (index, statement) in policy["Statement"].as_array().unwrap().iter().enumerate() {
        let name = statement["Sid"].as_str().map_or_else(|| format!("statement {index}"), str::to_owned);
        let mut rest = policy.clone();
        let statements = rest["Statement"].as_array_mut().unwrap();
        statements.remove(index);
        // A document without statements is not valid; this one allows nothing.
        if statements.is_empty() {
            statements.push(json!({ "Effect": "Deny", "Action": "*", "Resource": "*" }));
        }
        parts.push((name.clone(), rest));
        for (place, action) in statement["Action"].as_array().into_iter().flatten().enumerate() {
            let mut rest = policy.clone();
            rest["Statement"][index]["Action"].as_array_mut().unwrap().remove(place);
            if !rest["Statement"][index]["Action"].as_array().unwrap().is_empty() {
                parts.push((format!("{name}: {}", action.as_str().unwrap()), rest));
            }
        }
    }
    parts
}

/// One process for one question, however many policies it holds: loading AWS's reference is what takes time.
fn ask(question: &Value) -> Value {
    let root = tools::root();
    let mut judge = Command::new("node")
        .arg(root.join("tests/tools/iam-judge.mjs"))
        .arg(root.join(".tools/node/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let answer = judge.wait_with_output().unwrap();
    assert!(answer.status.success(), "iam-judge.mjs: {}", String::from_utf8_lossy(&answer.stderr));
    serde_json::from_slice(&answer.stdout).unwrap()
}
