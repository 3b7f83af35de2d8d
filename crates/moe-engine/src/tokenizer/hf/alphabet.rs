use std::borrow::Cow;
use std::sync::LazyLock;

use serde_json::Value;

/// How the words of a vocabulary are written in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// A character for each byte, as GPT-2 has it.
    Bytes,
    /// Text with `▁` for spaces, and `<0x0A>` for bytes.
    Spaces,
}

impl Alphabet {
    /// The alphabet that a file's decoder undoes.
    pub(super) fn of(decoder: Option<&Value>) -> Result<Self, String> {
        let Some(decoder) = decoder else {
            return Err("decoder is missing, expected \"ByteLevel\" or another".to_owned());
        };
        let mut kinds = Vec::new();
        collect_kinds(decoder, &mut kinds);
        if kinds == ["ByteLevel"] {
            return Ok(Self::Bytes);
        }
        match kinds.iter().find(|kind| !SPACES.contains(kind)) {
            None if !kinds.is_empty() => Ok(Self::Spaces),
            other => Err(format!(
                "decoder is {:?}, expected \"ByteLevel\", or a sequence of {}",
                other.copied().unwrap_or_default(),
                SPACES.join(", ")
            )),
        }
    }

    /// The bytes that a word of the file stands for.
    pub(super) fn read(self, word: &str) -> Cow<'_, [u8]> {
        match self {
            Self::Bytes => {
                let bytes: Option<Vec<u8>> = word.chars().map(byte_of).collect();
                // The decoder leaves a word with other characters as it stands.
                bytes.map_or(Cow::Borrowed(word.as_bytes()), Cow::Owned)
            }
            Self::Spaces => match fallback_byte(word) {
                Some(byte) => Cow::Owned(vec![byte]),
                None => Cow::Owned(word.replace(SPACE, " ").into_bytes()),
            },
        }
    }

    /// A text as the file would write it.
    pub(super) fn write(self, text: &str) -> String {
        match self {
            Self::Bytes => text.bytes().map(char_of).collect(),
            Self::Spaces => text.replace(' ', SPACE),
        }
    }

    /// The first byte that UTF-8 text can hold and for which there is no word, where each byte needs
    /// one.
    pub(super) fn missing_byte(self, mut has: impl FnMut(&str) -> bool) -> Option<u8> {
        let in_text = |byte: &u8| !matches!(byte, 0xc0 | 0xc1 | 0xf5..);
        let lacks = |byte: &u8| !has(char_of(*byte).encode_utf8(&mut [0; 4]));
        (0..=u8::MAX).filter(in_text).find(lacks).filter(|_| self == Self::Bytes)
    }
}

/// The decoders that [`Alphabet::Spaces`] is read without.
const SPACES: [&str; 5] = ["Metaspace", "Replace", "ByteFallback", "Fuse", "Strip"];

/// `SentencePiece`'s mark for a space, U+2581.
const SPACE: &str = "▁";

fn collect_kinds<'v>(decoder: &'v Value, kinds: &mut Vec<&'v str>) {
    match decoder.get("decoders").and_then(Value::as_array) {
        Some(decoders) => decoders.iter().for_each(|decoder| collect_kinds(decoder, kinds)),
        None => kinds.push(decoder.get("type").and_then(Value::as_str).unwrap_or_default()),
    }
}

/// The byte of `<0x0A>`.
fn fallback_byte(word: &str) -> Option<u8> {
    let digits = word.strip_prefix("<0x")?.strip_suffix('>')?;
    let hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| hex)
}

/// GPT-2's `bytes_to_unicode`: printable bytes of Latin-1 are themselves, the others follow from
/// U+0100, in order.
static CHARS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 0x100;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..) {
            return char::from(byte);
        }
        let replacement = char::from_u32(next).unwrap_or_default();
        next += 1;
        replacement
    })
});

/// The way back; the last replacement is U+0143.
static BYTES: LazyLock<[Option<u8>; 0x144]> = LazyLock::new(|| {
    let mut bytes = [None; 0x144];
    for (byte, &char) in (0..=u8::MAX).zip(CHARS.iter()) {
        if let Some(place) = bytes.get_mut(char as usize) {
            *place = Some(byte);
        }
    }
    bytes
});

fn char_of(byte: u8) -> char {
    CHARS[usize::from(byte)]
}

fn byte_of(char: char) -> Option<u8> {
    *BYTES.get(char as usize)?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_byte_has_a_character_of_its_own() {
        for byte in 0..=u8::MAX {
            assert_eq!(byte_of(char_of(byte)), Some(byte));
        }
        assert_eq!(
            (0..=char::MAX as u32).filter_map(char::from_u32).filter_map(byte_of).count(),
            256
        );
        // Of the released vocabulary: space, newline, tab, soft hyphen, DEL and NUL.
        let known = [(b' ', 'Ġ'), (b'\n', 'Ċ'), (b'\t', 'ĉ'), (0xad, 'Ń'), (0x7f, 'ġ'), (0, 'Ā')];
        for (byte, char) in known {
            assert_eq!(char_of(byte), char);
        }
    }

    #[test]
    fn words_are_read_and_written() {
        let bytes = Alphabet::Bytes;
        assert_eq!(*bytes.read("ĠcafÃ©"), *" café".as_bytes());
        assert_eq!(bytes.write(" café"), "ĠcafÃ©");
        assert_eq!(*bytes.read("Ã"), [0xc3]);
        assert_eq!(*bytes.read("日本"), *"日本".as_bytes());
        let spaces = Alphabet::Spaces;
        assert_eq!(*spaces.read("▁a▁b"), *b" a b");
        assert_eq!(*spaces.read("<0x0A>"), *b"\n");
        assert_eq!(*spaces.read("<0xfF>"), [0xff]);
        for text in ["<0x0>", "<0x0A", "<0x+A>", "<0x0A1>", "<0xé>"] {
            assert_eq!(*spaces.read(text), *text.as_bytes(), "{text}");
        }
        assert_eq!(spaces.write("a b"), "a▁b");
    }

    #[test]
    fn decoders_say_the_alphabet() {
        let of = |decoder| Alphabet::of(Some(&decoder));
        let kind = |kind: &str| json!({ "type": kind });
        let sequence = |kinds: &[&str]| {
            let decoders: Vec<_> = kinds.iter().map(|name| kind(name)).collect();
            json!({ "type": "Sequence", "decoders": decoders })
        };
        assert_eq!(of(kind("ByteLevel")), Ok(Alphabet::Bytes));
        assert_eq!(of(sequence(&["ByteLevel"])), Ok(Alphabet::Bytes));
        assert_eq!(of(kind("Metaspace")), Ok(Alphabet::Spaces));
        let llama = ["Replace", "ByteFallback", "Fuse", "Strip"];
        assert_eq!(of(sequence(&llama)), Ok(Alphabet::Spaces));
        let refused = [
            kind("WordPiece"),
            kind("CTC"),
            sequence(&["ByteLevel", "Strip"]),
            json!(3),
            sequence(&[]),
        ];
        for decoder in refused {
            let reason = of(decoder.clone()).unwrap_err();
            assert!(reason.starts_with("decoder is "), "{decoder} {reason}");
        }
        assert!(Alphabet::of(None).is_err());
    }

    #[test]
    fn a_missing_byte_is_found() {
        assert_eq!(Alphabet::Bytes.missing_byte(|_| true), None);
        assert_eq!(Alphabet::Bytes.missing_byte(|word| word != "Ġ"), Some(b' '));
        assert_eq!(Alphabet::Bytes.missing_byte(|word| word != "À"), None, "0xc0 is in no text");
        assert_eq!(Alphabet::Spaces.missing_byte(|_| false), None);
    }
}
