//! Where keys and values of a request lie, and how long sequences are.

use super::inference::Request;
use super::layout::{Extents, Layout};
use super::lengths::{Sequence, cumulative, separate, sequences};
use super::paged;
use super::rows::{Heads, Source};
use crate::kernel::{NO_TILING, Reject};
use crate::tensor::Tensor;

impl Request {
    /// Keys, values, and the length of a value's row.
    pub(super) fn sources(
        &self,
        layout: Layout,
        query: Extents,
        kv_heads: i64,
    ) -> Result<(Source, Source, i64), Reject> {
        let check = &self.check;
        if let Some(table) = &self.block_table {
            let key = paged::paged(
                check,
                "key",
                &self.key,
                table,
                kv_heads,
                query.depth,
                self.block_size,
            )?;
            let value = paged::paged(
                check,
                "value",
                &self.value,
                table,
                kv_heads,
                query.depth,
                self.block_size,
            )?;
            let got = format_args!("of shape {:?}", value.cache.shape);
            check.tiling(value.cache.shape == key.cache.shape, "value", got, "the shape of key")?;
            return Ok((Source::Paged(Box::new(key)), Source::Paged(Box::new(value)), query.depth));
        }
        let list = |name: &str, tensors: &[Tensor]| {
            let heads = tensors.iter().map(|tensor| {
                check.input(name, tensor)?;
                Heads::new(check, name, tensor.clone(), layout, kv_heads)
            });
            heads.collect::<Result<Vec<_>, Reject>>()
        };
        let (keys, values) = (list("key", &self.key)?, list("value", &self.value)?);
        let count = keys.len();
        if count > 1 {
            let got = format_args!("a list of {count}");
            let fits = count as i64 == query.batch && !layout.packed();
            check.tiling(fits, "key", got, "one tensor, or one for each batch")?;
        }
        let batch = if count > 1 { 1 } else { query.batch };
        for (key, value) in keys.iter().zip(&values) {
            let got = format_args!("of shape {:?}", key.tensor.shape);
            let expected = format_args!("{batch} batches of rows of {}", query.depth);
            let fits = key.of.batch == batch && key.of.depth == query.depth;
            check.tiling(fits, "key", got, expected)?;
            let got = format_args!("of shape {:?}", value.tensor.shape);
            let same = Extents { depth: key.of.depth, ..value.of };
            check.tiling(
                same == key.of,
                "value",
                got,
                "the shape of key but for its last dimension",
            )?;
        }
        let depth = values[0].of.depth;
        Ok((Source::Plain(keys), Source::Plain(values), depth))
    }

    pub(super) fn lengths(
        &self,
        query: &Heads,
        key: &Source,
        layout: Layout,
    ) -> Result<Vec<Sequence>, Reject> {
        const QUERIES: &str = "actualSeqLengths";
        const KEYS: &str = "actualSeqLengthsKv";
        let check = &self.check;
        let (of_queries, of_keys) = (self.query_lengths.as_deref(), self.key_lengths.as_deref());
        let queries = if layout.packed() {
            cumulative(check, QUERIES, of_queries, query.of.tokens)?
        } else {
            // One query for each batch has no length.
            let list = of_queries.filter(|_| query.of.tokens != 1);
            separate(check, QUERIES, list, query.of.batch, |_| query.of.tokens)?
        };
        let batch = queries.len() as i64;
        let keys = match key {
            Source::Paged(paged) => {
                let most = (paged.table.shape[1] * self.block_size).max(0);
                if of_keys.is_none_or(<[i64]>::is_empty) {
                    let expected = "given where keys are paged";
                    return Err(check.reject_as(NO_TILING, KEYS, "null", expected));
                }
                separate(check, KEYS, of_keys, batch, |_| most)?
            }
            Source::Plain(list) if layout.packed() => {
                cumulative(check, KEYS, of_keys, list[0].of.tokens)?
            }
            Source::Plain(list) => separate(check, KEYS, of_keys, batch, |at| {
                list[if list.len() == 1 { 0 } else { at }].of.tokens
            })?,
        };
        let got = format_args!("{} lengths", keys.len());
        let expected = format_args!("{batch}, as {QUERIES}");
        check.tiling(keys.len() as i64 == batch, KEYS, got, expected)?;
        Ok(sequences(&queries, &keys))
    }
}
