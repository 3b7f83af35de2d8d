//! Every single-byte change of a header, against the `safetensors` crate.

use safeshards::{Checkpoint, DType, Error};
use safetensors::SafeTensors;

use crate::files::{tensor, upstream};

/// What is accepted here is accepted upstream, and the other way round but for the three things
/// that upstream is too lenient or too new about.
fn agree(file: &[u8]) {
    let ours = Checkpoint::from_bytes("f", file.to_vec());
    let theirs = SafeTensors::deserialize(file);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours.len(), theirs.len());
            for tensor in ours.tensors() {
                let judge = theirs.tensor(tensor.name()).unwrap();
                assert_eq!(tensor.bytes().unwrap(), judge.data());
                assert_eq!(tensor.shape(), judge.shape());
                assert_eq!(tensor.dtype().name(), judge.dtype().to_string());
            }
        }
        (Err(_), Err(_))
        | (Err(Error::DuplicateKey { .. } | Error::UnknownDType { .. }), Ok(_)) => {}
        (ours, theirs) => {
            panic!("{:?}\nours {ours:?}\ntheirs {theirs:?}", String::from_utf8_lossy(file))
        }
    }
}

#[test]
fn every_byte_of_a_header_changed_to_every_value() {
    let tensors = [tensor("a", DType::BF16, &[2], 0), tensor("b", DType::F4, &[2], 9)];
    let file = upstream(&tensors, &[("k", "v")]);
    let header = file.len() - 5;
    let mut changed = file.clone();
    for at in 0..header {
        for value in 0..=u8::MAX {
            changed[at] = value;
            agree(&changed);
        }
        changed[at] = file[at];
    }
}

#[test]
fn every_byte_of_a_header_removed_or_doubled() {
    let tensors = [tensor("a", DType::BF16, &[2], 0), tensor("b", DType::U8, &[11], 9)];
    let file = upstream(&tensors, &[("k", "v")]);
    let header = file.len() - 15;
    for at in 8..header {
        for keep_len in [false, true] {
            let mut shorter = file.clone();
            shorter.remove(at);
            let mut longer = file.clone();
            longer.insert(at, file[at]);
            if !keep_len {
                shorter[0] = shorter[0].wrapping_sub(1);
                longer[0] = longer[0].wrapping_add(1);
            }
            agree(&shorter);
            agree(&longer);
        }
    }
}
