//! Looking on while a model computes.

/// A token's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct At {
    /// Which of the sequences of the call.
    pub sequence: usize,
    /// Its position in the sequence.
    pub position: usize,
}

/// Is told what a model computes; every method does nothing unless it is implemented.
///
/// ```
/// use moe_engine::{At, Observer};
///
/// /// Counts how often an expert is chosen.
/// #[derive(Default)]
/// struct Load(Vec<u64>);
///
/// impl Observer for Load {
///     fn wants_routing(&self) -> bool {
///         true
///     }
///
///     fn routing(&mut self, _layer: usize, _at: At, _logits: &[f32], experts: &[u32], _weights: &[f32]) {
///         for &expert in experts {
///             self.0.resize(self.0.len().max(expert as usize + 1), 0);
///             self.0[expert as usize] += 1;
///         }
///     }
/// }
/// ```
pub trait Observer {
    /// The logits of a token, `[vocab]`, in the order of the positions; see [`Wanted`](super::Wanted).
    fn logits(&mut self, _at: At, _logits: &[f32]) {}

    /// The greatest logits of a token, as [`Wanted::Best`](super::Wanted::Best) asks for: ids and values, greatest first, equal ones by
    /// id. Which of equal ones is the last of them, an accelerator may decide otherwise.
    fn best(&mut self, _at: At, _best: &[(u32, f32)]) {}

    /// Whether [`hidden`](Self::hidden) is called.
    fn wants_hidden(&self) -> bool {
        false
    }

    /// The residual stream, `[hidden]`: `layer` 0 is the embedding, `layer` i what the first i layers make of it.
    fn hidden(&mut self, _layer: usize, _at: At, _hidden: &[f32]) {}

    /// Whether [`routing`](Self::routing) is called.
    fn wants_routing(&self) -> bool {
        false
    }

    /// The router's logits `[experts]`, the experts that were chosen, and their weights.
    fn routing(
        &mut self,
        _layer: usize,
        _at: At,
        _logits: &[f32],
        _experts: &[u32],
        _weights: &[f32],
    ) {
    }

    /// How many tokens are through all layers, of how many.
    fn progress(&mut self, _done: usize, _total: usize) {}

    /// Asked before every layer, or before a whole batch where an accelerator runs one that it has recorded; true ends the call with [`Error::Cancelled`](crate::Error::Cancelled).
    fn cancelled(&self) -> bool {
        false
    }
}

/// Looks away.
impl Observer for () {}
