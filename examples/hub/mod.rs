//! A model of the Hugging Face hub, brought into a folder as `download` does.

use std::error::Error;
use std::path::Path;

use hub_fetch::{
    CancelToken, Download, Filter, Hub, Options, RepoId, Retry, Revision, Settings, check,
};

use crate::terminal::{Outcome, Progress, bytes, say};

/// Downloads what an engine needs of a repository's main branch into a folder, going on where an earlier download ended. What is
/// there is kept if it is right, and nothing that did not come from the hub is replaced. The environment is that of `download`;
/// with `HF_HUB_OFFLINE` the folder has to be complete already.
pub(crate) fn fetch(repo: &RepoId, folder: &Path) -> Outcome {
    let progress = Progress::new(false);
    let settings = Settings::from_env()?;
    if settings.offline {
        return complete(repo, folder, &progress);
    }
    // Whether there is a network shows soon; what comes then is worth more patience.
    let hasty = Hub::new(settings.clone())?.with_retry(Retry::default().tries(3));
    let listing = hasty.list(repo, &Revision::default(), &progress)?;
    let selection = hasty.select(&listing, &Filter::engine(), &progress)?;
    let hub = Hub::new(settings)?;
    let download = Download::new(&hub, &selection, folder, Options::default());
    let plan = download.plan()?;
    say!(
        "   {} at {} from {}: {} files, {}, of which {} are to come",
        repo,
        &selection.commit[..12],
        hub.settings().endpoint,
        plan.files.len(),
        bytes(plan.bytes),
        bytes(plan.missing),
    )?;
    let report = download.run(&progress)?;
    say!("   {} received, in {}", bytes(report.received), folder.display())?;
    Ok(())
}

/// Whether an earlier download is all there, by its record and without the network.
fn complete(repo: &RepoId, folder: &Path, progress: &Progress) -> Outcome {
    let found = check(folder, false, &CancelToken::default(), progress)
        .map_err(|error| format!("HF_HUB_OFFLINE is set, and {error}"))?;
    if found.repo != *repo {
        return Err(Box::<dyn Error>::from(format!(
            "HF_HUB_OFFLINE is set, and {} has {}, expected {repo}",
            folder.display(),
            found.repo,
        )));
    }
    if let Some(finding) = found.findings.first() {
        return Err(format!("HF_HUB_OFFLINE is set, and {}: {finding}", folder.display()).into());
    }
    say!("   {repo} at {} is in {}", &found.commit[..12], folder.display())?;
    Ok(())
}
