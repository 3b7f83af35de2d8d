//! Fused attention for inference.

use std::ffi::CStr;

use super::argument::List;
use super::call::launch;
use super::check::Check;
use super::dtype::HALVES;
use super::tensor::Tensor;
use super::window::Window;
use super::{cast, mul_in_place, sigmoid, sub};
use crate::error::Result;
use crate::rt::{Device, DeviceBuffer, Stream};
use crate::sys::aclDataType;

/// Where tokens and heads are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionLayout {
    /// `[tokens, heads, size]`: sequences one after another. The one for decoding, too.
    Tnd,
    /// `[batch, tokens, heads, size]`.
    Bsnd,
    /// `[batch, heads, tokens, size]`.
    Bnsd,
}

/// Where keys and values are.
#[derive(Debug, Clone, Copy)]
pub enum KeysValues<'t, 'a> {
    /// In tensors of the layout of the queries.
    Plain {
        /// Keys.
        keys: &'t Tensor<'a>,
        /// Values.
        values: &'t Tensor<'a>,
    },
    /// In blocks: `[blocks, block_size, heads * size]`, `[blocks, block_size, heads, size]` merged so by [`Tensor::reshape`], or
    /// `[blocks, heads, block_size, size]`.
    Paged {
        /// Keys.
        keys: &'t Tensor<'a>,
        /// Values.
        values: &'t Tensor<'a>,
        /// The blocks of each sequence, int32 `[sequences, most blocks]`.
        blocks: &'t Tensor<'a>,
        /// Tokens in a block: a multiple of 16, at most 1024 with heads of 64 or 128.
        block_size: usize,
    },
}

/// `softmax(queries @ keys * scale) @ values`, with groups of query heads that share a key head.
///
/// Types f16 and bf16. Vendor limits checked here: at most 256 heads; heads of 64 or 128 elements in layout TND; sinks only with values of 64
/// or 128; block sizes as above. `aclnnFusedInferAttentionScoreV4` on A2 and A3 where it is there (CANN 8.3), `V5` on the 950, which has no
/// other (9.0), `V3` where neither is and no sinks are asked for; [`Attention::add_sinks`] makes up for those.
///
/// With one query for each sequence and another layout than TND the vendor's kernel ignores windows, silently. That is refused
/// here: decode in TND.
#[derive(Debug, Clone, Copy)]
pub struct Attention<'t, 'a> {
    /// Queries, contiguous.
    pub queries: &'t Tensor<'a>,
    /// Keys and values.
    pub keys_values: KeysValues<'t, 'a>,
    /// The layout of queries, output and plain keys.
    pub layout: AttentionLayout,
    /// Heads of keys and values; a divisor of the heads of the queries.
    pub kv_heads: usize,
    /// What scores are multiplied with.
    pub scale: f64,
    /// Which keys a query sees.
    pub window: Window,
    /// The mask of [`causal_mask`], for windows that need it.
    pub mask: Option<&'t Tensor<'a>>,
    /// In TND where the queries of each sequence end, counted from the first sequence; in other layouts their numbers, or nothing for
    /// all. Host numbers, which a captured graph keeps unless updated.
    pub query_lengths: &'t [i64],
    /// The keys of each sequence if they are paged, and in other layouts than TND; where they end in TND without pages.
    pub key_lengths: &'t [i64],
    /// A logit of each head that takes part in the sum of exponentials and in nothing else, `[heads]`, of the type of the queries.
    pub sinks: Option<&'t Tensor<'a>>,
    /// Where the logarithm of the sum of exponentials goes, f32: `[tokens, heads, 1]` in TND, else `[batch, heads, tokens, 1]`.
    pub log_sum: Option<&'t Tensor<'a>>,
}

const NAME: &str = "aclnnFusedInferAttentionScore";
/// Heads that the vendor's kernels take.
const MOST_HEADS: i64 = 256;
/// Rows and columns of the compressed mask.
const MASK: usize = 2048;

/// The mask that windows want: 2048 × 2048, 1 above the diagonal, whatever the sequences are. Use it as a
/// `BOOL` tensor.
///
/// ```
/// use ascend_acl::op;
/// use ascend_acl::rt::Device;
/// use ascend_acl::sys::aclDataType;
///
/// fn mask(device: &Device) -> ascend_acl::Result<()> {
///     let mask = op::causal_mask(device)?;
///     let mask = mask.tensor_of(aclDataType::BOOL, &[2048, 2048])?;
///     # let _ = mask;
///     Ok(())
/// }
/// ```
pub fn causal_mask(device: &Device) -> Result<DeviceBuffer<u8>> {
    let above = |at: usize| u8::from(at % MASK > at / MASK);
    let mask: Vec<u8> = (0..MASK * MASK).map(above).collect();
    DeviceBuffer::from_slice(device, &mask)
}

impl AttentionLayout {
    fn name(self) -> &'static CStr {
        match self {
            Self::Tnd => c"TND",
            Self::Bsnd => c"BSND",
            Self::Bnsd => c"BNSD",
        }
    }

    /// Axes: rank, tokens, heads.
    fn axes(self) -> (usize, usize, usize) {
        match self {
            Self::Tnd => (3, 0, 1),
            Self::Bsnd => (4, 1, 2),
            Self::Bnsd => (4, 2, 1),
        }
    }
}

/// Which version of the operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V3,
    V4,
    V5,
}

impl<'a> Attention<'_, 'a> {
    /// `out` of the shape of the queries, but for the size of the values.
    pub fn launch(&self, stream: &Stream, out: &Tensor<'a>) -> Result<()> {
        self.check(out)?;
        let version = self.version(stream)?;
        let (keys, values, blocks, block_size) = match self.keys_values {
            KeysValues::Plain { keys, values } => (keys, values, None, 0_i64),
            KeysValues::Paged { keys, values, blocks, block_size } => {
                (keys, values, Some(blocks), block_size as i64)
            }
        };
        let (_, _, heads_axis) = self.layout.axes();
        let (q, heads) = (self.queries, self.queries.dim(heads_axis));
        let (keys, values) = ([keys], [values]);
        let (k, v) = (List(&keys), List(&values));
        let lengths =
            |list| -> Option<&[i64]> { Some(list).filter(|list: &&[i64]| !list.is_empty()) };
        let (q_len, k_len) = (lengths(self.query_lengths), lengths(self.key_lengths));
        let (mask, sinks, lse) = (self.mask, self.sinks, self.log_sum);
        let has_lse = lse.is_some();
        let (none, ints): (Option<&Tensor>, Option<&[i64]>) = (None, None);
        let (scale, layout, kv_heads) = (self.scale, self.layout.name(), self.kv_heads as i64);
        let (pre, next) = (self.window.pre_tokens(), self.window.next_tokens());
        let sparse = self.window.sparse_mode();
        // innerPrecise 0: high precision, which bf16 and sinks want; no quantisation of anything.
        let (precise, off) = (0_i64, 0_i64);
        match version {
            Version::V5 => launch!(
                stream,
                attention.aclnnFusedInferAttentionScoreV5(
                    q, k, v, none, mask, q_len, k_len, none, none, none, none, none, none, none,
                    blocks, none, none, none, none, none, none, none, none, ints, none, none, none,
                    none, sinks, ints, ints, heads, scale, pre, next, layout, kv_heads, sparse,
                    precise, block_size, off, has_lse, off, off, off, off, out, lse
                )
            ),
            Version::V4 => launch!(
                stream,
                attention.aclnnFusedInferAttentionScoreV4(
                    q, k, v, none, mask, q_len, k_len, none, none, none, none, none, none, none,
                    blocks, none, none, none, none, none, none, none, none, ints, none, none, none,
                    none, sinks, heads, scale, pre, next, layout, kv_heads, sparse, precise,
                    block_size, off, has_lse, off, off, off, out, lse
                )
            ),
            Version::V3 => launch!(
                stream,
                attention.aclnnFusedInferAttentionScoreV3(
                    q, k, v, none, mask, q_len, k_len, none, none, none, none, none, none, none,
                    blocks, none, none, none, none, none, none, none, none, ints, none, none, none,
                    heads, scale, pre, next, layout, kv_heads, sparse, precise, block_size, off,
                    has_lse, off, off, out, lse
                )
            ),
        }
    }

    fn version(&self, stream: &Stream) -> Result<Version> {
        let attention = &stream.ascend().aclnn().attention;
        if stream.device().soc_name()?.starts_with("Ascend950") {
            attention.aclnnFusedInferAttentionScoreV5()?;
            return Ok(Version::V5);
        }
        match attention.aclnnFusedInferAttentionScoreV4() {
            Ok(_) => Ok(Version::V4),
            Err(missing) if self.sinks.is_some() => Err(missing.into()),
            Err(_) => Ok(Version::V3),
        }
    }

    /// Gives the output of an attention without sinks its sinks, by `out *= sigmoid(log_sum - sink)`: what stands in for `sinks` where `V4` is
    /// missing. Layout TND. `sinks` f32 `[heads]`; `log_sum` as [`Attention::log_sum`] left it, which is overwritten; `gate` is scratch of its
    /// shape and of the type of `out`.
    pub fn add_sinks(
        stream: &Stream,
        out: &Tensor,
        log_sum: &Tensor,
        sinks: &Tensor,
        gate: &Tensor,
    ) -> Result<()> {
        let check = Check("Attention::add_sinks");
        check.rank("out", out, 3)?;
        check.shape("log_sum", log_sum, &[out.dim(0), out.dim(1), 1])?;
        check.dtype("log_sum", log_sum, &[aclDataType::FLOAT])?;
        check.shape("sinks", sinks, &[out.dim(1)])?;
        check.dtype("sinks", sinks, &[aclDataType::FLOAT])?;
        check.same_shape(&[("log_sum", log_sum), ("gate", gate)])?;
        check.same_dtype(&[("out", out), ("gate", gate)])?;
        let by_head = sinks.unsqueeze(1)?;
        sub(stream, log_sum, &by_head, log_sum)?;
        sigmoid(stream, log_sum, log_sum)?;
        cast(stream, log_sum, gate)?;
        mul_in_place(stream, out, gate)
    }

    fn check(&self, out: &Tensor) -> Result<()> {
        let check = Check(NAME);
        let (rank, tokens_axis, heads_axis) = self.layout.axes();
        let queries = self.queries;
        check.rank("queries", queries, rank)?;
        check.dtype("queries", queries, HALVES)?;
        check.contiguous("queries", queries)?;
        check.contiguous("out", out)?;
        let (heads, size) = (queries.dim(heads_axis), queries.dim(rank - 1));
        let kv_heads = self.kv_heads as i64;
        check.require(
            (1..=MOST_HEADS).contains(&heads) && kv_heads > 0 && heads % kv_heads == 0,
            "kv_heads",
            || format!("{kv_heads} beside {heads} heads of the queries"),
            || format!("a divisor of the heads, of which there may be {MOST_HEADS}"),
        )?;
        let value_size = self.check_keys(check, size)?;
        let mut shape = queries.shape().to_vec();
        shape[rank - 1] = value_size;
        check.shape("out", out, &shape)?;
        check.same_dtype(&[("queries", queries), ("out", out)])?;
        let usual = |size: i64| size == 64 || size == 128;
        check.require(
            self.layout != AttentionLayout::Tnd || usual(size),
            "queries",
            || format!("with heads of {size}"),
            || "64 or 128 in layout TND".to_owned(),
        )?;
        self.check_window(check, queries.dim(tokens_axis))?;
        self.check_lengths(check, queries.dim(tokens_axis))?;
        if let Some(sinks) = self.sinks {
            check.shape("sinks", sinks, &[heads])?;
            check.same_dtype(&[("queries", queries), ("sinks", sinks)])?;
            check.require(
                usual(value_size),
                "sinks",
                || format!("given beside values of {value_size}"),
                || "values of 64 or 128".to_owned(),
            )?;
        }
        if let Some(log_sum) = self.log_sum {
            check.dtype("log_sum", log_sum, &[aclDataType::FLOAT])?;
            let shape = match self.layout {
                AttentionLayout::Tnd => vec![queries.dim(0), heads, 1],
                _ => vec![queries.dim(0), heads, queries.dim(tokens_axis), 1],
            };
            check.shape("log_sum", log_sum, &shape)?;
        }
        Ok(())
    }

    /// The size of the values.
    fn check_keys(&self, check: Check, size: i64) -> Result<i64> {
        let kv_heads = self.kv_heads as i64;
        let (keys, values) = match self.keys_values {
            KeysValues::Plain { keys, values } | KeysValues::Paged { keys, values, .. } => {
                (keys, values)
            }
        };
        check.contiguous("keys", keys)?;
        check.contiguous("values", values)?;
        check.same_dtype(&[("queries", self.queries), ("keys", keys), ("values", values)])?;
        let KeysValues::Paged { blocks, block_size, .. } = self.keys_values else {
            let (rank, tokens, heads) = self.layout.axes();
            check.rank("keys", keys, rank)?;
            let mut shape = keys.shape().to_vec();
            shape[heads] = kv_heads;
            shape[rank - 1] = size;
            check.shape("keys", keys, &shape)?;
            shape[rank - 1] = -1;
            check.shape("values", values, &shape)?;
            let same = self.layout == AttentionLayout::Tnd || keys.dim(0) == self.queries.dim(0);
            check.require(
                same || tokens == 0,
                "keys",
                || format!("of shape {:?}", keys.shape()),
                || format!("{} sequences, as the queries have", self.queries.dim(0)),
            )?;
            return Ok(values.dim(rank - 1));
        };
        let tokens = block_size as i64;
        let forms: [&[i64]; 2] =
            [&[-1, tokens, kv_heads.saturating_mul(size)], &[-1, kv_heads, tokens, size]];
        let form = forms.into_iter().find(|form| form.len() == keys.rank());
        let Some(form) = form else {
            let got = format!("of shape {:?}", keys.shape());
            return Err(check.refuse("keys", got, format!("{:?} or {:?}", forms[0], forms[1])));
        };
        check.shape("keys", keys, form)?;
        check.same_shape(&[("keys", keys), ("values", values)])?;
        check.dtype("blocks", blocks, &[aclDataType::INT32])?;
        check.rank("blocks", blocks, 2)?;
        check.require(
            block_size > 0 && block_size % 16 == 0 && block_size <= 1024,
            "block_size",
            || block_size.to_string(),
            || "a multiple of 16, at most 1024".to_owned(),
        )?;
        Ok(size)
    }

    fn check_window(&self, check: Check, tokens: i64) -> Result<()> {
        check.require(
            self.layout == AttentionLayout::Tnd || tokens != 1 || !self.window.needs_mask(),
            "window",
            || format!("{:?} with one query in layout {:?}", self.window, self.layout),
            || "layout TND: in others the kernel for one query ignores windows".to_owned(),
        )?;
        match self.mask {
            Some(mask) if self.window.needs_mask() => {
                let types = [aclDataType::BOOL, aclDataType::INT8, aclDataType::UINT8];
                check.dtype("mask", mask, &types)?;
                check.shape("mask", mask, &[MASK as i64, MASK as i64])
            }
            Some(_) => Err(check.refuse("mask", "given", "none where everything is seen")),
            None if self.window.needs_mask() => {
                Err(check.refuse("mask", "absent", "that of `causal_mask` for this window"))
            }
            None => Ok(()),
        }
    }

    fn check_lengths(&self, check: Check, tokens: i64) -> Result<()> {
        let (queries, keys) = (self.query_lengths, self.key_lengths);
        let ends = |argument, ends: &[i64], all: i64| {
            let rises = ends.windows(2).all(|pair| pair[0] <= pair[1]);
            check.require(
                rises && ends.first().is_some_and(|end| *end >= 0) && ends.last() == Some(&all),
                argument,
                || format!("{ends:?}"),
                || format!("where sequences end, rising to {all}"),
            )
        };
        if self.layout == AttentionLayout::Tnd {
            ends("query_lengths", queries, tokens)?;
        }
        match self.keys_values {
            KeysValues::Plain { keys: plain, .. } if self.layout == AttentionLayout::Tnd => {
                ends("key_lengths", keys, plain.dim(0))?;
            }
            KeysValues::Paged { blocks, block_size, .. } => {
                let room = blocks.dim(1).saturating_mul(block_size as i64);
                check.require(
                    keys.len() as i64 == blocks.dim(0)
                        && keys.iter().all(|len| (0..=room).contains(len)),
                    "key_lengths",
                    || format!("{keys:?}"),
                    || {
                        format!(
                            "a length of at most {room} for each of {} sequences",
                            blocks.dim(0)
                        )
                    },
                )?;
            }
            KeysValues::Plain { .. } => {}
        }
        let both = queries.is_empty() || keys.is_empty() || queries.len() == keys.len();
        check.require(
            both,
            "key_lengths",
            || format!("{} of them", keys.len()),
            || format!("{}, as query_lengths", queries.len()),
        )
    }
}
