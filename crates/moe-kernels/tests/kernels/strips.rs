use moe_kernels::{Error, Strips};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_row_is_that_of_the_pieces_joined(
        row_bytes in 1..9usize,
        counts in proptest::collection::vec(0..5usize, 0..6),
    ) {
        let rows: usize = counts.iter().sum();
        let bytes: Vec<u8> = (0..rows * row_bytes).map(|i| i as u8).collect();
        let mut rest = &bytes[..];
        let pieces: Vec<&[u8]> =
            counts.iter().map(|count| rest.split_off(..count * row_bytes).unwrap()).collect();
        let strips = Strips::new(row_bytes, pieces).unwrap();
        prop_assert_eq!(strips.rows(), rows);
        prop_assert_eq!(strips.byte_len(), bytes.len());
        prop_assert_eq!(strips.pieces().len(), counts.len());
        for (i, row) in bytes.chunks(row_bytes).enumerate() {
            prop_assert_eq!(strips.row(i), Some(row));
        }
        prop_assert_eq!(strips.row(rows), None);
        prop_assert_eq!(strips.row(usize::MAX), None);
    }
}

#[test]
fn cut_rows_are_refused() {
    let error = Strips::new(3, vec![vec![0u8; 3], vec![0; 4]]).unwrap_err();
    assert_eq!(error, Error::CutRow { piece: 1, row_bytes: 3, bytes: 4 });
    let error = Strips::new(0, vec![vec![0u8; 3]]).unwrap_err();
    assert!(matches!(error, Error::Count { argument: "bytes of a row", found: 0, .. }));
}
