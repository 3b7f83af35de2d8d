//! Making one block of an output file.

use lowfloat::mxfp4::QuantizeStats;

use crate::plan::PlanFile;
use crate::sink::SegmentKind;
use crate::transform::Producer;
use crate::{Plan, Result};

/// Statistics of packing, by tensor.
pub(super) type BlockStats = Vec<(usize, QuantizeStats)>;

/// Fills `dst` with the file's bytes from `start` on; what lies beyond the file's body is zero.
pub(super) fn fill(
    plan: &Plan,
    file: &PlanFile,
    start: u64,
    dst: &mut [u8],
    producer: &mut Producer<'_>,
) -> Result<BlockStats> {
    let segments = &file.layout.segments;
    let first = segments.partition_point(|segment| segment.end() <= start);
    let mut all_stats = Vec::new();
    let mut filled = 0;
    for segment in &segments[first..] {
        let at = start + filled as u64;
        if filled == dst.len() {
            break;
        }
        let skip = at - segment.offset;
        let len = (dst.len() - filled).min((segment.len - skip) as usize);
        if len == 0 {
            continue;
        }
        let into = &mut dst[filled..filled + len];
        match &segment.kind {
            SegmentKind::Bytes(bytes) => {
                into.copy_from_slice(&bytes[skip as usize..skip as usize + len]);
            }
            SegmentKind::Content { tensor, start } => {
                let mut stats = QuantizeStats::default();
                producer.produce(&plan.tensors[*tensor], start + skip, into, &mut stats)?;
                if stats.blocks > 0 {
                    all_stats.push((*tensor, stats));
                }
            }
        }
        filled += len;
    }
    dst[filled..].fill(0);
    Ok(all_stats)
}
