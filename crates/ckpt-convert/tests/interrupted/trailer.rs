//! Contents that happen to end like a checksum trailer.

use std::fs;

use ckpt_convert::{CkptSink, Error};
use lowfloat::DType;
use testkit::{Tensor, Tensors};

use crate::job::{Job, assert_nothing_final};

/// MindSpore would cut the last 17 bytes off. Blocks are of 64 KiB: the file's end moves across the
/// end of one, so that the bytes are seen in two pieces.
#[test]
fn is_refused_wherever_the_last_block_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for len in 65_470..65_540 {
        let mut bytes = vec![0; len];
        let at = len - 17;
        bytes[at..at + 7].copy_from_slice(b"crc_num");
        let tensor = Tensor { dtype: DType::U8, shape: vec![len], bytes };
        let tensors = Tensors::from([("x".to_owned(), tensor)]);
        testkit::safetensors::write(&path, &tensors, None);
        let job = Job::new(&path);
        let out = folder.path().join(len.to_string());
        let error = job.run(&out).expect_err("bytes that read as a trailer");
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        assert_nothing_final(&out, "refused");
        // With a real one behind them they are values like others.
        let with = Job::new(&path).with_sink(CkptSink { crc: true });
        with.overwrite(&out).unwrap();
        fs::remove_dir_all(&out).unwrap();
    }
}
