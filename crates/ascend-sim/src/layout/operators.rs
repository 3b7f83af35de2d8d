//! The operators, from their own table.

use super::since::Since;
use super::symbols::{Home, Symbol};

/// Both phases of every operator.
pub(super) fn all() -> Vec<Symbol> {
    Vec::new()
}
