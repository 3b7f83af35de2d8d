//! The bytes of tensors, by mapping and by position.

use std::fs;

use safeshards::{Bytes, Checkpoint, DType, Error, OpenOptions};

use crate::files::{raw, tensor, two_shards, upstream};

#[test]
fn mapped_read_and_shared_bytes_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    let mapped = Checkpoint::open(dir.path()).unwrap();
    let unmapped = OpenOptions::new().mmap(false).open(dir.path()).unwrap();
    for (left, right) in mapped.tensors().zip(unmapped.tensors()) {
        let bytes = left.bytes().unwrap();
        assert_eq!(bytes.len() as u64, left.byte_len());
        for tensor in [left, right] {
            let mut read = vec![0; bytes.len()];
            tensor.read_at(0, &mut read).unwrap();
            assert_eq!(read, bytes);
            assert_eq!(&*tensor.to_bytes().unwrap(), bytes);
        }
        let file = fs::read(left.shard().path()).unwrap();
        let at = left.file_offset() as usize;
        assert_eq!(&file[at..at + bytes.len()], bytes);
        assert!(
            matches!(right.bytes(), Err(Error::NotMapped { tensor, .. }) if tensor == left.name())
        );
        assert!(matches!(right.try_cast::<u8>(), Err(Error::NotMapped { .. })));
    }
}

#[test]
fn facts_of_a_tensor() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let a = checkpoint.tensor("a").unwrap();
    assert_eq!((a.name(), a.dtype(), a.shape()), ("a", DType::BF16, &[2, 3][..]));
    assert_eq!((a.elements(), a.byte_len(), a.shard_index()), (6, 12, 0));
    assert_eq!(a.file_offset(), a.shard().data_offset());
    assert_eq!(a.shard().file_len(), a.shard().data_offset() + 17);
    assert_eq!(a.shard().metadata()["format"], "pt");
    assert!(a.shard().file().is_some());
}

#[test]
fn reads_stay_within_the_tensor() {
    let file = upstream(&[tensor("a", DType::U8, &[4], 0), tensor("b", DType::U8, &[4], 9)], &[]);
    let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
    let a = checkpoint.tensor("a").unwrap();
    let mut two = [0; 2];
    a.read_at(2, &mut two).unwrap();
    assert_eq!(two, [2, 3]);
    a.read_at(4, &mut []).unwrap();
    for offset in [3, 5, u64::MAX] {
        let error = a.read_at(offset, &mut two).unwrap_err();
        assert!(matches!(error, Error::OutOfTensor { len: 2, byte_len: 4, .. }), "{error:?}");
    }
}

#[test]
fn casts_say_why_they_fail() {
    // Mappings begin on a page, so the address is aligned as the offset in the file is: 61 + blanks.
    let json = r#"{"t":{"dtype":"U8","shape":[6],"data_offsets":[0,6]}}"#;
    for (blanks, align) in [(3, 64), (4, 1), (1, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.safetensors");
        fs::write(&path, raw(&format!("{json}{}", " ".repeat(blanks)), 6)).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        let tensor = checkpoint.tensor("t").unwrap();
        assert_eq!(1 << tensor.file_offset().trailing_zeros(), align);
        assert_eq!(tensor.try_cast::<u8>().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(tensor.try_cast::<u16>().is_ok(), align >= 2);
        // Six bytes are no multiple of four.
        match tensor.try_cast::<u32>().unwrap_err() {
            Error::Cast {
                byte_len: 6, address_align, size: 4, align: 4, wanted: "u32", ..
            } => {
                assert_eq!(address_align, align);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn casts_give_values() {
    let values = [1.5_f32, -0.0, f32::INFINITY];
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let spec = safeshards::TensorSpec::new("t", DType::F32, [3]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    fs::write(&path, upstream(&[(spec, bytes)], &[])).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let tensor = checkpoint.tensor("t").unwrap();
    assert_eq!(tensor.try_cast::<f32>().unwrap(), values);
    assert_eq!(tensor.rows(1..2).unwrap().try_cast::<f32>().unwrap(), [-0.0]);
    assert!(tensor.try_cast::<[f32; 2]>().is_err());
    // A type of no bytes cannot hold twelve of them.
    assert!(tensor.try_cast::<()>().is_err());
}

#[test]
fn rows_are_ranges_of_the_first_axis() {
    let file = upstream(&[tensor("t", DType::BF16, &[4, 3, 2], 0)], &[]);
    let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
    let tensor = checkpoint.tensor("t").unwrap();
    let whole = tensor.bytes().unwrap();
    for begin in 0..=4 {
        for end in begin..=4 {
            let rows = tensor.rows(begin..end).unwrap();
            assert_eq!(rows.bytes().unwrap(), &whole[begin * 12..end * 12]);
            assert_eq!(rows.shape(), [end - begin, 3, 2]);
            assert_eq!(rows.byte_len(), 12 * (end - begin) as u64);
            assert_eq!(rows.file_offset(), tensor.file_offset() + 12 * begin as u64);
            assert_eq!(&*rows.to_bytes().unwrap(), rows.bytes().unwrap());
        }
    }
    let rows = tensor.rows(1..3).unwrap();
    assert_eq!((rows.range(), rows.tensor().name()), (1..3, "t"));
    let mut read = [0; 2];
    rows.read_at(22, &mut read).unwrap();
    assert_eq!(read, whole[34..36]);
    assert!(matches!(rows.read_at(23, &mut read), Err(Error::OutOfTensor { byte_len: 24, .. })));
    #[expect(clippy::reversed_empty_ranges)]
    let wrong = [tensor.rows(3..5), tensor.rows(3..2), tensor.rows(usize::MAX..usize::MAX)];
    for rows in wrong {
        assert!(matches!(rows, Err(Error::Rows { .. })), "{rows:?}");
    }
}

#[test]
fn rows_of_packed_types_fall_on_whole_bytes() {
    let file = upstream(&[tensor("t", DType::F4, &[4, 3], 0)], &[]);
    let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
    let tensor = checkpoint.tensor("t").unwrap();
    assert_eq!(tensor.rows(2..4).unwrap().bytes().unwrap(), [3, 4, 5]);
    for range in [0..1, 1..2, 1..4] {
        assert!(matches!(tensor.rows(range), Err(Error::Rows { dtype: DType::F4, .. })));
    }
}

#[test]
fn scalars_and_empty_tensors() {
    let tensors = [
        tensor("scalar", DType::F32, &[], 7),
        tensor("none", DType::F64, &[0], 0),
        tensor("no_columns", DType::U8, &[3, 0], 0),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    fs::write(&path, upstream(&tensors, &[])).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let scalar = checkpoint.tensor("scalar").unwrap();
    assert_eq!((scalar.elements(), scalar.shape().len()), (1, 0));
    assert_eq!(scalar.bytes().unwrap(), [7, 8, 9, 10]);
    assert!(matches!(scalar.rows(0..0), Err(Error::Rows { .. })));

    let none = checkpoint.tensor("none").unwrap();
    assert_eq!((none.elements(), none.byte_len()), (0, 0));
    assert!(none.bytes().unwrap().is_empty() && none.try_cast::<f64>().unwrap().is_empty());
    assert!(none.rows(0..0).unwrap().bytes().unwrap().is_empty());
    assert!(none.rows(0..1).is_err());
    let rows = checkpoint.tensor("no_columns").unwrap().rows(1..3).unwrap();
    assert_eq!((rows.shape(), rows.byte_len()), (vec![2, 0], 0));
    assert!(rows.to_bytes().unwrap().is_empty());
}

#[test]
fn shared_bytes_outlive_the_checkpoint_and_the_file_name() {
    let dir = tempfile::tempdir().unwrap();
    two_shards(dir.path());
    for mmap in [true, false] {
        let checkpoint = OpenOptions::new().mmap(mmap).open(dir.path()).unwrap();
        let bytes: Bytes = checkpoint.tensor("b").unwrap().to_bytes().unwrap();
        let row = checkpoint.tensor("a").unwrap().rows(1..2).unwrap().to_bytes().unwrap();
        drop(checkpoint);
        assert_eq!(&*bytes, [2, 3, 4, 5, 6]);
        assert_eq!(&*row, [7, 8, 9, 10, 11, 12]);
    }
}

#[test]
fn memory_gives_bytes_without_copying() {
    let file = Bytes::from(upstream(&[tensor("t", DType::U8, &[4], 3)], &[]));
    let checkpoint = Checkpoint::from_bytes("f", file.clone()).unwrap();
    let tensor = checkpoint.tensor("t").unwrap();
    assert!(file.as_ptr_range().contains(&tensor.bytes().unwrap().as_ptr()));
    assert!(file.as_ptr_range().contains(&tensor.to_bytes().unwrap().as_ptr()));
    assert!(tensor.shard().file().is_none());
}

#[test]
fn threads_read_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    fs::write(&path, upstream(&[tensor("t", DType::U8, &[4096], 0)], &[])).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let tensor = checkpoint.tensor("t").unwrap();
            scope.spawn(move || {
                let mut part = [0; 64];
                for i in 0..64 {
                    let offset = (i * 64 + thread * 1024) % 4096;
                    tensor.read_at(offset, &mut part).unwrap();
                    assert_eq!(part, tensor.bytes().unwrap()[offset as usize..][..64]);
                }
            });
        }
    });
}
