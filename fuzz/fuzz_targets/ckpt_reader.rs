//! Any bytes as a checkpoint: no panic, no allocation beyond the input, and the reader, `verify`
//! and prost agree on what is in it.
#![no_main]

use mindspore_ckpt::schema::{Checkpoint, Message, Payload};
use mindspore_ckpt::{Dtype, LayoutOptions, Reader, VerifyOptions, Writer, verify_source};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let verification = verify_source(data, &VerifyOptions::default());
    let verification = verification.expect("bytes in memory can always be read");
    let reader = match Reader::new(data) {
        Ok(reader) => reader,
        Err(_) => {
            assert!(!verification.is_loadable());
            return;
        }
    };
    assert_eq!(reader.entries().len(), verification.tensors);
    for entry in reader.entries() {
        let content = reader.read(entry).expect("an indexed tensor can be read");
        assert_eq!(content.len() as u64, entry.byte_len());
        if entry.dtype() == Dtype::Str {
            let _ = reader.read_text(entry);
        }
    }
    agree_with_prost(data, &reader);
    if verification.is_loadable() && reader.maps().is_empty() {
        write_again(&reader);
    }
});

/// Where prost reads the same bytes, the contents are the same, in the same order.
fn agree_with_prost(data: &[u8], reader: &Reader<&[u8]>) {
    let has_trailer = mindspore_ckpt::looks_like_trailer(data);
    let body = &data[..data.len() - if has_trailer { mindspore_ckpt::TRAILER_LEN } else { 0 }];
    // prost refuses some that MindSpore accepts, such as a known field of another wire type.
    let Ok(checkpoint) = Checkpoint::decode(body) else { return };
    let mut contents: Vec<(String, Vec<u8>)> = Vec::new();
    for value in checkpoint.value {
        let Some(Payload::Tensor(tensor)) = value.payload else { continue };
        match contents.last_mut() {
            Some((name, content)) if *name == value.tag => content.extend(tensor.tensor_content),
            _ => contents.push((value.tag, tensor.tensor_content)),
        }
    }
    assert_eq!(contents.len(), reader.entries().len());
    for ((name, content), entry) in contents.into_iter().zip(reader.entries()) {
        assert_eq!(name, entry.name());
        assert_eq!(content, reader.read(entry).unwrap());
    }
}

/// What would load can be written again, in other slices, and is then the same.
fn write_again(reader: &Reader<&[u8]>) {
    let options = LayoutOptions { slice_bytes: 3, crc: true };
    let mut writer = Writer::with_options(Vec::new(), options);
    let entries = || reader.entries().iter().filter(|entry| !entry.legacy_bf16());
    for entry in entries() {
        // In slices, text is refused below 512 MiB and two equal `BFloat16` ones are ambiguous.
        if matches!(entry.dtype(), Dtype::Str | Dtype::BFloat16) {
            return;
        }
        writer.write_from(entry.spec().clone(), &mut reader.content(entry)).unwrap();
    }
    if entries().next().is_none() {
        return;
    }
    let (file, _) = writer.finish().unwrap();
    let again = Reader::new(file).unwrap();
    for (old, new) in entries().zip(again.entries()) {
        assert_eq!(old.spec(), new.spec());
        assert_eq!(reader.read(old).unwrap(), again.read(new).unwrap());
    }
}
