//! Random files: what is written is read, by this crate and by prost.

use std::io::{Read, Write};

use mindspore_ckpt::schema::{Checkpoint, Message, Payload};
use mindspore_ckpt::{
    Dtype, Layout, LayoutOptions, Reader, TRAILER_LEN, TensorSpec, VerifyOptions, Writer, trailer,
    verify_source,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Tensor {
    spec: TensorSpec,
    content: Vec<u8>,
}

fn tensors() -> impl Strategy<Value = Vec<Tensor>> {
    // Text has rules of its own.
    let dtypes: Vec<Dtype> = Dtype::ALL.into_iter().filter(|&dtype| dtype != Dtype::Str).collect();
    let tensor = (proptest::sample::select(dtypes), vec(0_u64..5, 0..5), any::<u64>());
    vec((any::<String>(), tensor), 1..12).prop_map(|tensors| {
        let mut kept: Vec<Tensor> = Vec::new();
        for (name, (dtype, dims, mut seed)) in tensors {
            let Ok(spec) = TensorSpec::new(name, dtype, dims) else { continue };
            if kept.iter().any(|tensor| tensor.spec.name == spec.name) {
                continue;
            }
            let content = (0..spec.byte_len().unwrap()).map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            });
            kept.push(Tensor { content: content.collect(), spec });
        }
        kept
    })
}

fn options() -> impl Strategy<Value = LayoutOptions> {
    (prop_oneof![0_u64..40, Just(u64::MAX)], any::<bool>())
        .prop_map(|(slice_bytes, crc)| LayoutOptions { slice_bytes, crc })
}

fn write(tensors: &[Tensor], options: LayoutOptions, piece: usize) -> Vec<u8> {
    let mut writer = Writer::with_options(Vec::new(), options);
    for Tensor { spec, content } in tensors {
        let mut tensor = writer.tensor(spec.clone()).unwrap();
        content.chunks(piece).for_each(|piece| tensor.write_all(piece).unwrap());
        tensor.finish().unwrap();
    }
    writer.finish().unwrap().0
}

/// The same file from the layout alone, its records written backwards.
fn place(tensors: &[Tensor], options: LayoutOptions) -> Vec<u8> {
    let specs: Vec<TensorSpec> = tensors.iter().map(|tensor| tensor.spec.clone()).collect();
    let layout = Layout::new(&specs, options).unwrap();
    let mut file = vec![0; layout.total_len() as usize];
    for record in layout.records().iter().rev() {
        let part = record.content.start as usize..record.content.end as usize;
        let part = &tensors[record.tensor].content[part];
        let at = record.offset as usize;
        file[at..at + record.header.len()].copy_from_slice(&record.header);
        let at = record.content_offset() as usize;
        file[at..at + part.len()].copy_from_slice(part);
    }
    if options.crc {
        let (body, end) = file.split_at_mut(layout.body_len() as usize);
        end.copy_from_slice(&trailer(crc32fast::hash(body)));
    }
    file
}

proptest! {
    #[test]
    fn what_is_written_is_read(tensors in tensors(), options in options(), piece in 1_usize..50) {
        prop_assume!(!tensors.is_empty());
        let file = write(&tensors, options, piece);
        prop_assert_eq!(&file, &place(&tensors, options));

        let reader = Reader::new(file.as_slice()).unwrap();
        prop_assert_eq!(reader.entries().len(), tensors.len());
        prop_assert_eq!(reader.crc().is_some(), options.crc);
        for (entry, tensor) in reader.entries().iter().zip(&tensors) {
            prop_assert_eq!(entry.spec(), &tensor.spec);
            prop_assert!(!entry.legacy_bf16());
            prop_assert_eq!(&reader.read(entry).unwrap(), &tensor.content);
            let mut streamed = Vec::new();
            reader.content(entry).read_to_end(&mut streamed).unwrap();
            prop_assert_eq!(&streamed, &tensor.content);
            prop_assert_eq!(reader.entry(entry.name()), Some(entry));
        }

        let specs: Vec<TensorSpec> = tensors.iter().map(|tensor| tensor.spec.clone()).collect();
        let expected = VerifyOptions { crc: true, expected: Some(&specs) };
        let verification = verify_source(file.as_slice(), &expected).unwrap();
        prop_assert_eq!(verification.errors().next(), None);
        prop_assert_eq!(verification.crc_checked, options.crc);
    }

    #[test]
    fn prost_reads_the_same(tensors in tensors(), options in options()) {
        prop_assume!(!tensors.is_empty());
        let mut body = write(&tensors, options, usize::MAX);
        if options.crc {
            body.truncate(body.len() - TRAILER_LEN);
        }
        let checkpoint = Checkpoint::decode(body.as_slice()).unwrap();
        // Nothing is lost and every field is in its shortest form.
        prop_assert_eq!(&checkpoint.encode_to_vec(), &body);
        let mut values = checkpoint.value.into_iter();
        for Tensor { spec, content } in &tensors {
            let mut joined = Vec::new();
            let mut records = 0;
            while records == 0 || joined.len() < content.len() {
                let value = values.next().unwrap();
                prop_assert_eq!(&value.tag, &spec.name);
                let Some(Payload::Tensor(tensor)) = value.payload else { panic!("no tensor") };
                let dims: Vec<u64> = tensor.dims.iter().map(|&dim| dim.cast_unsigned()).collect();
                prop_assert_eq!(&dims, &spec.dims);
                prop_assert_eq!(tensor.tensor_type, spec.dtype.name());
                prop_assert_eq!(tensor.tensor_content.len() as u64 % spec.dtype.item_size(), 0);
                joined.extend(tensor.tensor_content);
                records += 1;
            }
            prop_assert_eq!(&joined, content);
        }
        prop_assert_eq!(values.next(), None);
    }

    #[test]
    fn any_bytes_are_judged(bytes in vec(any::<u8>(), 0..300)) {
        judge(&bytes);
    }

    /// Bytes that are almost protobuf get further than random ones.
    #[test]
    fn any_fields_are_judged(parts in vec(prop_oneof![
        Just(vec![0x0a]), Just(vec![0x12]), Just(vec![0x1a]), Just(vec![0x08]),
        (0_u8..40).prop_map(|len| vec![len]),
        Just(b"\x0a\x01a".to_vec()), Just(b"\x12\x04Int8".to_vec()), Just(b"\x1a\x02\x01\x01".to_vec()),
        Just(b"\x08\x02".to_vec()), Just(vec![0xff; 9]), Just(b"crc_num".to_vec()),
        Just(b"\x0a\x11\x0a\x01a\x12\x0c\x08\x02\x12\x04Int8\x1a\x02\x01\x01".to_vec()),
    ], 0..40)) {
        judge(&parts.concat());
    }
}

fn judge(bytes: &[u8]) {
    let verification = verify_source(bytes, &VerifyOptions::default()).unwrap();
    match Reader::new(bytes) {
        Ok(reader) => {
            assert_eq!(reader.entries().len(), verification.tensors);
            for entry in reader.entries() {
                reader.read(entry).unwrap();
            }
        }
        Err(_) => assert!(!verification.is_loadable()),
    }
}
