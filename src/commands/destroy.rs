//! `sbi destroy`: takes back what sbi made, and only that.

use std::path::Path;

use super::answers::read_config;
use super::carry_out::{carry_out, preflight};
use super::console::{Console, summary};
use super::converge::identities;
use crate::apply::Report;
use crate::cli::{DestroyArgs, GlobalFlags};
use crate::failure::{Cause, Failure};
use crate::live::Live;
use crate::live::sign_in::Places;
use crate::model::config::{CONFIG_FILE, Config};
use crate::model::holdings::Holdings;
use crate::model::identity::OIDC_ISSUER;
use crate::model::names::GithubRepositoryName;
use crate::model::observed::Observed;
use crate::model::ownership::{OWNER_ID_TAG, OWNER_TAG};
use crate::plan::Plan;
use crate::plan::destroy::rights::rights;
use crate::plan::destroy::{Wish, plan_destroy};
use crate::plan::setup::{followed, settled};
use crate::ui::Glyph;
use crate::ui::report::Who;

/// # Errors
/// Lists every flag that is missing; a refusal before any effect; what failed while applying; with `--check`, a plan
/// that is not empty.
pub(super) async fn run(global: &GlobalFlags, arguments: &DestroyArgs, console: &Console) -> Result<(), Failure> {
    let here = read_config(&global.config)?;
    let asks = !global.yes && console.can_ask();
    let named = check_flags(arguments, here.as_ref(), asks, global.yes)?;
    let live = console.sign_in(Places::default(), arguments.aws.profile.clone()).await?;
    let config = match here.filter(|config| is_about(config, &named)) {
        Some(config) => config,
        None => config_of(&live, &named).await?,
    };
    let live = live.in_region(&config.aws.region);
    let wish = Wish {
        delete_images: arguments.delete_images,
        delete_repository: arguments.delete_repository,
        by_pull_request: arguments.pull_request,
    };
    let stage = console.stage("looking at AWS and GitHub");
    let Prospect { config, observed, mut plan } = look(&live, &config, wish).await?;
    drop(stage);
    if !is_about(&config, &named) {
        meant(&config, &named, arguments.plan || asks)?;
    }
    show(console, &config, &observed, &plan, arguments.plan)?;
    console.refuse(std::mem::take(&mut plan.refusals))?;
    if arguments.plan {
        return match arguments.check && !plan.is_empty() {
            false => Ok(()),
            true => Err(Failure::new("something is left to take back")
                .because(Cause::ChangesPending)
                .hinted("`sbi destroy` does it")),
        };
    }
    if plan.is_empty() {
        let nothing = Report { outcomes: Vec::new(), cancelled: false };
        console.line(Glyph::Done, "nothing of sbi's is left to take back");
        return end(console, &config, (&plan, &nothing), (&observed, &plan.waiting), &global.config);
    }
    if asks {
        confirm(console, &config.github.repository)?;
    }
    let report = carry_out(&live, &plan, console, "destroy").await?;
    let stage = console.stage("looking again");
    let Prospect { config, observed, plan: again } = look(&live, &config, wish).await?;
    drop(stage);
    if !again.is_empty() || !again.refusals.is_empty() {
        show(console, &config, &observed, &again, false)?;
        console.refuse(again.refusals)?;
        return Err(Failure::new("AWS and GitHub still show some of it")
            .hinted("run `sbi destroy --plan` in a minute; if it still lists something, something makes it anew"));
    }
    let left = if again.waiting.is_empty() { "" } else { " but the files, which the pull request takes away" };
    console.line(Glyph::Done, &format!("looked again: nothing of sbi's is left{left}"));
    end(console, &config, (&plan, &report), (&observed, &again.waiting), &global.config)
}

/// The repository that is meant. Everything that is missing or wrong on the command line is one error.
fn check_flags(
    arguments: &DestroyArgs,
    here: Option<&Config>,
    asks: bool,
    yes: bool,
) -> Result<GithubRepositoryName, Failure> {
    let named = match (&arguments.github, here) {
        (Some(name), _) => Some(GithubRepositoryName::new(name)?),
        (None, Some(config)) => Some(config.github.repository.clone()),
        (None, None) => None,
    };
    let mut missing = Vec::new();
    if named.is_none() {
        missing.push(format!("--github OWNER/NAME, because there is no `{CONFIG_FILE}` here"));
    }
    if !arguments.plan && !asks {
        let name = named.as_ref().map_or_else(|| "OWNER/NAME".to_owned(), ToString::to_string);
        if !yes {
            missing.push("--yes, because there is no terminal to ask on".to_owned());
        }
        if arguments.confirm.is_none() {
            missing.push(format!("--confirm {name}, the name typed out"));
        }
    }
    if !missing.is_empty() {
        let failure = Failure::usage(format!("missing: {}", missing.join("; ")));
        return Err(failure.hinted("`sbi destroy --plan` shows what would go, and needs no confirmation"));
    }
    let named = named.ok_or_else(|| Failure::usage("no GitHub repository was named"))?;
    match &arguments.confirm {
        Some(typed) if *typed != named.to_string() => {
            Err(Failure::usage(format!("`--confirm {typed}` is not the repository that would be taken apart, {named}"))
                .hinted("nothing was changed; `sbi destroy --plan` shows what would go"))
        }
        _ => Ok(named),
    }
}

fn is_about(config: &Config, named: &GithubRepositoryName) -> bool {
    config.github.repository.is(&named.to_string())
}

/// The `sbi.toml` that the repository itself holds; it may still have a former name of it.
async fn config_of(live: &Live, named: &GithubRepositoryName) -> Result<Config, Failure> {
    let config = live.config_of(named).await?.ok_or_else(|| {
        Failure::usage(format!("{named} holds no `{CONFIG_FILE}`, or this token does not see it"))
            .hinted("nothing tells what sbi made for it; name the file that does with `--config FILE`")
    })?;
    if is_about(&config, named) || live.is_one_repository(&config.github.repository, named).await? {
        return Ok(config);
    }
    Err(Failure::usage(format!(
        "the `{CONFIG_FILE}` of {named} is about another repository, {}",
        config.github.repository
    ))
    .hinted(format!("name that one: `--github {}`", config.github.repository)))
}

/// A repository that has another name than the one that was typed is taken apart only when its own name is typed.
fn meant(config: &Config, named: &GithubRepositoryName, only_shown_or_asked: bool) -> Result<(), Failure> {
    if only_shown_or_asked {
        return Ok(());
    }
    let today = &config.github.repository;
    Err(Failure::usage(format!("`--confirm {named}` is not the repository that would be taken apart, {today}"))
        .hinted(format!("{named} leads to it; when it is meant: `--github {today} --confirm {today}`")))
}

/// A plan and what it was made from.
struct Prospect {
    /// The one to go on with: it follows a repository that was renamed.
    config: Config,
    observed: Observed,
    plan: Plan,
}

/// Observes and plans; changes nothing.
async fn look(live: &Live, config: &Config, wish: Wish) -> Result<Prospect, Failure> {
    let (config, observed, holdings) = observe(live, config).await?;
    let mut plan = plan_destroy(&config, wish, &observed, &holdings);
    let rights = rights(&config, &plan);
    let (caller, viewer) = (&observed.aws.caller, &observed.github.viewer);
    preflight(live, &mut plan, caller, viewer, (&rights, "destroyer")).await?;
    Ok(Prospect { config, observed, plan })
}

/// Observes, and follows a repository that was renamed or moved to the names that its identities have.
async fn observe(live: &Live, config: &Config) -> Result<(Config, Observed, Holdings), Failure> {
    let (observed, holdings) = live.observe_whole(config).await?;
    let Some(next) = followed(config, &observed) else { return Ok((config.clone(), observed, holdings)) };
    if identities(&next) == identities(config) {
        return Ok((next, observed, holdings));
    }
    let (again, holdings) = live.observe_whole(&next).await?;
    let looked_at = identities(&next);
    let (config, observed) = settled(config, observed, next, again);
    if identities(&config) == looked_at {
        return Ok((config, observed, holdings));
    }
    let (_, holdings) = live.observe_whole(&config).await?;
    Ok((config, observed, holdings))
}

fn show(console: &Console, config: &Config, observed: &Observed, plan: &Plan, is_result: bool) -> Result<(), Failure> {
    let who = Who { aws: observed.aws.caller.arn.clone(), github: observed.github.viewer.login.clone() };
    console.show_steps(plan, config, &who, &[], is_result)
}

/// # Errors
/// `Cancelled` when another name was typed.
fn confirm(console: &Console, repository: &GithubRepositoryName) -> Result<(), Failure> {
    let typed = console.typed(&format!("To take all of this away, type {repository}:"))?;
    match typed == repository.to_string() {
        true => Ok(()),
        false => Err(Failure::new(format!("cancelled: `{typed}` is not {repository}; nothing was changed"))
            .because(Cause::Cancelled)),
    }
}

/// Tells what a person may still want to take away.
fn end(
    console: &Console,
    config: &Config,
    (plan, report): (&Plan, &Report),
    (observed, waiting): (&Observed, &[String]),
    config_file: &Path,
) -> Result<(), Failure> {
    let repository = &config.github.repository;
    let mut next = waiting.to_vec();
    if observed.github.repository.is_some() {
        next.push(format!("the GitHub repository stays, with its history and releases: `gh repo delete {repository}`"));
    }
    if let Some(provider) = &observed.aws.oidc_provider {
        next.push(format!(
            "the OIDC provider stays: `aws iam list-roles --query \"Roles[?contains(to_string(\
             AssumeRolePolicyDocument), '{OIDC_ISSUER}')].RoleName\"` lists the roles that trust it; when there is none: \
             `aws iam delete-open-id-connect-provider --open-id-connect-provider-arn {}`",
            provider.arn
        ));
    }
    let mark = match &observed.github.repository {
        Some(found) => format!("Key={OWNER_ID_TAG},Values={}", found.identity.repository_id),
        None => format!("Key={OWNER_TAG},Values={repository}"),
    };
    next.push(format!(
        "ECR repositories that sbi.toml no longer names: `aws resourcegroupstaggingapi get-resources --region {} \
         --tag-filters {mark}` lists what still carries sbi's mark",
        config.aws.region
    ));
    next.push(
        "an AWS Marketplace listing, and its own copies of the images: https://aws.amazon.com/marketplace/management"
            .to_owned(),
    );
    if config_file.exists() {
        next.push(format!("the answers here: `rm {}`", config_file.display()));
    }
    console.show_end(plan, report, &summary(Vec::new(), next))
}
