//! Files cut off or changed at every byte.

mod raw;

use mindspore_ckpt::{
    Dtype, Error, Expected, FindingKind, Reader, Source, TensorSpec, VerifyOptions, trailer,
    verify_source,
};
use raw::{record, small};

/// A file with slices, a scalar, bf16 and text, and where its records end.
fn sample() -> (Vec<u8>, Vec<usize>) {
    let text: Vec<u8> = "note".chars().flat_map(|char| u32::from(char).to_le_bytes()).collect();
    let records = [
        small("a"),
        record("sliced", &[3], "Float32", &[1; 4]),
        record("sliced", &[3], "Float32", &[2; 8]),
        record("scalar", &[], "Int64", &[3; 8]),
        record("bf16", &[2, 2], "BFloat16", &[4; 8]),
        record("text", &[0], "str", &text),
        record("last", &[130], "Bool", &[1; 130]),
    ];
    let ends = records.iter().scan(0, |end, record| {
        *end += record.len();
        Some(*end)
    });
    (records.concat(), ends.collect())
}

fn specs(file: &[u8]) -> Vec<Expected> {
    let reader = Reader::new(file).unwrap();
    reader.entries().iter().map(|entry| entry.spec().clone()).collect()
}

#[test]
fn cut_at_every_byte() {
    let (file, ends) = sample();
    let specs = specs(&file);
    let options = VerifyOptions { crc: true, expected: Some(&specs) };
    for len in 0..file.len() {
        let cut = &file[..len];
        let verification = verify_source(cut, &options).unwrap();
        assert!(!verification.is_loadable(), "{len}");
        let missing = |kind| verification.errors().any(|finding| finding.kind == kind);
        assert!(missing(FindingKind::Missing) || missing(FindingKind::LengthMismatch), "{len}");
        match Reader::new(cut) {
            Ok(reader) => {
                // Exactly between two tensors; only the expectations show it.
                assert!(ends.contains(&len), "{len}");
                assert!(reader.entries().len() < specs.len());
            }
            Err(error) => {
                let kind = error.kind().unwrap();
                let between_slices = len == ends[1];
                let expected = match len {
                    0 => FindingKind::Empty,
                    // A single newline is text rather than the start of a record.
                    1 => FindingKind::NotACheckpoint,
                    _ if between_slices => FindingKind::LengthMismatch,
                    _ => FindingKind::Truncated,
                };
                // A file cut between its slices and in the record after them has both faults.
                let both = len > ends[1] && len < ends[2] && kind == FindingKind::LengthMismatch;
                assert!(kind == expected || both, "{len}: {error}");
                assert!(error.offset().is_none_or(|offset| offset <= len as u64), "{len}: {error}");
            }
        }
    }
}

#[test]
fn cut_in_the_trailer() {
    let (body, _) = sample();
    let whole = [&*body, &trailer(crc32fast::hash(&body))].concat();
    assert!(Reader::new(whole.clone()).is_ok());
    for len in body.len() + 1..whole.len() {
        let error = Reader::new(&whole[..len]).unwrap_err();
        assert!(matches!(error, Error::BadTrailer { .. }), "{len}: {error}");
        assert_eq!(error.offset(), Some(body.len() as u64));
    }
}

#[test]
fn a_cut_names_the_tensor() {
    let (file, ends) = sample();
    for len in ends[5] + 20..file.len() {
        let error = Reader::new(&file[..len]).unwrap_err();
        assert_eq!(error.tensor(), Some("last"), "{error}");
    }
}

/// Every other value of every byte, the last tensor's content aside: nothing panics, nothing is read outside the file, and what the
/// reader takes `verify` takes too, but for what only it calls an error.
#[test]
fn every_byte_changed() {
    let (mut file, _) = sample();
    for at in 0..file.len() - 128 {
        let original = file[at];
        for change in 1..=255 {
            file[at] = original ^ change;
            check(&file);
        }
        file[at] = original;
    }
}

#[test]
fn every_bit_flipped_before_a_checksum() {
    let (body, _) = sample();
    let mut file = [&*body, &trailer(crc32fast::hash(&body))].concat();
    for at in 0..file.len() {
        for bit in 0..8 {
            file[at] ^= 1 << bit;
            check(&file);
            let verification = verify_source(&file, &VerifyOptions::default()).unwrap();
            assert!(!verification.is_loadable(), "byte {at}, bit {bit}");
            file[at] ^= 1 << bit;
        }
    }
}

#[test]
fn every_byte_removed_or_doubled() {
    let (file, _) = sample();
    for at in 0..file.len() {
        check(&[&file[..at], &file[at + 1..]].concat());
        check(&[&file[..=at], &file[at..]].concat());
    }
}

fn check(file: &[u8]) {
    let verification = verify_source(file, &VerifyOptions::default()).unwrap();
    let mut shared = verification.errors().filter(|finding| {
        !matches!(
            finding.kind,
            FindingKind::Leftover
                | FindingKind::AmbiguousBf16
                | FindingKind::BadTrailer
                | FindingKind::CrcMismatch
        )
    });
    match Reader::new(file) {
        Ok(reader) => {
            assert_eq!(reader.entries().len(), verification.tensors);
            for entry in reader.entries() {
                assert_eq!(reader.read(entry).unwrap().len() as u64, entry.byte_len());
            }
            assert_eq!(shared.next(), None);
        }
        Err(Error::BadTrailer { .. }) => {}
        Err(error) => assert_eq!(shared.next().map(|found| found.kind), error.kind(), "{error}"),
    }
}

/// A file of any size that has no bytes of its own: reading it is counted.
#[derive(Debug)]
struct Sparse {
    head: Vec<u8>,
    size: u64,
    read: std::sync::atomic::AtomicU64,
}

impl Source for Sparse {
    fn size(&self) -> std::io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let left = self.size.saturating_sub(offset);
        let len = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.read.fetch_add(len as u64, std::sync::atomic::Ordering::Relaxed);
        buffer[..len].fill(0);
        let known = self.head.as_slice().read_at(&mut buffer[..len], offset)?;
        Ok(known.max(len))
    }
}

#[test]
fn a_huge_tensor_is_skipped() {
    let dims = [1 << 20, 1 << 20, 1 << 10];
    let spec = TensorSpec::new("huge", Dtype::UInt8, dims).unwrap();
    let options = mindspore_ckpt::LayoutOptions { slice_bytes: u64::MAX, crc: false };
    let layout = mindspore_ckpt::Layout::new(&[spec], options).unwrap();
    let head = layout.records()[0].header.clone();
    let size = layout.total_len();
    assert_eq!(size, head.len() as u64 + (1 << 50));
    let reader = Reader::new(Sparse { head, size, read: 0.into() }).unwrap();
    assert_eq!(reader.entries()[0].byte_len(), 1 << 50);
    assert!(reader.source().read.load(std::sync::atomic::Ordering::Relaxed) < 10_000);
    assert_eq!(reader.warnings()[0].kind, FindingKind::LargeFile);
    let mut last = [1];
    reader.read_at(&reader.entries()[0], (1 << 50) - 1, &mut last).unwrap();
    assert_eq!(last, [0]);
}
