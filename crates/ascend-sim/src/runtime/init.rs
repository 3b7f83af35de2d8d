//! `aclInit` and its end.
use super::failure::Failure;
pub(crate) fn is_initialised() -> bool { true }
pub(crate) fn prepare_operators() -> Result<(), Failure> { Ok(()) }
pub(crate) fn end_operators() {}
