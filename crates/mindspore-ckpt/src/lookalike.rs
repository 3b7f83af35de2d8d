//! Files that are given for a checkpoint but are something else.

use std::fmt;

use crate::{Error, Result, Source};

/// Bytes of a file that tell what it is; the tar magic is the last of them.
const HEAD: usize = 512;

/// How MindSpore has encrypted a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encryption {
    /// AES in Galois/counter mode.
    AesGcm,
    /// AES in cipher block chaining mode.
    AesCbc,
    /// SM4 in cipher block chaining mode.
    Sm4Cbc,
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AesGcm => "AES-GCM",
            Self::AesCbc => "AES-CBC",
            Self::Sm4Cbc => "SM4-CBC",
        })
    }
}

/// A kind of file that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lookalike {
    /// A safetensors file.
    Safetensors,
    /// A zip archive, as `torch.save` writes.
    Zip,
    /// A Python pickle, as old `torch.save` writes.
    Pickle,
    /// A tar archive.
    Tar,
    /// A gzip stream.
    Gzip,
    /// A GGUF model.
    Gguf,
    /// An HDF5 file.
    Hdf5,
    /// A numpy array.
    Numpy,
    /// The pointer that git keeps in place of a large file.
    GitLfsPointer,
    /// A web page, often an error page saved by a download.
    Html,
    /// XML, often an error message of an object store.
    Xml,
    /// JSON.
    Json,
    /// Other text.
    Text,
    /// Nothing but zeros: space that a download reserved and did not fill.
    Zeros,
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Safetensors => "a safetensors file",
            Self::Zip => "a zip archive (perhaps a PyTorch checkpoint)",
            Self::Pickle => "a Python pickle (perhaps a PyTorch checkpoint)",
            Self::Tar => "a tar archive",
            Self::Gzip => "a gzip file",
            Self::Gguf => "a GGUF model",
            Self::Hdf5 => "an HDF5 file",
            Self::Numpy => "a numpy array",
            Self::GitLfsPointer => "a git-lfs pointer (fetch the file itself with `git lfs pull`)",
            Self::Html => "a web page (perhaps a failed download)",
            Self::Xml => "XML (perhaps a failed download)",
            Self::Json => "JSON",
            Self::Text => "text",
            Self::Zeros => "a preallocated file (it begins with zeros only)",
        })
    }
}

/// The first bytes of a file, to be judged.
#[derive(Debug)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    pub(crate) fn read<S: Source + ?Sized>(source: &S, size: u64) -> Result<Self> {
        let mut head = vec![0; HEAD.min(usize::try_from(size).unwrap_or(HEAD))];
        source.read_exact_at(&mut head, 0).map_err(Error::io("read", 0))?;
        Ok(Self(head))
    }

    /// Whether the first byte is the key of a record.
    pub(crate) fn begins_with_record(&self) -> bool {
        self.0.first() == Some(&0x0a)
    }

    pub(crate) fn encryption(&self) -> Option<Encryption> {
        match self.0.get(..4)? {
            [0xd8, 0x5e, 0x3a, 0x7f] => Some(Encryption::AesGcm),
            [0xd9, 0x5e, 0x3a, 0x7f] => Some(Encryption::AesCbc),
            [0xda, 0x5e, 0x3a, 0x7f] => Some(Encryption::Sm4Cbc),
            _ => None,
        }
    }

    pub(crate) fn lookalike(&self) -> Option<Lookalike> {
        let head = self.0.as_slice();
        let magic = [
            (&b"PK\x03\x04"[..], Lookalike::Zip),
            (b"\x1f\x8b", Lookalike::Gzip),
            (b"GGUF", Lookalike::Gguf),
            (b"\x89HDF\r\n\x1a\n", Lookalike::Hdf5),
            (b"\x93NUMPY", Lookalike::Numpy),
            (b"version https://git-lfs.github.com/spec/", Lookalike::GitLfsPointer),
        ];
        if let Some((_, kind)) = magic.into_iter().find(|(magic, _)| head.starts_with(magic)) {
            return Some(kind);
        }
        match head {
            [0x80, 2..=5, ..] => Some(Lookalike::Pickle),
            _ if head.get(257..262) == Some(b"ustar") => Some(Lookalike::Tar),
            _ if is_safetensors(head) => Some(Lookalike::Safetensors),
            _ if head.len() >= 4 && head.iter().all(|&byte| byte == 0) => Some(Lookalike::Zeros),
            _ => text_kind(head),
        }
    }
}

/// Eight bytes of length, at most the 100 MB that safetensors itself allows, then JSON.
fn is_safetensors(head: &[u8]) -> bool {
    head.split_first_chunk().is_some_and(|(len, json)| {
        (2..=100_000_000).contains(&u64::from_le_bytes(*len)) && json.starts_with(b"{")
    })
}

fn text_kind(head: &[u8]) -> Option<Lookalike> {
    let head = match str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut at the end of what was read.
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    if head.is_empty() || head.chars().any(|c| c.is_control() && !c.is_ascii_whitespace()) {
        return None;
    }
    let begins = |prefix: &str| {
        let start = head.trim_start().get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    Some(if begins("<!doctype html") || begins("<html") {
        Lookalike::Html
    } else if begins("<?xml") {
        Lookalike::Xml
    } else if begins("{") || begins("[") {
        Lookalike::Json
    } else {
        Lookalike::Text
    })
}
