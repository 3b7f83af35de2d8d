//! A file that MindSpore 2.10.0 wrote with `save_checkpoint(..., crc_check=True)`.

use mindspore_ckpt::{
    Dtype, Layout, LayoutOptions, Reader, TensorSpec, VerifyOptions, Writer, trailer, verify_source,
};

/// `a`, two `Float32` ones, and `b`, three `Int8` ones.
const GOLDEN: [u8; 65] = *b"\x0a\x1a\x0a\x01\x61\x12\x15\x08\x02\x12\x07Float32\
    \x1a\x08\x00\x00\x80\x3f\x00\x00\x80\x3f\
    \x0a\x12\x0a\x01\x62\x12\x0d\x08\x03\x12\x04Int8\x1a\x03\x01\x01\x01\
    crc_num\x00\x00\x00\x00\x00\x00\xdb\xf0\x74\x81";
const BODY: usize = 48;

fn specs() -> [TensorSpec; 2] {
    [
        TensorSpec::new("a", Dtype::Float32, [2]).unwrap(),
        TensorSpec::new("b", Dtype::Int8, [3]).unwrap(),
    ]
}

fn contents() -> [Vec<u8>; 2] {
    [[1_f32.to_le_bytes(); 2].concat(), vec![1; 3]]
}

#[test]
fn the_writer_gives_the_same_bytes() {
    for crc in [false, true] {
        let options = LayoutOptions { crc, ..LayoutOptions::default() };
        let mut writer = Writer::with_options(Vec::new(), options);
        for (spec, content) in specs().into_iter().zip(contents()) {
            writer.write_tensor(spec, &content).unwrap();
        }
        let (file, summary) = writer.finish().unwrap();
        assert_eq!(file, GOLDEN[..if crc { GOLDEN.len() } else { BODY }]);
        assert_eq!(summary.bytes, file.len() as u64);
        assert_eq!(summary.crc, crc.then_some(0xdbf0_7481));
    }
}

#[test]
fn the_layout_gives_the_same_bytes() {
    let options = LayoutOptions { crc: true, ..LayoutOptions::default() };
    let layout = Layout::new(&specs(), options).unwrap();
    let mut file = vec![0; layout.total_len() as usize];
    for record in layout.records() {
        let at = record.offset as usize;
        file[at..at + record.header.len()].copy_from_slice(&record.header);
        let content = &contents()[record.tensor];
        let at = layout.content_offset(record) as usize;
        file[at..at + content.len()].copy_from_slice(content);
    }
    assert_eq!(layout.body_len(), BODY as u64);
    let crc = crc32fast::hash(&file[..BODY]);
    file[BODY..].copy_from_slice(&trailer(crc));
    assert_eq!(file, GOLDEN);
}

#[test]
fn the_reader_gets_the_values() {
    for (file, crc) in [(&GOLDEN[..], Some(0xdbf0_7481)), (&GOLDEN[..BODY], None)] {
        let reader = Reader::new(file).unwrap();
        assert_eq!(reader.crc(), crc);
        assert_eq!(reader.warnings().len(), usize::from(crc.is_some()));
        for ((entry, spec), content) in reader.entries().iter().zip(specs()).zip(contents()) {
            assert_eq!(entry.spec(), &spec);
            assert_eq!(reader.read(entry).unwrap(), content);
        }
        let options = VerifyOptions { expected: Some(&specs()), ..VerifyOptions::default() };
        let verification = verify_source(file, &options).unwrap();
        assert!(verification.is_loadable(), "{verification:?}");
        assert_eq!((verification.tensors, verification.crc_checked), (2, crc.is_some()));
    }
}

#[test]
fn one_flipped_bit_is_seen_by_the_checksum_alone() {
    let mut file = GOLDEN;
    file[22] ^= 1;
    let checked = verify_source(&file[..], &VerifyOptions::default()).unwrap();
    assert!(!checked.is_loadable());
    let unchecked = VerifyOptions { crc: false, expected: None };
    assert!(verify_source(&file[..], &unchecked).unwrap().is_loadable());
}
