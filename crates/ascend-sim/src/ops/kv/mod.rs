//! Writing rows to places that indices name: key and value caches, and the scatters that serve as such.

// Parameters, and their order, are those of the C prototypes.
#![allow(clippy::too_many_arguments)]

mod index_copy;
mod paged;
mod scatter_nd;
mod scatter_update;

pub(crate) use index_copy::inplace_index_copy;
pub(crate) use paged::{scatter_pa_cache, scatter_pa_kv_cache};
pub(crate) use scatter_nd::scatter_nd_update;
pub(crate) use scatter_update::inplace_scatter_update;

use crate::kernel::Fault;

/// An index that a kernel found in memory, and that points nowhere.
fn outside(operator: &str, name: &str, index: i64, count: i64) -> Fault {
    Fault::vector(format!("{operator}: {name} has {index}, expected 0 to {}", count - 1))
}

#[cfg(test)]
mod tests;
