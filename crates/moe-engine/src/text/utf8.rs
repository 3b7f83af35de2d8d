/// Bytes in, complete characters out.
///
/// Characters cut between tokens are held back until they are whole. Bytes that cannot be part of any
/// become U+FFFD, one for each longest beginning of a character (Unicode's "maximal subpart"), so that
/// everything put out together is [`String::from_utf8_lossy`] of everything put in.
///
/// ```
/// use moe_engine::text::Utf8Stream;
///
/// let mut stream = Utf8Stream::new();
/// assert_eq!(stream.push(b"\xf0\x9f\x99"), "");
/// assert_eq!(stream.push(b"\x82 ok \xc3"), "🙂 ok ");
/// assert_eq!(stream.flush(), "\u{fffd}");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Utf8Stream {
    /// The beginning of a character, at most three bytes.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// An empty stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more bytes and gives the characters they complete.
    #[must_use = "the text is given out only once"]
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                }
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                    rest = broken;
                    match error.error_len() {
                        Some(length) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            rest = rest.get(length..).unwrap_or_default();
                        }
                        None => break,
                    }
                }
            }
        }
        let done = self.pending.len() - rest.len();
        self.pending.drain(..done);
        text
    }

    /// Ends the text: the beginning of a character that was held back becomes U+FFFD.
    ///
    /// The stream is empty then and can be used again.
    #[must_use = "the text is given out only once"]
    pub fn flush(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.pending).into_owned();
        self.pending.clear();
        text
    }

    /// How many bytes are held back, 0 to 3.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(pieces: &[&[u8]]) -> String {
        let mut stream = Utf8Stream::new();
        let mut text = String::new();
        for piece in pieces {
            text.push_str(&stream.push(piece));
            assert!(stream.pending() <= 3);
        }
        text + &stream.flush()
    }

    /// All strings of up to three bytes from those where UTF-8's rules change, whole and bytewise.
    #[test]
    fn every_edge_is_as_the_standard_library_has_it() {
        let edges = [
            0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
            0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        for a in edges {
            for b in edges {
                for c in edges {
                    for last in [0x41, 0x80] {
                        let bytes = [a, b, c, last];
                        let expected = String::from_utf8_lossy(&bytes);
                        assert_eq!(through(&[&bytes]), expected);
                        assert_eq!(through(&[&[a], &[b], &[c], &[last]]), expected);
                        assert_eq!(through(&[&[a, b], &[c, last], &[]]), expected);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_text(
            text in "[a-zé☕🙂\u{10ffff}]{0,20}",
            noise in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut bytes = text.into_bytes();
            for (place, byte) in noise {
                let place = place.index(bytes.len() + 1);
                bytes.insert(place, byte);
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(through(&pieces), String::from_utf8_lossy(&bytes));
        }
    }
}
