//! Asking the hub.

use std::sync::Arc;

use crate::client::{Answer, Ask, Client, Roots};
use crate::retry::{Tries, Trouble};
use crate::url::shown;
use crate::{
    CancelToken, Entry, Error, Filter, Listing, Observer, RemoteFile, RepoId, Result, Retry,
    Revision, Selection, Settings,
};

/// A hub: where it is, who asks, and how patiently.
#[derive(Clone, Debug)]
pub struct Hub {
    settings: Settings,
    roots: Arc<Roots>,
    retry: Retry,
    cancel: CancelToken,
}

/// No repository's description is near it; what is longer is something else.
const LONGEST_LISTING: u64 = 64 << 20;

impl Hub {
    /// A hub with these settings; no connection is made.
    ///
    /// # Errors
    ///
    /// When a file of certificates cannot be used.
    pub fn new(settings: Settings) -> Result<Self> {
        let roots = Arc::new(Roots::load(settings.ca_bundle.as_deref())?);
        Ok(Self { settings, roots, retry: Retry::default(), cancel: CancelToken::default() })
    }

    /// The hub that the environment names ([`Settings::from_env`]).
    ///
    /// # Errors
    ///
    /// As [`Settings::from_env`] and [`Hub::new`].
    pub fn from_env() -> Result<Self> {
        Self::new(Settings::from_env()?)
    }

    /// Tries as often and as long as this says.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Stops when this says so.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks which files a revision has.
    ///
    /// # Errors
    ///
    /// When the repository does not exist, is not open to this user, or is described in a way that is not
    /// understood; when the hub is not reached.
    pub fn list(
        &self,
        repo: &RepoId,
        revision: &Revision,
        observer: &dyn Observer,
    ) -> Result<Listing> {
        let url = self.settings.endpoint.listing(repo, revision);
        let client = self.client(1);
        let answer = self.ask(&client, &url, &Ask::default(), "", observer, |answer| {
            let url = shown(&answer.url);
            let body = answer.body.as_mut();
            let json = body.map_or(Ok(Vec::new()), |body| {
                body.with_config().limit(LONGEST_LISTING).read_to_vec()
            });
            json.map_err(|error| Trouble::passing(&url, error.to_string()))
        });
        let json = answer.map_err(|error| {
            self.about(
                error,
                repo,
                &format!("there is no repository {repo} with a revision {revision}"),
            )
        })?;
        Listing::from_json(&shown(&url), repo.clone(), revision.clone(), &json)
    }

    /// Chooses files, and asks for the sizes and digests that the listing lacks.
    ///
    /// # Errors
    ///
    /// When nothing is chosen, or a name cannot be written; as [`Hub::list`].
    pub fn select(
        &self,
        listing: &Listing,
        filter: &Filter,
        observer: &dyn Observer,
    ) -> Result<Selection> {
        let (taken, left_out) = listing.part(filter)?;
        let client = self.client(1);
        let files = taken.into_iter().map(|entry| self.complete(&client, listing, entry, observer));
        Ok(Selection {
            repo: listing.repo.clone(),
            revision: listing.revision.clone(),
            commit: listing.commit.clone(),
            files: files.collect::<Result<_>>()?,
            left_out,
        })
    }

    fn complete(
        &self,
        client: &Client,
        listing: &Listing,
        entry: Entry,
        observer: &dyn Observer,
    ) -> Result<RemoteFile> {
        let Entry { name, size, digest } = entry;
        if let (Some(size), Some(_)) = (size, digest) {
            return Ok(RemoteFile { name, size, digest });
        }
        let url = self.settings.endpoint.file(&listing.repo, &listing.commit, &name);
        let ask = Ask { head: true, ..Ask::default() };
        let told = self.ask(client, &url, &ask, &name, observer, |answer| {
            let size = answer.linked_size.or_else(|| answer.number("content-length"));
            Ok((size, answer.linked.or(answer.tagged)))
        });
        let (told_size, told_digest) = told.map_err(|error| {
            self.about(error, &listing.repo, &format!("{} has no file {name}", listing.repo))
        })?;
        let reason =
            || format!("{name}: the size is told neither by the listing nor by X-Linked-Size");
        let missing = || Error::Metadata { url: shown(&url), reason: reason() };
        let size = size.or(told_size).ok_or_else(missing)?;
        Ok(RemoteFile { name, size, digest: digest.or(told_digest) })
    }

    /// Asks until there is an answer that `read` can read.
    fn ask<T>(
        &self,
        client: &Client,
        url: &str,
        ask: &Ask,
        file: &str,
        observer: &dyn Observer,
        mut read: impl FnMut(&mut Answer) -> Result<T, Trouble>,
    ) -> Result<T> {
        let stopped = || self.cancel.check();
        let mut tries = Tries::new(&self.retry, observer, &stopped, file);
        loop {
            stopped()?;
            match client.ask(url, ask).and_then(|mut answer| read(&mut answer)) {
                Ok(read) => return Ok(read),
                Err(trouble) => tries.again(trouble, None)?,
            }
        }
    }

    /// Says in an error what was looked for, and where a licence is.
    pub(crate) fn about(&self, error: Error, repo: &RepoId, missing: &str) -> Error {
        match error {
            Error::Denied { url, status, message, token, .. } => {
                let page = self.settings.endpoint.page(repo);
                Error::Denied { url, status, message, token, page }
            }
            Error::NotFound { url, status, message, .. } => {
                Error::NotFound { url, status, message, what: missing.to_owned() }
            }
            other => other,
        }
    }

    /// New connections, which end with the token.
    pub(crate) fn client(&self, connections: usize) -> Arc<Client> {
        let client = Arc::new(Client::new(&self.settings, &self.roots, connections));
        self.cancel.closes(&client);
        client
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.retry
    }

    pub(crate) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }
}
