//! Whether a workflow sends images to a registry: what a publisher made by hand before sbi.

use super::document::{self, Step, get, jobs, scalar, text, walk};
use super::scripts;

/// What a workflow that publishes images does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// Where it sends an image: `jobs.push.steps."Build and push"`.
    pub places: Vec<String>,
    /// A registry of Amazon ECR is named in it.
    pub to_ecr: bool,
    /// Jobs that neither build nor send an image.
    pub other_jobs: Vec<String>,
}

/// `None` when a workflow sends no image anywhere, as far as its words tell.
#[must_use]
pub fn publishing(source: &str) -> Option<Publishing> {
    let workflow = document::read(source).ok()?;
    let mut to_ecr = false;
    walk(&workflow, "", &mut |_, text| {
        let signs = ["amazon-ecr-login", ".dkr.ecr.", "public.ecr.aws", "aws ecr ", "aws ecr-public ", "ECR_REGISTRY"];
        to_ecr |= signs.iter().any(|sign| text.contains(sign));
    });
    let (mut places, mut other_jobs) = (Vec::new(), Vec::new());
    let all = jobs(&workflow);
    let signs_in = all.iter().flat_map(|job| &job.steps).any(|step| action(step) == "aws-actions/amazon-ecr-login");
    for job in &all {
        // Whoever signs in to ECR and builds sends it there, by whatever script.
        let builds = |step: &&Step<'_, '_>| signs_in && super::workflow::builds(step.node);
        let sending: Vec<&Step<'_, '_>> = job.steps.iter().filter(|step| sends(step)).collect();
        let sending = if sending.is_empty() { job.steps.iter().filter(builds).collect() } else { sending };
        if sending.is_empty() && !job.steps.iter().any(|step| super::workflow::builds(step.node)) {
            other_jobs.push(job.id.clone());
        }
        places.extend(sending.into_iter().map(|step| step.place.clone()));
    }
    (!places.is_empty()).then_some(Publishing { places, to_ecr, other_jobs })
}

fn action(step: &Step<'_, '_>) -> String {
    super::workflow::action(step.node)
}

fn sends(step: &Step<'_, '_>) -> bool {
    let input =
        |name: &str| get(step.node, "with").and_then(|with| get(with, name)).and_then(scalar).unwrap_or_default();
    let action = action(step);
    if ["docker/build-push-action", "docker/bake-action", "redhat-actions/push-to-registry"].contains(&action.as_str())
    {
        // An expression may be true.
        let outputs = input("outputs");
        return action.starts_with("redhat")
            || !["", "false"].contains(&input("push").as_str())
            || outputs.contains("type=registry")
            || outputs.contains("push=true");
    }
    if action.contains("kaniko") {
        return true;
    }
    let script = get(step.node, "run").and_then(text);
    script.is_some_and(|script| scripts::commands(script).iter().any(|line| scripts::pushes_an_image(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(steps: &str) -> Option<Publishing> {
        publishing(&format!(
            "on: push\njobs:\n  test:\n    steps: [{{run: make test}}]\n  image:\n    steps:\n{steps}\n"
        ))
    }

    #[test]
    fn a_workflow_that_sends_images_is_told_from_one_that_does_not() {
        for steps in [
            "      - uses: docker/build-push-action@v6\n        with: {push: true}",
            "      - uses: docker/build-push-action@v6\n        with: {push: \"${{ github.event_name != 'pull_request' }}\"}",
            "      - uses: docker/build-push-action@v6\n        with: {outputs: 'type=image,push=true'}",
            "      - run: docker build -t a .\n      - run: docker push a",
            "      - run: skopeo copy oci:a docker://b",
            "      - run: crane push a b",
            "      - run: /kaniko/executor --destination a",
            "      - uses: aws-actions/amazon-ecr-login@v2\n      - run: docker build -t a . && make publish",
        ] {
            let found = of(steps).unwrap_or_else(|| panic!("{steps}"));
            assert_eq!(found.other_jobs, ["test"], "{steps}");
            assert!(found.places[0].starts_with("jobs.image.steps"), "{found:?}");
            assert_eq!(found.to_ecr, steps.contains("ecr"), "{steps}");
        }
        for steps in [
            "      - uses: docker/build-push-action@v6\n        with: {push: false}",
            "      - run: docker build .",
            "      - uses: aws-actions/amazon-ecr-login@v2\n      - run: docker pull a",
            "      - run: git push",
        ] {
            assert_eq!(of(steps), None, "{steps}");
        }
        assert_eq!(publishing("jobs: ["), None);
    }
}
