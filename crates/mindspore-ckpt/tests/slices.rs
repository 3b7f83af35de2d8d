//! How tensors are cut, at sizes that need no memory.

use std::io::{self, Write};

use mindspore_ckpt::{
    DEFAULT_SLICE_BYTES, Dtype, Error, Layout, LayoutOptions, MAX_RECORDS, Reader, Record, Result,
    TensorSpec, Writer, looks_like_trailer, trailer,
};

/// Counts what is written and keeps the small pieces, which are the headers.
#[derive(Debug, Default)]
struct Sink {
    bytes: u64,
    headers: Vec<(u64, Vec<u8>)>,
}

const FULL: u64 = DEFAULT_SLICE_BYTES;
const PIECE: usize = 1 << 20;

impl Write for Sink {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() < 100 {
            self.headers.push((self.bytes, piece.to_vec()));
        }
        self.bytes += piece.len() as u64;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn layout(specs: &[TensorSpec], slice_bytes: u64) -> Result<Layout> {
    Layout::new(specs, LayoutOptions { slice_bytes, crc: false })
}

fn lengths(layout: &Layout) -> Vec<u64> {
    layout.records().iter().map(|record| record.content.end - record.content.start).collect()
}

#[test]
fn mindspore_cuts_every_512_mib() {
    let cut = |bytes| {
        let spec = TensorSpec::new("a", Dtype::UInt8, [bytes]).unwrap();
        lengths(&Layout::new(&[spec], LayoutOptions::default()).unwrap())
    };
    assert_eq!(FULL, 536_870_912);
    assert_eq!(cut(FULL - 1), [FULL - 1]);
    assert_eq!(cut(FULL), [FULL]);
    assert_eq!(cut(FULL + 1), [FULL, 1]);
    assert_eq!(cut(1_158_266_880), [FULL, FULL, 84_525_056]);
}

#[test]
fn the_writer_cuts_where_the_layout_does() {
    let specs = [
        TensorSpec::new("before", Dtype::Float32, [25, 1]).unwrap(),
        TensorSpec::new("large", Dtype::BFloat16, [DEFAULT_SLICE_BYTES / 2 + 3]).unwrap(),
        TensorSpec::new("after", Dtype::Int8, []).unwrap(),
    ];
    let layout = Layout::new(&specs, LayoutOptions::default()).unwrap();
    let mut writer = Writer::new(Sink::default());
    for spec in &specs {
        let mut left = spec.byte_len().unwrap();
        let mut tensor = writer.tensor(spec.clone()).unwrap();
        let piece = vec![0; PIECE];
        while left > 0 {
            let len = left.min(PIECE as u64);
            tensor.write_all(&piece[..len as usize]).unwrap();
            left -= len;
            assert_eq!(tensor.remaining(), left);
        }
        tensor.finish().unwrap();
    }
    let (sink, summary) = writer.finish().unwrap();
    assert_eq!((sink.bytes, summary.bytes), (layout.total_len(), layout.total_len()));
    assert_eq!(layout.records().len(), 4);
    for Record { header, offset, .. } in layout.records() {
        assert!(sink.headers.contains(&(*offset, header.clone())));
    }
}

#[test]
fn slices_are_whole_elements() {
    let spec = TensorSpec::new("a", Dtype::Float64, [5]).unwrap();
    let cut = |slice_bytes| lengths(&layout(std::slice::from_ref(&spec), slice_bytes).unwrap());
    for below in 0..16 {
        assert_eq!(cut(below), [8; 5], "{below}");
    }
    assert_eq!(cut(16), [16, 16, 8]);
    assert_eq!(cut(23), [16, 16, 8]);
    assert_eq!(cut(39), [32, 8]);
    for above in [40, 41, u64::MAX] {
        assert_eq!(cut(above), [40]);
    }
    let none = TensorSpec::new("a", Dtype::Float64, [0, 3]).unwrap();
    assert_eq!(lengths(&layout(&[none], 1).unwrap()), [0]);
}

#[test]
fn records_follow_each_other() {
    let dims: [&[u64]; 5] = [&[], &[0, 3], &[7], &[3, 100], &[1, 1, 1]];
    for slice_bytes in [1, 3, 8, 64, u64::MAX] {
        let specs = dims.iter().enumerate().map(|(index, dims)| {
            TensorSpec::new(format!("tensor {index}"), Dtype::Int32, *dims).unwrap()
        });
        let specs: Vec<TensorSpec> = specs.collect();
        let layout = layout(&specs, slice_bytes).unwrap();
        let (mut offset, mut tensor, mut done) = (0, 0, 0);
        for record in layout.records() {
            if record.tensor != tensor {
                assert_eq!(done, specs[tensor].byte_len().unwrap());
                (tensor, done) = (tensor + 1, 0);
            }
            assert_eq!((record.offset, record.content.start), (offset, done));
            assert_eq!(record.tensor, tensor);
            done = record.content.end;
            offset = layout.content_offset(record) + done - record.content.start;
        }
        assert_eq!(layout.body_len(), offset);
        assert_eq!((tensor, done), (4, 4));
    }
}

#[test]
fn layouts_that_cannot_be() {
    let spec = |name: &str, dims: &[u64]| TensorSpec {
        name: name.to_owned(),
        dtype: Dtype::UInt8,
        dims: dims.to_vec(),
    };
    assert!(matches!(layout(&[], 1), Err(Error::Empty { .. })));
    let twice = [spec("a", &[1]), spec("b", &[1]), spec("a", &[1])];
    assert!(matches!(layout(&twice, 1), Err(Error::DuplicateName { .. })));
    // The fields are public, so specs are checked again.
    assert!(matches!(layout(&[spec("", &[1])], 1), Err(Error::MissingName { .. })));
    assert!(matches!(layout(&[spec("a", &[0])], 1), Err(Error::EmptyVector { .. })));
    assert!(matches!(layout(&[spec("a", &[1 << 31])], 1), Err(Error::DimOutOfRange { .. })));
    assert!(Writer::new(Sink::default()).tensor(spec("", &[1])).is_err());

    let many = [spec("a", &[MAX_RECORDS as u64 + 1])];
    assert!(matches!(layout(&many, 1), Err(Error::TooManyRecords { .. })));
    assert_eq!(layout(&many, 2).unwrap().records().len(), MAX_RECORDS / 2 + 1);
    let half = [spec("a", &[1 << 30, 1 << 30, 4]), spec("b", &[1 << 30, 1 << 30, 4])];
    assert!(layout(&half[..1], u64::MAX).is_ok());
    assert!(matches!(layout(&half, u64::MAX), Err(Error::FileTooLarge { .. })));
}

#[test]
fn a_body_that_ends_like_a_checksum() {
    let content = [b"anything ".as_slice(), &trailer(7)].concat();
    let spec = TensorSpec::new("a", Dtype::UInt8, [content.len() as u64]).unwrap();
    for crc in [false, true] {
        let options = LayoutOptions { crc, ..LayoutOptions::default() };
        let layout = Layout::new(std::slice::from_ref(&spec), options).unwrap();
        let mut writer = Writer::with_options(Vec::new(), options);
        writer.write_tensor(spec.clone(), &content).unwrap();
        let (file, summary) = writer.finish().unwrap();
        assert_eq!(looks_like_trailer(&file), crc);
        assert_eq!(summary.bytes, file.len() as u64);
        if !crc {
            let body = [&layout.records()[0].header, &*content].concat();
            assert!(looks_like_trailer(&body));
            assert_eq!(file, [&body, layout.closing_record()].concat());
        }
        let reader = Reader::new(file).unwrap();
        assert_eq!(reader.crc().is_some(), crc);
        assert_eq!(reader.read(&reader.entries()[0]).unwrap(), content);
    }
}
