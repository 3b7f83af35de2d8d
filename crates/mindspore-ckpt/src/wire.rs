//! The few protobuf primitives that writing a checkpoint takes.

use crate::Dtype;
use crate::TensorSpec;

/// `Checkpoint.value`.
pub(crate) const VALUE: u32 = 1;
/// `Checkpoint.Value.tag`.
pub(crate) const TAG: u32 = 1;
/// `Checkpoint.Value.tensor`.
pub(crate) const TENSOR: u32 = 2;
/// `Checkpoint.Value.maptensor`.
pub(crate) const MAP_TENSOR: u32 = 3;
/// `TensorProto.dims`.
pub(crate) const DIMS: u32 = 1;
/// `TensorProto.tensor_type`.
pub(crate) const TENSOR_TYPE: u32 = 2;
/// `TensorProto.tensor_content`.
pub(crate) const TENSOR_CONTENT: u32 = 3;

/// Wire type of an integer.
pub(crate) const VARINT: u32 = 0;
/// Wire type of 8 bytes.
pub(crate) const FIXED64: u32 = 1;
/// Wire type of a length and as many bytes.
pub(crate) const LEN: u32 = 2;
/// Wire type that opens a group.
pub(crate) const START_GROUP: u32 = 3;
/// Wire type that closes a group.
pub(crate) const END_GROUP: u32 = 4;
/// Wire type of 4 bytes.
pub(crate) const FIXED32: u32 = 5;

/// The bytes of a record before its content: every field in MindSpore's order, with all lengths
/// as if `content_len` bytes followed.
pub(crate) fn record_header(spec: &TensorSpec, content_len: u64) -> Vec<u8> {
    let dims = stored_dims(spec);
    let name = spec.name.as_bytes();
    let dtype = spec.dtype.name().as_bytes();
    let tensor_len = dims.iter().map(|&dim| 1 + varint_len(dim)).sum::<u64>()
        + field_len(dtype.len() as u64)
        + field_len(content_len);
    let value_len = field_len(name.len() as u64) + field_len(tensor_len);

    let mut header = Vec::with_capacity(name.len() + dtype.len() + 2 * dims.len() + 48);
    put_len(&mut header, VALUE, value_len);
    put_len(&mut header, TAG, name.len() as u64);
    header.extend_from_slice(name);
    put_len(&mut header, TENSOR, tensor_len);
    for &dim in dims {
        put_key(&mut header, DIMS, VARINT);
        put_varint(&mut header, dim);
    }
    put_len(&mut header, TENSOR_TYPE, dtype.len() as u64);
    header.extend_from_slice(dtype);
    put_len(&mut header, TENSOR_CONTENT, content_len);
    header
}

/// Text has the shape `[0]` in a file, whatever its length.
fn stored_dims(spec: &TensorSpec) -> &[u64] {
    if spec.dtype == Dtype::Str { &[0] } else { &spec.dims }
}

/// Bytes of a length-delimited field whose key is one byte.
fn field_len(len: u64) -> u64 {
    1 + varint_len(len) + len
}

/// Bytes of a varint: one for every seven bits.
fn varint_len(value: u64) -> u64 {
    u64::from((value | 1).ilog2()) / 7 + 1
}

fn put_len(out: &mut Vec<u8>, field: u32, len: u64) {
    put_key(out, field, LEN);
    put_varint(out, len);
}

fn put_key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use prost::encoding::{encode_varint, encoded_len_varint};

    use super::*;

    #[test]
    fn varints_are_those_of_prost() {
        let edges = (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power.wrapping_mul(3)]
        });
        for value in edges.chain([u64::MAX]) {
            let (mut own, mut theirs) = (Vec::new(), Vec::new());
            put_varint(&mut own, value);
            encode_varint(value, &mut theirs);
            assert_eq!(own, theirs, "{value}");
            assert_eq!(varint_len(value), encoded_len_varint(value) as u64, "{value}");
        }
    }
}
