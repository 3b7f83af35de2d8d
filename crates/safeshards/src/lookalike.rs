//! What a file is that is not safetensors.

use std::fmt;

/// What the first bytes of a file say that it is, where that is not safetensors.
///
/// These are the mistakes people make: a clone without git-lfs, an error page saved by a
/// downloader, a `PyTorch` file renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LookAlike {
    /// The text file that git-lfs keeps in place of the content.
    GitLfsPointer,
    /// A web page, often an error or login page that a downloader saved.
    Html,
    /// A zip archive, as `PyTorch` writes since 1.6.
    Zip,
    /// A Python pickle, as `PyTorch` wrote before 1.6.
    Pickle,
    /// A gzip stream.
    Gzip,
    /// A llama.cpp model.
    Gguf,
    /// An HDF5 file, as Keras writes.
    Hdf5,
    /// A `NumPy` array.
    Npy,
    /// JSON text, such as an index or a config.
    Json,
}

impl LookAlike {
    /// Recognises a file by its first bytes.
    ///
    /// The first eight bytes of a sound file are a length, which may by chance begin like a pickle
    /// or gzip stream; so ask only about a file that was refused.
    pub(crate) fn recognise(start: &[u8]) -> Option<Self> {
        // Text may come after a byte order mark or blank lines.
        let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start).trim_ascii_start();
        let begins = |prefix: &[u8]| {
            text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        // git-lfs: docs/spec.md, "the first key is always version".
        if begins(b"version https://git-lfs") || begins(b"version https://hawser") {
            return Some(Self::GitLfsPointer);
        }
        if begins(b"<!doctype") || begins(b"<html") || begins(b"<head") || begins(b"<?xml") {
            return Some(Self::Html);
        }
        match start {
            [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8, ..] => Some(Self::Zip),
            // PROTO opcode and version 2 to 5 (pickletools), then the first opcode of the stream.
            [0x80, 2..=5, ..] => Some(Self::Pickle),
            [0x1F, 0x8B, ..] => Some(Self::Gzip),
            [b'G', b'G', b'U', b'F', ..] => Some(Self::Gguf),
            [0x89, b'H', b'D', b'F', ..] => Some(Self::Hdf5),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => Some(Self::Npy),
            _ if matches!(text, [b'{' | b'[', b'"' | b'{' | b'\n' | b'\r' | b' ' | b'}', ..]) => {
                Some(Self::Json)
            }
            _ => None,
        }
    }
}

impl fmt::Display for LookAlike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitLfsPointer => "a git-lfs pointer: run `git lfs pull` to fetch the content",
            Self::Html => "a web page: the download did not give the file itself",
            Self::Zip => "a zip archive (a PyTorch checkpoint?)",
            Self::Pickle => "a Python pickle (an old PyTorch checkpoint?)",
            Self::Gzip => "a gzip stream",
            Self::Gguf => "a GGUF model",
            Self::Hdf5 => "an HDF5 file",
            Self::Npy => "a NumPy array",
            Self::Json => "JSON text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let cases: [(&[u8], LookAlike); 10] = [
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", LookAlike::GitLfsPointer),
            (b"\n\n<!DOCTYPE html>", LookAlike::Html),
            (b"<HTML><body>", LookAlike::Html),
            (b"PK\x03\x04\x00\x00\x08\x08", LookAlike::Zip),
            (b"\x80\x02\x8a\x0al\xfc\x9c", LookAlike::Pickle),
            (b"\x1f\x8b\x08", LookAlike::Gzip),
            (b"GGUF\x03\0\0\0", LookAlike::Gguf),
            (b"\x89HDF\r\n\x1a\n", LookAlike::Hdf5),
            (b"\x93NUMPY\x01\0", LookAlike::Npy),
            (b"\xEF\xBB\xBF{\n  \"weight_map\"", LookAlike::Json),
        ];
        for (start, expected) in cases {
            assert_eq!(LookAlike::recognise(start), Some(expected));
        }
        for plain in [&b""[..], b"\0\0\0\0\0\0\0\0", b"\x48\0\0\0\0\0\0\0{\"a\":"] {
            assert_eq!(LookAlike::recognise(plain), None);
        }
    }
}
