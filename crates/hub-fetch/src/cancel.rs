//! Stopping from another thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::client::Client;
use crate::{Error, Result};

/// Stops a download from another thread; what came until then can be resumed.
///
/// ```
/// let token = hub_fetch::CancelToken::default();
/// token.clone().cancel();
/// assert!(token.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<State>);

#[derive(Debug, Default)]
struct State {
    cancelled: AtomicBool,
    /// Whose connections are closed, so that nobody waits for a server that says nothing.
    clients: Mutex<Vec<Weak<Client>>>,
}

impl CancelToken {
    /// Asks everything that has this token to stop, and closes its connections.
    pub fn cancel(&self) {
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.cancelled.store(true, Ordering::Relaxed);
        clients.drain(..).filter_map(|client| client.upgrade()).for_each(|client| client.close());
    }

    /// True once [`CancelToken::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Closes the connections of `client` when it is cancelled.
    pub(crate) fn closes(&self, client: &Arc<Client>) {
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(client));
        if self.is_cancelled() {
            client.close();
        }
    }
}
