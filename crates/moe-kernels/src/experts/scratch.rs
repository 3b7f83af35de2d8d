//! Buffers that outlive a call.

use super::groups::Groups;

/// Buffers of [`Experts::forward`](super::Experts::forward), kept from one call to the next.
///
/// They grow to `T · k · (2·I + H)` elements of the largest call and are freed with the value.
#[derive(Debug, Default)]
pub struct ExpertsScratch {
    pub(super) groups: Groups,
    /// Activations, panel by panel.
    pub(super) panels: Vec<f32>,
    /// Activations, row by row.
    pub(super) activations: Vec<f32>,
    /// Results of the experts, panel by panel.
    pub(super) results: Vec<f32>,
}

/// The first `len` elements, whatever they hold.
pub(super) fn prefix(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}
