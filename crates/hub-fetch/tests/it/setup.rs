//! A repository, a client with short waits, and an observer that remembers.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use hub_fetch::{
    CancelToken, Download, Error, Event, Filter, Hub, Observer, Options, Report, Result, Retry,
    Revision, Selection, Settings,
};
use tempfile::TempDir;
use testkit::hub::{self, Running};

pub(crate) const REPO: &str = "me/mine";
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// Bytes that differ everywhere, so that none can stand at another's place.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) const SIZE: usize = 1_000_003;

/// A small file, and a large one of some pieces.
pub(crate) fn repository() -> hub::Hub {
    hub::Hub::new(REPO).small("config.json", "{\"a\": 1}").large(WEIGHTS, noise(SIZE))
}

/// No wait is worth a test's time, and no test depends on one.
pub(crate) fn retry() -> Retry {
    Retry::default().tries(4).waits(Duration::from_millis(1), Duration::from_millis(2))
}

/// Pieces much smaller than the large file.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.jobs = NonZero::new(3).unwrap();
    options.piece = 100_000;
    options
}

pub(crate) fn settings(server: &Running) -> Settings {
    Settings::new(server.url().parse().unwrap())
}

/// A client of a server, and a folder to download into.
pub(crate) struct Case {
    pub(crate) hub: Hub,
    pub(crate) options: Options,
    pub(crate) observer: Seen,
    folder: TempDir,
}

impl Case {
    pub(crate) fn of(server: &Running) -> Self {
        Self::with(settings(server))
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let hub = Hub::new(settings).unwrap().with_retry(retry());
        let folder = tempfile::tempdir().unwrap();
        Self { hub, options: options(), observer: Seen::default(), folder }
    }

    /// Another client, of the same folder.
    pub(crate) fn moved_to(self, server: &Running) -> Self {
        let hub = Hub::new(settings(server)).unwrap().with_retry(retry());
        Self { hub, observer: Seen::default(), ..self }
    }

    pub(crate) fn cancelled_by(mut self, cancel: &CancelToken) -> Self {
        self.hub = self.hub.with_cancel(cancel.clone());
        self
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.out().join(name)
    }

    pub(crate) fn select(&self, filter: &Filter) -> Result<Selection> {
        let listing = self.hub.list(&REPO.parse()?, &Revision::default(), &self.observer)?;
        self.hub.select(&listing, filter, &self.observer)
    }

    pub(crate) fn run(&self) -> Result<Report> {
        let selection = self.select(&Filter::all())?;
        Download::new(&self.hub, &selection, self.out(), self.options.clone()).run(&self.observer)
    }

    /// Downloads, which must work and give all of `repository()`.
    #[track_caller]
    pub(crate) fn works(&self) -> Report {
        let report = self.run().unwrap();
        self.assert_whole();
        report
    }

    /// Downloads, which must fail; nothing has a name that is not whole.
    #[track_caller]
    pub(crate) fn fails(&self) -> Error {
        let error = self.run().unwrap_err();
        assert!(!self.at(WEIGHTS).exists(), "{error}");
        error
    }

    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        testkit::assert_bytes("weights", &fs::read(self.at(WEIGHTS)).unwrap(), &noise(SIZE));
        assert_eq!(fs::read(self.at("config.json")).unwrap(), b"{\"a\": 1}");
        assert_eq!(entries(&self.out()), [".hub-fetch", "config.json", WEIGHTS]);
    }
}

/// The names in a folder.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// What was said.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn on(&self, event: &Event<'_>) {
        let line = match event {
            Event::Lost { file, bytes, reason } => format!("lost {bytes} of {file}: {reason}"),
            Event::Retry { url, file, reason, .. } => format!("retry {url} ({file}): {reason}"),
            Event::File { name } => format!("file {name}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Seen {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines have this in them.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(part)).count()
    }
}
