use std::fmt;

use super::file::File;

/// A prompt of T tokens, and what the model does with it.
///
/// Letters in shapes: n positions, L layers, H hidden, E experts, k experts a token, V vocabulary.
#[derive(Clone)]
pub struct Prompt {
    /// `p0`, `p1` and so on.
    pub name: String,
    /// The token ids, `[T]`.
    pub tokens: Vec<u32>,
    /// The n positions, ascending, that the tables below are about; mostly all T.
    pub positions: Vec<usize>,
    /// `[n, V]`.
    pub logits: Vec<f32>,
    /// `[L + 1, n, H]`: the embedding, then the output of each layer, the last before the final norm.
    pub hidden: Vec<f32>,
    /// `[L, n, H]`: the residual stream after attention.
    pub mid: Vec<f32>,
    /// `[L, n, E]`.
    pub router_logits: Vec<f32>,
    /// `[L, n, k]`: the chosen experts, best first.
    pub topk_idx: Vec<u32>,
    /// `[L, n, k]`: their weights.
    pub topk_weight: Vec<f32>,
    /// The greedy continuation; nothing stops it.
    pub generated: Vec<u32>,
    /// The logit of each generated token.
    pub gen_top1_logit: Vec<f32>,
    /// `[V]`: the logits that chose the last generated token.
    pub gen_last_logits: Vec<f32>,
}

impl Prompt {
    pub(super) fn read(file: &File, name: &str) -> Self {
        let key = |field: &str| format!("{name}.{field}");
        let tokens = file.u32s(&key("tokens"));
        let positions: Vec<usize> = if file.holds(&key("positions")) {
            file.u32s(&key("positions")).into_iter().map(|p| p as usize).collect()
        } else {
            (0..tokens.len()).collect()
        };
        assert!(positions.is_sorted_by(|a, b| a < b), "{}: {}", file.place, key("positions"));
        assert!(positions.last() < Some(&tokens.len()), "{}: {}", file.place, key("positions"));
        let n = positions.len();
        // [L, n, E] and [L, n, k] give the sizes that the others must have.
        let &[layers, _, experts] = file.shape(&key("router_logits")) else {
            panic!("{}: {}: three dimensions", file.place, key("router_logits"))
        };
        let vocab = file.shape(&key("gen_last_logits"))[0];
        let hidden = *file.shape(&key("hidden")).last().expect("a dimension");
        let top_k = *file.shape(&key("topk_idx")).last().expect("a dimension");
        let floats = |field: &str, shape: &[usize]| {
            assert_eq!(file.shape(&key(field)), shape, "{}: {}: shape", file.place, key(field));
            file.f32s(&key(field))
        };
        let generated = file.u32s(&key("generated"));
        let topk_idx = file.u32s(&key("topk_idx"));
        assert_eq!(topk_idx.len(), layers * n * top_k, "{}: {}", file.place, key("topk_idx"));
        let prompt = Self {
            logits: floats("logits", &[n, vocab]),
            hidden: floats("hidden", &[layers + 1, n, hidden]),
            mid: floats("mid", &[layers, n, hidden]),
            router_logits: floats("router_logits", &[layers, n, experts]),
            topk_weight: floats("topk_weight", &[layers, n, top_k]),
            gen_top1_logit: floats("gen_top1_logit", &[generated.len()]),
            gen_last_logits: floats("gen_last_logits", &[vocab]),
            topk_idx,
            name: name.to_owned(),
            tokens,
            positions,
            generated,
        };
        let ids = prompt.tokens.iter().chain(&prompt.generated);
        assert!(ids.max() < Some(&(vocab as u32)), "{}: {name}: a token id", file.place);
        prompt
    }

    /// The rows of a table `[.., T, width]` over all positions of the prompt that [`positions`](Self::positions)
    /// names: what can be compared with the tables here.
    ///
    /// # Panics
    ///
    /// When `all` does not consist of such tables.
    #[must_use]
    #[track_caller]
    pub fn kept<T: Copy>(&self, all: &[T], width: usize) -> Vec<T> {
        let table = self.tokens.len() * width;
        assert_eq!(all.len() % table, 0, "{}: values in tables of {table}", self.name);
        let rows = |table| self.positions.iter().map(move |p| p * width + table);
        let starts = (0..all.len()).step_by(table).flat_map(rows);
        starts.flat_map(|start| &all[start..start + width]).copied().collect()
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt")
            .field("name", &self.name)
            .field("tokens", &self.tokens.len())
            .field("positions", &self.positions.len())
            .finish_non_exhaustive()
    }
}
