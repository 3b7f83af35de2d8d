#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod cancel;
mod check;
mod client;
mod digest;
mod download;
mod endpoint;
mod error;
mod filter;
mod folder;
mod hub;
mod listing;
mod name;
mod observer;
mod partial;
mod plan;
mod proxy;
mod ranges;
mod repo;
mod report;
mod retry;
mod settings;
mod space;
mod token;
mod url;

pub use cancel::CancelToken;
pub use check::{Check, Finding, check};
pub use digest::Digest;
pub use download::{Download, Options};
pub use endpoint::Endpoint;
pub use error::{Error, Result, TokenUse};
pub use filter::{Filter, Pattern};
pub use folder::RECORD;
pub use hub::Hub;
pub use listing::{Entry, Listing, RemoteFile, Selection};
pub use observer::{Event, Observer, Phase};
pub use plan::{FileState, Plan, PlannedFile};
pub use proxy::Proxies;
pub use repo::{RepoId, Revision};
pub use report::{FileReport, Outcome, Report};
pub use retry::Retry;
pub use settings::Settings;
pub use token::Token;
