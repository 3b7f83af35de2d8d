//! Bytes in pieces to rows in pieces.

use safeshards::Bytes;

/// Cuts pieces so that each is a whole number of rows; a row that lies in two pieces is copied.
///
/// A `MindSpore` checkpoint stores what is larger than 512 MiB in slices that end anywhere.
pub(super) fn whole_rows(pieces: &[Bytes], row_bytes: usize) -> Vec<Bytes> {
    let mut rows = Vec::new();
    // The beginning of a row whose rest is in the next piece.
    let mut begun: Vec<u8> = Vec::new();
    for piece in pieces {
        let mut rest = piece.clone();
        if !begun.is_empty() {
            let missing = (row_bytes - begun.len()).min(rest.len());
            begun.extend_from_slice(&rest[..missing]);
            rest = tail(&rest, missing);
            if begun.len() < row_bytes {
                continue;
            }
            rows.push(Bytes::from(std::mem::take(&mut begun)));
        }
        let whole = rest.len() - rest.len() % row_bytes.max(1);
        rows.extend(rest.slice(..whole).filter(|rows| !rows.is_empty()));
        begun.extend_from_slice(&rest[whole..]);
    }
    rows
}

/// All bytes in one.
pub(super) fn joined(pieces: &[Bytes]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| piece.iter().copied()).collect()
}

/// Those of some rows out of pieces that are whole rows.
pub(super) fn row_range(pieces: &[Bytes], begin: usize, end: usize) -> Vec<Bytes> {
    let mut at = 0;
    let mut part = Vec::new();
    for piece in pieces {
        let (from, to) = (begin.saturating_sub(at), end.saturating_sub(at).min(piece.len()));
        if from < to {
            part.extend(piece.slice(from..to));
        }
        at += piece.len();
    }
    part
}

fn tail(bytes: &Bytes, from: usize) -> Bytes {
    bytes.slice(from..).unwrap_or_else(|| Bytes::from(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(pieces: &[Bytes]) -> Vec<Vec<u8>> {
        pieces.iter().map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn rows_across_pieces_are_joined() {
        let all: Vec<u8> = (0..12).collect();
        for first in 0..=12 {
            for second in first..=12 {
                let whole = Bytes::from(all.clone());
                let cut = [(0, first), (first, second), (second, 12)];
                let cut = cut.map(|(from, to)| whole.slice(from..to).unwrap());
                let rows = whole_rows(&cut, 4);
                assert!(rows.iter().all(|piece| piece.len() % 4 == 0 && !piece.is_empty()));
                assert_eq!(joined(&rows), all, "cut at {first} and {second}");
                assert_eq!(joined(&row_range(&rows, 4, 12)), all[4..]);
                assert_eq!(joined(&row_range(&rows, 0, 8)), all[..8]);
            }
        }
    }

    #[test]
    fn whole_pieces_are_not_copied() {
        let whole = Bytes::from((0..16).collect::<Vec<u8>>());
        let rows = whole_rows(std::slice::from_ref(&whole), 8);
        assert_eq!(bytes(&rows).len(), 1);
        assert_eq!(rows[0].as_ptr(), whole.as_ptr());
    }
}
