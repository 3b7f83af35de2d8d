//! What the writer refuses, and what it leaves behind.

use std::io::{self, Write};

use mindspore_ckpt::{Dtype, Error, LayoutOptions, Reader, TensorSpec, Writer};

fn spec(name: &str, dims: &[u64]) -> TensorSpec {
    TensorSpec::new(name, Dtype::UInt8, dims).unwrap()
}

/// The crate's error inside an I/O error.
fn inner(error: &io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap()
}

#[test]
fn too_much_fails_at_the_write_and_stores_nothing() {
    for slice_bytes in [1, 2, u64::MAX] {
        let options = LayoutOptions { slice_bytes, crc: false };
        let mut writer = Writer::with_options(Vec::new(), options);
        let mut tensor = writer.tensor(spec("a", &[3])).unwrap();
        tensor.write_all(&[1]).unwrap();
        let error = tensor.write(&[2, 3, 4]).unwrap_err();
        assert!(matches!(inner(&error), Error::TooMuchContent { expected: 3, given: 4, .. }));
        tensor.write_all(&[2, 3]).unwrap();
        assert_eq!((tensor.written(), tensor.remaining()), (3, 0));
        assert!(tensor.write(&[4]).is_err());
        assert_eq!(tensor.write(&[]).unwrap(), 0);
        tensor.finish().unwrap();
        let (file, _) = writer.finish().unwrap();
        let reader = Reader::new(file).unwrap();
        assert_eq!(reader.read(&reader.entries()[0]).unwrap(), [1, 2, 3]);
    }
}

#[test]
fn too_little_fails_at_the_end_and_spoils_the_file() {
    let mut writer = Writer::new(Vec::new());
    writer.write_tensor(spec("good", &[1]), &[1]).unwrap();
    let mut tensor = writer.tensor(spec("a", &[3])).unwrap();
    tensor.write_all(&[1, 2]).unwrap();
    let error = tensor.finish().unwrap_err();
    assert!(matches!(error, Error::TooLittleContent { expected: 3, given: 2, .. }), "{error}");
    assert_eq!(error.tensor(), Some("a"));
    assert!(matches!(writer.tensor(spec("b", &[1])), Err(Error::Unfinished { .. })));
    let error = writer.finish().unwrap_err();
    assert!(matches!(&error, Error::Unfinished { tensor } if tensor == "a"), "{error}");
}

#[test]
fn a_dropped_tensor_spoils_the_file_even_if_it_is_whole() {
    for content in [&[][..], &[1], &[1, 2]] {
        let mut writer = Writer::new(Vec::new());
        let mut tensor = writer.tensor(spec("a", &[2])).unwrap();
        tensor.write_all(content).unwrap();
        drop(tensor);
        assert!(matches!(writer.finish(), Err(Error::Unfinished { .. })));
    }
}

#[test]
fn mistakes_before_the_first_byte_spoil_nothing() {
    let mut writer = Writer::new(Vec::new());
    writer.write_tensor(spec("a", &[2]), &[1, 2]).unwrap();
    let before = writer.bytes_written();
    assert!(matches!(writer.tensor(spec("a", &[2])), Err(Error::DuplicateName { .. })));
    let error = writer.write_tensor(spec("b", &[2]), &[1]).unwrap_err();
    assert!(matches!(error, Error::TooLittleContent { .. }), "{error}");
    let error = writer.write_tensor(spec("b", &[2]), &[1, 2, 3]).unwrap_err();
    assert!(matches!(error, Error::TooMuchContent { .. }), "{error}");
    let invalid = TensorSpec { name: String::new(), dtype: Dtype::Int8, dims: vec![] };
    assert!(matches!(writer.tensor(invalid), Err(Error::MissingName { .. })));
    assert_eq!(writer.bytes_written(), before);
    writer.write_tensor(spec("b", &[2]), &[1, 2]).unwrap();
    assert_eq!(writer.finish().unwrap().1.tensors, 2);
}

#[test]
fn nothing_written_is_no_checkpoint() {
    assert!(matches!(Writer::new(Vec::new()).finish(), Err(Error::Empty { .. })));
}

#[test]
fn a_stream_gives_exactly_its_part() {
    let mut stream = &[1, 2, 3, 4, 5, 6, 7][..];
    let mut writer = Writer::with_options(Vec::new(), LayoutOptions { slice_bytes: 2, crc: true });
    writer.write_from(spec("a", &[3]), &mut stream).unwrap();
    writer.write_from(spec("none", &[0, 2]), &mut stream).unwrap();
    writer.write_from(spec("b", &[2, 1]), &mut stream).unwrap();
    assert_eq!(stream, [6, 7]);
    let error = writer.write_from(spec("c", &[3]), &mut stream).unwrap_err();
    assert!(matches!(error, Error::TooLittleContent { expected: 3, given: 2, .. }), "{error}");
    assert!(writer.finish().is_err());
}

/// Takes `room` bytes, a few at a time, then fails.
#[derive(Debug)]
struct Full {
    room: usize,
    file: Vec<u8>,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = bytes.len().min(self.room).min(3);
        if take == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= take;
        self.file.extend_from_slice(&bytes[..take]);
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The disk is full at every byte: an error that says where, and no success later on.
#[test]
fn a_full_disk() {
    let write = |room, retry: bool| -> Result<Vec<u8>, Error> {
        let options = LayoutOptions { slice_bytes: 4, crc: true };
        let mut writer = Writer::with_options(Full { room, file: Vec::new() }, options);
        let mut tensor = writer.tensor(spec("a", &[6]))?;
        let mut result = tensor.write_all(&[1, 2, 3, 4]);
        if result.is_ok() || retry {
            result = tensor.write_all(&[5, 6]).and(result);
        }
        let finished = tensor.finish();
        assert!(result.is_ok() || retry || finished.is_err());
        finished?;
        writer.write_tensor(spec("b", &[1]), &[7])?;
        Ok(writer.finish()?.0.file)
    };
    let whole = write(usize::MAX, false).unwrap();
    assert_eq!(Reader::new(whole.clone()).unwrap().entries().len(), 2);
    for room in 0..whole.len() {
        for retry in [false, true] {
            let error = write(room, retry).unwrap_err();
            assert!(!error.to_string().is_empty());
            if let Error::Io { offset, .. } = error {
                assert!(offset <= room as u64, "{room}: {error}");
            }
        }
    }
}

#[test]
fn text_is_kept() {
    let mut writer = Writer::new(Vec::new());
    writer.write_text("note", "晴れ 🌤").unwrap();
    writer.write_text("empty", "").unwrap();
    assert!(matches!(writer.write_text("", "x"), Err(Error::MissingName { .. })));
    let reader = Reader::new(writer.finish().unwrap().0).unwrap();
    let text = |name| reader.read_text(reader.entry(name).unwrap()).unwrap();
    assert_eq!((text("note").as_str(), text("empty").as_str()), ("晴れ 🌤", ""));
}
