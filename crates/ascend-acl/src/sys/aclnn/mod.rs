//! Operators, in pairs of phases.

mod attention;
mod elementwise;
mod indexing;
mod matmul;
mod moe;
mod sizes;

use std::ffi::c_void;

pub use attention::*;
pub use elementwise::*;
pub use indexing::*;
pub use matmul::*;
pub use moe::*;
pub use sizes::*;

use super::signature::Signature;
use super::{aclOpExecutor, aclnnStatus, aclrtStream};
use crate::library::Handles;

/// The second phase, which is the same for all operators.
pub type aclnnExecute = unsafe extern "C" fn(
    workspace: *mut c_void,
    workspaceSize: u64,
    executor: *mut aclOpExecutor,
    stream: aclrtStream,
) -> aclnnStatus;

/// The parameters of [`aclnnExecute`].
pub(super) const EXECUTE_PARAMS: &[(&str, &str)] = &[
    ("workspace", "*mut c_void"),
    ("workspaceSize", "u64"),
    ("executor", "*mut aclOpExecutor"),
    ("stream", "aclrtStream"),
];

/// All operators, by subject.
#[derive(Debug)]
pub struct Aclnn {
    /// Norms, activations, arithmetic.
    pub elementwise: Elementwise,
    /// Dense products.
    pub matmul: Matmul,
    /// Experts.
    pub moe: Moe,
    /// Rotary positions, caches, attention.
    pub attention: Attention,
    /// Indices, copies, shapes, sampling.
    pub indexing: Indexing,
    /// Sizes of converted weights.
    pub sizes: Sizes,
    handles: Handles,
}

impl Aclnn {
    pub(crate) fn new(handles: Handles) -> Self {
        Self {
            elementwise: Elementwise::new(handles),
            matmul: Matmul::new(handles),
            moe: Moe::new(handles),
            attention: Attention::new(handles),
            indexing: Indexing::new(handles),
            sizes: Sizes::new(handles),
            handles,
        }
    }

    /// The prototypes of both phases of every operator.
    pub fn signatures() -> impl Iterator<Item = &'static [Signature; 2]> {
        [
            Elementwise::SIGNATURES,
            Matmul::SIGNATURES,
            Moe::SIGNATURES,
            Attention::SIGNATURES,
            Indexing::SIGNATURES,
        ]
        .into_iter()
        .flatten()
    }

    /// Whether one of the loaded libraries has both phases of the operator of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let phases = Self::signatures().find(|[_, execute]| execute.name == name);
        phases.is_some_and(|phases| {
            self.handles.iter().any(|handle| phases.iter().all(|phase| handle.has(phase.name)))
        })
    }
}
