//! Records built byte by byte, right or wrong.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part of this")]

/// A varint in its shortest form.
pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A varint of exactly `len` bytes.
pub(crate) fn padded_varint(value: u64, len: usize) -> Vec<u8> {
    let byte = |at: usize| (value >> (7 * at) & 0x7f) as u8 | 0x80;
    let mut out: Vec<u8> = (0..len).map(byte).collect();
    out[len - 1] &= 0x7f;
    out
}

/// A field with an integer.
pub(crate) fn int(field: u8, value: u64) -> Vec<u8> {
    [vec![field << 3], varint(value)].concat()
}

/// A field with bytes.
pub(crate) fn bytes(field: u8, body: &[u8]) -> Vec<u8> {
    [vec![field << 3 | 2], varint(body.len() as u64), body.to_vec()].concat()
}

/// The fields of a tensor, in MindSpore's order.
pub(crate) fn tensor(dims: &[i64], dtype: &str, content: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|dim| int(1, dim.cast_unsigned())).collect();
    [dims, bytes(2, dtype.as_bytes()), bytes(3, content)].concat()
}

/// A record with a name and these tensor fields.
pub(crate) fn named(name: &str, tensor: &[u8]) -> Vec<u8> {
    bytes(1, &[bytes(1, name.as_bytes()), bytes(2, tensor)].concat())
}

/// A record as MindSpore writes it.
pub(crate) fn record(name: &str, dims: &[i64], dtype: &str, content: &[u8]) -> Vec<u8> {
    named(name, &tensor(dims, dtype, content))
}

/// `a`, of shape `[2, 3]`, `UInt8`, 0 to 5.
pub(crate) fn small(name: &str) -> Vec<u8> {
    record(name, &[2, 3], "UInt8", &[0, 1, 2, 3, 4, 5])
}
