//! Conversions that are stopped, fail or find something odd: nothing is lost, nothing half-written
//! has its final name, and a resumed run ends with the bytes of an undisturbed one.

mod claims;
mod commit;
mod job;
mod journal;
mod resume;
mod source;
mod trailer;
mod trouble;
