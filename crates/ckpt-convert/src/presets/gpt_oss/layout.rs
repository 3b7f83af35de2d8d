use lowfloat::DType;

use super::Shape;

/// How the weights of the experts are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpertFormat {
    /// As released: `*_blocks` `[E, out, in/32, 16]` and `*_scales` `[E, out, in/32]`, both U8.
    Mxfp4,
    /// As transformers saves them dequantised: bf16 `gate_up_proj` `[E, H, 2I]` and `down_proj`
    /// `[E, I, H]`, transposed with respect to the blocks.
    Bf16,
}

/// One tensor of a checkpoint, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorDesc {
    /// The name in the file.
    pub name: String,
    /// The element type in the file.
    pub dtype: DType,
    /// The shape in the file, outermost dimension first.
    pub shape: Vec<usize>,
}

impl TensorDesc {
    /// Elements; `u64::MAX` where they overflow.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1, |product: u64, &dim| product.saturating_mul(dim as u64))
    }

    /// Bytes of the elements; `u64::MAX` where they overflow.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.dtype.bytes_for(self.elements()).unwrap_or(u64::MAX)
    }
}

/// Every tensor, in the order in which the released 20b was saved.
///
/// That order is the alphabetical one of the names in `original/`: layers as strings (0, 1, 10, 11,
/// …, 2, 20, …), then embedding, final norm and head.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, tensors};
///
/// let all = tensors(&Shape::tiny(), ExpertFormat::Mxfp4);
/// assert_eq!(all[0].name, "model.layers.0.input_layernorm.weight");
/// assert_eq!(all[all.len() - 1].name, "lm_head.weight");
/// ```
#[must_use]
pub fn tensors(shape: &Shape, experts: ExpertFormat) -> Vec<TensorDesc> {
    let mut layers: Vec<String> =
        (0..shape.listed_layers()).map(|layer| layer.to_string()).collect();
    layers.sort_unstable();
    let mut all = Vec::with_capacity(19 * layers.len() + 3);
    for layer in layers {
        push_layer(&mut all, &format!("model.layers.{layer}."), shape, experts);
    }
    for (name, dims) in [
        ("model.embed_tokens.weight", vec![shape.vocab, shape.hidden]),
        ("model.norm.weight", vec![shape.hidden]),
        ("lm_head.weight", vec![shape.vocab, shape.hidden]),
    ] {
        all.push(TensorDesc { name: name.to_owned(), dtype: DType::BF16, shape: dims });
    }
    all
}

fn push_layer(all: &mut Vec<TensorDesc>, prefix: &str, s: &Shape, experts: ExpertFormat) {
    let mut push = |name: &str, dtype: DType, shape: Vec<usize>| {
        all.push(TensorDesc { name: format!("{prefix}{name}"), dtype, shape });
    };
    let q = s.heads.saturating_mul(s.head_dim);
    let kv = s.kv_heads.saturating_mul(s.head_dim);
    let bf16 = DType::BF16;
    push("input_layernorm.weight", bf16, vec![s.hidden]);
    push("self_attn.o_proj.bias", bf16, vec![s.hidden]);
    push("self_attn.o_proj.weight", bf16, vec![s.hidden, q]);
    for (name, rows) in [("q", q), ("k", kv), ("v", kv)] {
        push(&format!("self_attn.{name}_proj.bias"), bf16, vec![rows]);
    }
    for (name, rows) in [("q", q), ("k", kv), ("v", kv)] {
        push(&format!("self_attn.{name}_proj.weight"), bf16, vec![rows, s.hidden]);
    }
    push("self_attn.sinks", bf16, vec![s.heads]);
    push("mlp.router.bias", bf16, vec![s.experts]);
    push("mlp.router.weight", bf16, vec![s.experts, s.hidden]);
    for (name, inputs, outputs) in [
        ("gate_up_proj", s.hidden, s.intermediate.saturating_mul(2)),
        ("down_proj", s.intermediate, s.hidden),
    ] {
        let name = format!("mlp.experts.{name}");
        push(&format!("{name}_bias"), bf16, vec![s.experts, outputs]);
        match experts {
            ExpertFormat::Mxfp4 => {
                let groups = inputs.div_ceil(32);
                let blocks = vec![s.experts, outputs, groups, 16];
                push(&format!("{name}_blocks"), DType::U8, blocks);
                push(&format!("{name}_scales"), DType::U8, vec![s.experts, outputs, groups]);
            }
            ExpertFormat::Bf16 => push(&name, bf16, vec![s.experts, inputs, outputs]),
        }
    }
    push("post_attention_layernorm.weight", bf16, vec![s.hidden]);
}

/// Which tensors (as indices into [`tensors`]) stand in which file.
///
/// Tensors are taken in order, and a file is closed before the tensor that would carry it over the
/// limit: 4.8 GB, which gives exactly the three files of the released 20b with their cuts inside
/// layers 18 and 6. Smaller models are cut at 0.396 of their size instead, which spreads the tiny
/// one too over three files, with cuts inside layers and between blocks and their scales. For the
/// 120b the rule gives fifteen files, as many as the release has, but there they hold other
/// tensors: that release was saved in another order.
#[must_use]
pub fn shards(shape: &Shape, experts: ExpertFormat) -> Vec<Vec<usize>> {
    let all = tensors(shape, experts);
    let total = all.iter().fold(0_u64, |sum, tensor| sum.saturating_add(tensor.bytes()));
    let limit = RELEASED_SHARD_BYTES.min((total / 1000).saturating_mul(396));
    let mut files = Vec::new();
    let mut open = Vec::new();
    let mut held = 0_u64;
    for (index, tensor) in all.iter().enumerate() {
        if !open.is_empty() && held.saturating_add(tensor.bytes()) > limit {
            files.push(std::mem::take(&mut open));
            held = 0;
        }
        open.push(index);
        held = held.saturating_add(tensor.bytes());
    }
    files.push(open);
    files
}

/// The released shards hold at most 4,798,679,872 bytes of tensors, and the first would have grown
/// to 4,815,843,200 with one tensor more.
const RELEASED_SHARD_BYTES: u64 = 4_800_000_000;

/// The name of shard `index` of `count`, as the release counts: from zero to `count - 1`, and the
/// last number, not the count, after `of`.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::shard_file_name;
///
/// assert_eq!(shard_file_name(0, 3), "model-00000-of-00002.safetensors");
/// ```
#[must_use]
pub fn shard_file_name(index: usize, count: usize) -> String {
    format!("model-{index:05}-of-{:05}.safetensors", count.saturating_sub(1))
}

/// The names of the files of [`shards`], and how many tensors each holds; one file alone is
/// `model.safetensors`.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{ExpertFormat, Shape, shard_files};
///
/// let files = shard_files(&Shape::b20(), ExpertFormat::Mxfp4);
/// assert_eq!(files[0], ("model-00000-of-00002.safetensors".to_owned(), 196));
/// ```
#[must_use]
pub fn shard_files(shape: &Shape, experts: ExpertFormat) -> Vec<(String, usize)> {
    let parts = shards(shape, experts);
    let name = |part| match parts.len() {
        1 => "model.safetensors".to_owned(),
        count => shard_file_name(part, count),
    };
    parts.iter().enumerate().map(|(part, tensors)| (name(part), tensors.len())).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use sha2::{Digest as _, Sha256};

    use super::super::config_json;
    use super::*;

    fn file_bytes(shape: &Shape, experts: ExpertFormat) -> Vec<u64> {
        let all = tensors(shape, experts);
        let files = shards(shape, experts);
        assert!(files.iter().flatten().copied().eq(0..all.len()), "each once, in order");
        files.iter().map(|file| file.iter().map(|&i| all[i].bytes()).sum()).collect()
    }

    #[test]
    fn the_20b_is_the_release() {
        let shape = Shape::b20();
        let all = tensors(&shape, ExpertFormat::Mxfp4);
        let files = shards(&shape, ExpertFormat::Mxfp4);
        let mut lines: Vec<String> = files
            .iter()
            .enumerate()
            .flat_map(|(k, file)| file.iter().map(move |&i| (k, i)))
            .map(|(k, i)| format!("{}\t{}\n", all[i].name, shard_file_name(k, files.len())))
            .collect();
        lines.sort_unstable();
        // Of the weight map in model.safetensors.index.json of openai/gpt-oss-20b, revision
        // 6cee5e81ee83917806bbde320786a8fb61efebee.
        assert_eq!(
            hex(&Sha256::digest(lines.concat())),
            "5be2d1de1d11dbcf7f3707cac52858ad2b59c96b258d6721de14a03e762d2f81"
        );
        assert_eq!(
            file_bytes(&shape, ExpertFormat::Mxfp4),
            [4_792_250_240, 4_798_679_872, 4_170_334_656]
        );
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    #[test]
    fn the_120b_has_as_many_files_and_bytes_as_the_release() {
        let files = file_bytes(&Shape::b120(), ExpertFormat::Mxfp4);
        assert_eq!((files.len(), files.iter().sum::<u64>()), (15, 65_248_815_744));
        assert_eq!(tensors(&Shape::b120(), ExpertFormat::Mxfp4).len(), 687);
    }

    #[test]
    fn the_tiny_model_is_cut_inside_layers() {
        for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
            let all = tensors(&Shape::tiny(), experts);
            let files = shards(&Shape::tiny(), experts);
            assert_eq!(files.len(), 3);
            for pair in files.windows(2) {
                let before = &all[pair[0][pair[0].len() - 1]].name;
                let after = &all[pair[1][0]].name;
                assert_eq!(before.get(..15), after.get(..15), "{before} | {after}");
            }
        }
        let all = tensors(&Shape::tiny(), ExpertFormat::Mxfp4);
        let last = &shards(&Shape::tiny(), ExpertFormat::Mxfp4)[2];
        assert_eq!(all[last[0]].name, "model.layers.3.mlp.experts.gate_up_proj_scales");
    }

    #[test]
    fn dense_experts_are_transposed() {
        let shape = Shape { intermediate: 32, ..Shape::tiny() };
        let all = tensors(&shape, ExpertFormat::Bf16);
        let dims = |end: &str| &all.iter().find(|t| t.name.ends_with(end)).unwrap().shape;
        assert_eq!(dims("experts.gate_up_proj"), &[8, 64, 64]);
        assert_eq!(dims("experts.down_proj"), &[8, 32, 64]);
    }

    #[test]
    fn absurd_shapes_do_not_panic() {
        let huge = usize::MAX;
        let absurd = Shape {
            hidden: huge,
            intermediate: huge,
            heads: huge,
            kv_heads: huge,
            head_dim: huge,
            experts: huge,
            vocab: huge,
            ..Shape::tiny()
        };
        let empty = Shape { layers: 0, hidden: 0, ..Shape::tiny() };
        for shape in [absurd, empty] {
            for experts in [ExpertFormat::Mxfp4, ExpertFormat::Bf16] {
                assert!(!shards(&shape, experts).is_empty());
            }
            assert!(shape.parameters() == u64::MAX || shape.parameters() == 0);
        }
        let tall = Shape::tiny().with_layers(huge);
        let listed = tensors(&tall, ExpertFormat::Bf16).len();
        assert_eq!(listed, 17 * Shape::MAX_LAYERS + 3);
        let config = config_json(&tall, ExpertFormat::Bf16);
        let config = serde_json::from_str(&config).unwrap();
        assert_eq!(Shape::from_config(&config).unwrap().layers, Shape::MAX_LAYERS);
    }
}
