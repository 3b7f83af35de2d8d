use std::fmt;

/// The part of the model that a tensor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The embedding table.
    Embedding,
    /// Projections, their biases and the sinks.
    Attention,
    /// The layer that chooses experts.
    Router,
    /// Weights, blocks, scales and biases of the experts.
    Experts,
    /// `RMSNorm` weights, those inside layers and the last one.
    Norm,
    /// The projection to the vocabulary.
    Head,
    /// Everything that is none of these.
    Other,
}

impl Group {
    /// Every group, in the order in which a model runs through them.
    pub const ALL: [Self; 7] = [
        Self::Embedding,
        Self::Attention,
        Self::Router,
        Self::Experts,
        Self::Norm,
        Self::Head,
        Self::Other,
    ];

    /// The name in reports, lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Attention => "attention",
            Self::Router => "router",
            Self::Experts => "experts",
            Self::Norm => "norm",
            Self::Head => "head",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The group of a tensor by its name: in the hub's layout, released or dense, or in that of
/// `original/`, also behind any prefix.
///
/// ```
/// use ckpt_convert::presets::gpt_oss::{Group, group_of};
///
/// assert_eq!(group_of("model.layers.3.mlp.experts.down_proj_scales"), Group::Experts);
/// assert_eq!(group_of("block.3.attn.norm.scale"), Group::Norm);
/// assert_eq!(group_of("vision.patch"), Group::Other);
/// ```
#[must_use]
pub fn group_of(tensor_name: &str) -> Group {
    // First, because a norm stands inside the part that it feeds (`block.N.attn.norm.scale`).
    if tensor_name.split('.').any(|part| part == "norm" || part.ends_with("layernorm")) {
        return Group::Norm;
    }
    let mut before = "";
    for part in tensor_name.split('.') {
        let group = match part {
            "embed_tokens" | "embedding" => Some(Group::Embedding),
            "self_attn" | "attn" => Some(Group::Attention),
            "router" => Some(Group::Router),
            "gate" if before == "mlp" => Some(Group::Router),
            "experts" | "mlp1_weight" | "mlp1_bias" | "mlp2_weight" | "mlp2_bias" => {
                Some(Group::Experts)
            }
            "lm_head" | "unembedding" => Some(Group::Head),
            _ => None,
        };
        if let Some(group) = group {
            return group;
        }
        before = part;
    }
    Group::Other
}

#[cfg(test)]
mod tests {
    use super::super::{ExpertFormat, Shape, TensorDesc, tensors};
    use super::*;

    fn bytes_of(group: Group) -> u64 {
        let all = tensors(&Shape::b20(), ExpertFormat::Mxfp4);
        all.iter().filter(|t| group_of(&t.name) == group).map(TensorDesc::bytes).sum()
    }

    #[test]
    fn the_20b_adds_up() {
        assert_eq!(bytes_of(Group::Embedding), 1_158_266_880);
        assert_eq!(bytes_of(Group::Attention), 1_274_406_912);
        assert_eq!(bytes_of(Group::Router), 4_425_216);
        assert_eq!(bytes_of(Group::Experts), 9_555_148_800 + 597_196_800 + 13_271_040);
        assert_eq!(bytes_of(Group::Norm), 282_240);
        assert_eq!(bytes_of(Group::Head), 1_158_266_880);
        assert_eq!(bytes_of(Group::Other), 0);
    }

    #[test]
    fn every_layout_and_any_prefix() {
        for (name, group) in [
            ("embedding.weight", Group::Embedding),
            ("block.11.attn.qkv.weight", Group::Attention),
            ("block.11.attn.out.bias", Group::Attention),
            ("block.11.attn.sinks", Group::Attention),
            ("block.11.attn.norm.scale", Group::Norm),
            ("block.11.mlp.norm.scale", Group::Norm),
            ("block.11.mlp.gate.weight", Group::Router),
            ("block.11.mlp.mlp1_weight.blocks", Group::Experts),
            ("block.11.mlp.mlp2_weight.scales", Group::Experts),
            ("block.11.mlp.mlp1_bias", Group::Experts),
            ("norm.scale", Group::Norm),
            ("unembedding.weight", Group::Head),
            ("model.layers.0.mlp.experts.gate_up_proj", Group::Experts),
            ("model.layers.0.mlp.router.bias", Group::Router),
            ("model.layers.0.post_attention_layernorm.weight", Group::Norm),
            ("model.norm.weight", Group::Norm),
            ("lm_head.weight", Group::Head),
            ("", Group::Other),
            ("..", Group::Other),
            ("model.gate.weight", Group::Other),
        ] {
            assert_eq!(group_of(name), group, "{name}");
            assert_eq!(group_of(&format!("network.backbone.{name}")), group, "{name}");
        }
    }

    #[test]
    fn names_are_distinct() {
        let mut names = Group::ALL.map(Group::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
