//! A whole file from arbitrary bytes: a clean error, or tensors that lie within the file.

#![no_main]

use safeshards::Checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let file_len = data.len() as u64;
    let Ok(checkpoint) = Checkpoint::from_bytes("fuzz", data.to_vec()) else {
        return;
    };
    let mut total = 0;
    for tensor in checkpoint.tensors() {
        let bytes = tensor.bytes().expect("checked when the header was read");
        assert_eq!(bytes.len() as u64, tensor.byte_len());
        assert!(tensor.file_offset() + tensor.byte_len() <= file_len);
        assert_eq!(tensor.dtype().bytes_for(tensor.elements()), Some(tensor.byte_len()));
        let rows = tensor.shape().first().copied().unwrap_or(0);
        let _ = tensor.rows(0..rows);
        let _ = tensor.rows(rows / 2..rows);
        total += tensor.byte_len();
    }
    assert_eq!(total, checkpoint.total_bytes());
    let _ = checkpoint.tensor("model.norm.weight");
});
