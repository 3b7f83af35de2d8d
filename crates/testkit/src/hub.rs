//! A model hub on this machine, as far as downloads go: listing, files, redirects of large ones to another server,
//! ranges. A test looks at every request, and changes every reply as it likes.
//!
//! ```
//! use std::io::{Read, Write};
//! use testkit::hub::Hub;
//!
//! let hub = Hub::new("me/mine").small("config.json", "{}").start(|request, reply| {
//!     if request.nth == 0 {
//!         reply.status = 503;
//!     }
//! });
//! let mut status = || {
//!     let mut connection = std::net::TcpStream::connect(hub.address()).unwrap();
//!     connection.write_all(b"GET /me/mine/resolve/main/config.json HTTP/1.0\r\n\r\n").unwrap();
//!     // The server keeps the connection open: read no further than the status.
//!     let mut reply = [0; 12];
//!     connection.read_exact(&mut reply).unwrap();
//!     String::from_utf8_lossy(&reply[9..]).into_owned()
//! };
//! assert_eq!([status(), status()], ["503", "200"]);
//! assert_eq!(hub.requests().len(), 2);
//! ```

mod exchange;
mod serve;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub use exchange::{Reply, Request};

/// The commit that every revision is.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the files of a repository are, before it is served.
#[derive(Clone, Debug)]
pub struct Hub {
    repo: String,
    files: BTreeMap<String, File>,
    elsewhere: Option<String>,
}

/// A file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Arc<Vec<u8>>,
    /// SHA-256 of a large file, the git blob's SHA-1 of a small one, in hexadecimal digits.
    pub(crate) digest: String,
    pub(crate) large: bool,
}

/// A connection, encrypted or not.
pub trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// What makes a connection of a socket.
pub type Wrap = dyn Fn(TcpStream) -> Box<dyn Connection> + Send + Sync;

/// A hub that runs until it is dropped.
pub struct Running {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type Script = dyn Fn(&Request, &mut Reply) + Send + Sync;

pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) script: Box<Script>,
    pub(crate) requests: Mutex<Vec<Request>>,
    pub(crate) stopped: AtomicBool,
}

impl Hub {
    /// A repository without files.
    #[must_use]
    pub fn new(repo: &str) -> Self {
        Self { repo: repo.to_owned(), files: BTreeMap::new(), elsewhere: None }
    }

    /// Adds a file that git holds itself.
    #[must_use]
    pub fn small(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
        let digest = hex(&digest.chain_update(&bytes).finalize());
        self.files.insert(name.to_owned(), File { bytes: Arc::new(bytes), digest, large: false });
        self
    }

    /// Adds a file of the large file storage.
    #[must_use]
    pub fn large(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = hex(&Sha256::digest(&bytes));
        self.files.insert(name.to_owned(), File { bytes: Arc::new(bytes), digest, large: true });
        self
    }

    /// Redirects large files to `url`, where another hub with the same files is.
    #[must_use]
    pub fn elsewhere(mut self, url: &str) -> Self {
        self.elsewhere = Some(url.to_owned());
        self
    }

    /// Serves it; `script` sees every request, and may change the reply.
    pub fn start(self, script: impl Fn(&Request, &mut Reply) + Send + Sync + 'static) -> Running {
        self.start_wrapped(script, |socket| Box::new(socket))
    }

    /// The same over other connections than plain ones.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn start_wrapped(
        self,
        script: impl Fn(&Request, &mut Reply) + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Connection> + Send + Sync + 'static,
    ) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            hub: self,
            script: Box::new(script),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let (serving, wrap) = (Arc::clone(&shared), Arc::new(wrap));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if serving.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (serving, wrap) = (Arc::clone(&serving), Arc::clone(&wrap));
                // A test that ends closes its connections, which ends this thread.
                thread::spawn(move || serve::serve(&serving, wrap(socket)));
            }
        });
        Running { address, shared }
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `HF_ENDPOINT` is to be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far, in the order in which they came.
    ///
    /// # Panics
    ///
    /// When a script panicked.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no panic in a script").clone()
    }

    /// The requests for a file, by method and end of the path.
    #[must_use]
    pub fn requests_of(&self, method: &str, end: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.method == method && request.path.ends_with(end));
        requests
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; if nothing listens any more, there is nobody to wake.
        drop(TcpStream::connect(self.address));
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).expect("four bits");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
