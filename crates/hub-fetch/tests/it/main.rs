//! Downloads from servers on this machine, kind ones and others.

mod cancel;
mod folder;
mod kind;
mod lies;
mod names;
mod proxy;
mod redirects;
mod setup;
mod tls;
mod weather;
