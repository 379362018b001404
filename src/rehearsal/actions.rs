//! The actions that a rehearsal does itself: the checkout and the artifacts.

use super::artifacts::{Inputs, Refusal};
use super::job::Worker;
use super::machine::Machine;
use super::scope::{Gap, Scope};
use super::workflow::Variables;

impl Worker<'_> {
    /// Runs an action that is known; `None` for every other.
    pub(super) fn action(
        &self,
        name: &str,
        with: &Variables,
        scope: &Scope,
        machine: &Machine,
    ) -> Result<Option<String>, Refusal> {
        match action_of(name) {
            "actions/checkout" => self.check_out(with, scope, machine).map(Some),
            "actions/upload-artifact" => self.artifacts.upload(with, scope, &machine.work).map(Some),
            "actions/download-artifact" => self.artifacts.download(with, scope, &machine.work).map(Some),
            // Nothing runs, but what it would be given is evaluated, so that a secret among it is seen.
            _ => {
                for (_, template) in with {
                    scope.fill(template)?;
                }
                Ok(None)
            }
        }
    }

    fn check_out(&self, with: &Variables, scope: &Scope, machine: &Machine) -> Result<String, Refusal> {
        let known = ["ref", "persist-credentials", "fetch-depth", "fetch-tags", "path", "clean", "show-progress"];
        let inputs = Inputs::read(with, &known, scope)?;
        let source = self.rehearsal.source;
        let github = &self.rehearsal.event.github;
        let is_ours =
            |wanted: &str| ["sha", "ref", "ref_name"].iter().any(|name| github.get(*name) == Some(&wanted.into()));
        if let Some(other) = inputs.get("ref").filter(|wanted| !is_ours(wanted)) {
            return Err(Gap::Unknown(format!(
                "`{other}` is checked out, and the rehearsal has {} only",
                source.commit
            ))
            .into());
        }
        let place = inputs.get("path").map_or_else(|| machine.work.clone(), |path| machine.work.join(path));
        source.check_out(&place).map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(format!("checked out {}", source.commit))
    }
}

/// `actions/checkout` of `actions/checkout@COMMIT`.
pub(super) fn action_of(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}
