//! What the hub says of contents, and the same computed from files.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::{Error, Result};

/// The digest by which the hub knows a content.
///
/// ```
/// use hub_fetch::Digest;
///
/// let digest: Digest = "git:e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".parse()?;
/// assert_eq!(Digest::git_blob(b""), digest);
/// # Ok::<(), hub_fetch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Digest {
    /// Of a large file (LFS): the SHA-256 of its bytes.
    Sha256([u8; 32]),
    /// Of a small file: the name of its git blob, the SHA-1 of a header with the size and its bytes.
    GitBlob([u8; 20]),
}

impl Digest {
    /// The SHA-256 of bytes in memory.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }

    /// The name that git gives to a file of these bytes.
    #[must_use]
    pub fn git_blob(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::git_blob(bytes.len() as u64);
        hasher.update(bytes);
        hasher.finish()
    }

    /// From 64 hexadecimal digits (SHA-256) or 40 (git).
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        match hex.len() {
            64 => bytes(hex).map(Self::Sha256),
            40 => bytes(hex).map(Self::GitBlob),
            _ => None,
        }
    }

    /// That of a file of `size` bytes, computed in the same way as this one; `None` if it has not that size.
    /// `tick` is told what was read and can stop it.
    pub(crate) fn of_file(
        self,
        path: &Path,
        size: u64,
        mut tick: impl FnMut(u64) -> Result<()>,
    ) -> Result<Option<Self>> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut hasher = match self {
            Self::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Self::GitBlob(_) => Hasher::git_blob(size),
        };
        let mut buffer = vec![0; 1 << 20];
        let mut read = 0;
        loop {
            let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
            if count == 0 {
                return Ok((read == size).then(|| hasher.finish()));
            }
            hasher.update(&buffer[..count]);
            read += count as u64;
            tick(count as u64)?;
        }
    }
}

enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Hasher {
    fn git_blob(size: u64) -> Self {
        Self::GitBlob(Sha1::new_with_prefix(format!("blob {size}\0")))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::GitBlob(hasher) => Digest::GitBlob(hasher.finalize().into()),
        }
    }
}

fn bytes<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digits = hex.bytes().map(|byte| (byte as char).to_digit(16).map(|digit| digit as u8));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    bytes.try_into().ok()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes): (_, &[u8]) = match self {
            Self::Sha256(bytes) => ("sha256", bytes),
            Self::GitBlob(bytes) => ("git", bytes),
        };
        write!(f, "{kind}:")?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digest = match text.split_once(':') {
            Some(("sha256", hex)) => bytes(hex).filter(|_| hex.len() == 64).map(Self::Sha256),
            Some(("git", hex)) => bytes(hex).filter(|_| hex.len() == 40).map(Self::GitBlob),
            _ => None,
        };
        digest.ok_or_else(|| Error::Form {
            what: "digest",
            text: text.to_owned(),
            reason: "expected sha256: and 64 digits, or git: and 40",
        })
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        // FIPS 180-4 examples; `printf 'hello\n' | git hash-object --stdin`.
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::sha256(b"abc").to_string(), abc);
        let hello = "git:ce013625030ba8dba906f756967f9e9ca394464a";
        assert_eq!(Digest::git_blob(b"hello\n").to_string(), hello);
        for text in [abc, hello] {
            assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
            assert!(text[..text.len() - 1].parse::<Digest>().is_err());
            assert!(format!("{text}0").parse::<Digest>().is_err());
        }
        assert!("md5:00".parse::<Digest>().is_err());
        assert_eq!(Digest::from_hex(&"g".repeat(40)), None);
        assert_eq!(Digest::from_hex(&"ä".repeat(20)), None);
    }

    #[test]
    fn files_are_hashed_like_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let size = bytes.len() as u64;
        for digest in [Digest::sha256(&bytes), Digest::git_blob(&bytes)] {
            let mut read = 0;
            let tick = |count| {
                read += count;
                Ok(())
            };
            assert_eq!(digest.of_file(&path, size, tick).unwrap(), Some(digest));
            assert_eq!(read, size);
            assert_eq!(digest.of_file(&path, size + 1, |_| Ok(())).unwrap(), None);
            let stopped = digest.of_file(&path, size, |_| Err(Error::Cancelled));
            assert!(matches!(stopped, Err(Error::Cancelled)));
        }
    }
}
