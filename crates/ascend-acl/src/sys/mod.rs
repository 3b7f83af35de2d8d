//! The C interface: types, values, structures, and tables of functions found when they are first
//! asked for.
//!
//! Names are those of C. A method of a table gives a function pointer, or [`MissingSymbol`](crate::MissingSymbol)
//! where the loaded libraries are older than it:
//!
//! ```
//! use ascend_acl::{Ascend, Error};
//!
//! fn devices(ascend: &Ascend) -> Result<u32, Error> {
//!     let aclrtGetDeviceCount = ascend.acl().aclrtGetDeviceCount()?;
//!     let mut count = 0;
//!     // SAFETY: `count` can be written to, and the function keeps no pointer to it.
//!     let code = unsafe { aclrtGetDeviceCount(&raw mut count) };
//!     ascend.check("aclrtGetDeviceCount", code)?;
//!     Ok(count)
//! }
//! ```
//!
//! An operator comes as a pair, [`Operator`], both phases from one library. Prototypes as text are
//! in the tables'
//! `SIGNATURES`, and all together in [`signatures`].

// The names of C are what a reader looks for in the vendor's documentation.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

mod acl;
mod aclnn;
mod dcmi;
mod enums;
mod flags;
mod hccl;
mod nnopbase;
mod signature;
mod structs;
mod table;
mod types;

pub use acl::*;
pub use aclnn::*;
pub use dcmi::*;
pub use enums::*;
pub use flags::*;
pub use hccl::*;
pub use nnopbase::*;
pub use signature::{Library, Signature, c_type};
pub use structs::*;
pub use table::Operator;
pub use types::*;

/// The prototypes of all functions: runtime, arguments, operators, collectives, telemetry.
pub fn signatures() -> impl Iterator<Item = &'static Signature> {
    Acl::SIGNATURES
        .iter()
        .chain(Base::SIGNATURES)
        .chain(Aclnn::signatures().flatten())
        .chain(Sizes::SIGNATURES)
        .chain(Hccl::SIGNATURES)
        .chain(Dcmi::SIGNATURES)
}
