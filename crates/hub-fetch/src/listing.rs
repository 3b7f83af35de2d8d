//! What a repository has.

use serde::{Deserialize, Serialize};

use crate::name::{check_file, check_path};
use crate::{Digest, Error, Filter, RepoId, Result, Revision};

/// The files of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// The repository.
    pub repo: RepoId,
    /// As it was asked for.
    pub revision: Revision,
    /// The commit that the revision is.
    pub commit: String,
    /// Its files, by name.
    pub files: Vec<Entry>,
}

/// A file, as far as the hub told it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The path within the repository, with `/`.
    pub name: String,
    /// Bytes. Some mirrors do not tell.
    pub size: Option<u64>,
    /// The digest. Some mirrors do not tell.
    pub digest: Option<Digest>,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RemoteFile {
    /// The path within the repository, with `/`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What its content must be. Without one, only the size is checked.
    pub digest: Option<Digest>,
}

/// The files of a revision that are wanted, and those that are not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// The repository.
    pub repo: RepoId,
    /// As it was asked for.
    pub revision: Revision,
    /// The commit that the revision is.
    pub commit: String,
    /// What is wanted.
    pub files: Vec<RemoteFile>,
    /// What is not.
    pub left_out: Vec<Entry>,
}

impl Selection {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }
}

/// The answer of the hub, as far as it is used.
#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    #[serde(rename = "rfilename")]
    name: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    /// What the tree endpoint and older mirrors call it.
    oid: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Reads what `/api/models/REPO/revision/REVISION?blobs=true` answers.
    ///
    /// # Errors
    ///
    /// [`Error::Metadata`] when it is not such an answer, [`Error::FileName`] when a name leads out of the folder.
    ///
    /// ```
    /// use hub_fetch::Listing;
    ///
    /// let json = br#"{"sha": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "siblings": [
    ///     {"rfilename": "config.json", "size": 2, "blobId": "9e26dfeeb6e641a33dae4961196235bdb965b21b"}]}"#;
    /// let listing = Listing::from_json("somewhere", "me/mine".parse()?, "main".parse()?, json)?;
    /// assert_eq!(listing.files[0].size, Some(2));
    /// # Ok::<(), hub_fetch::Error>(())
    /// ```
    pub fn from_json(url: &str, repo: RepoId, revision: Revision, json: &[u8]) -> Result<Self> {
        let wrong = |reason: String| Error::Metadata { url: url.to_owned(), reason };
        let info: Info = serde_json::from_slice(json).map_err(|error| {
            wrong(format!("not a description of a repository with `sha` and `siblings`: {error}"))
        })?;
        if info.sha.len() != 40 || !info.sha.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong(format!("`sha` is {:?}, expected a commit of 40 digits", info.sha)));
        }
        let mut files = Vec::with_capacity(info.siblings.len());
        for sibling in info.siblings {
            check_path(&sibling.name)?;
            files.push(entry(sibling).map_err(wrong)?);
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        no_collisions(&files).map_err(wrong)?;
        Ok(Self { repo, revision, commit: info.sha.to_ascii_lowercase(), files })
    }

    /// Parts the wanted files from the others. Names that cannot be written everywhere are refused here.
    pub(crate) fn part(&self, filter: &Filter) -> Result<(Vec<Entry>, Vec<Entry>)> {
        let (taken, left): (Vec<_>, Vec<_>) =
            self.files.iter().cloned().partition(|file| filter.takes(&file.name));
        if taken.is_empty() {
            return Err(Error::NothingSelected {
                repo: format!("{} at {}", self.repo, self.revision),
                patterns: filter.to_string(),
                files: left.into_iter().map(|file| file.name).collect(),
            });
        }
        taken.iter().try_for_each(|file| check_file(&file.name))?;
        Ok((taken, left))
    }
}

fn entry(sibling: Sibling) -> Result<Entry, String> {
    let Sibling { name, size, blob_id, lfs } = sibling;
    let hex = |hex: Option<String>, len: usize| match hex {
        None => Ok(None),
        Some(hex) if hex.len() == len => match Digest::from_hex(&hex) {
            Some(digest) => Ok(Some(digest)),
            None => Err(format!("{name:?}: {hex:?} is not hexadecimal")),
        },
        Some(hex) => Err(format!("{name:?}: {hex:?} has not {len} digits")),
    };
    let (size, digest) = match lfs {
        Some(lfs) => {
            // For such a file, `blobId` is of a small text that points at it.
            let oid = lfs.oid.map(|oid| oid.trim_start_matches("sha256:").to_owned());
            (lfs.size.or(size), hex(lfs.sha256.or(oid), 64)?)
        }
        None => (size, hex(blob_id, 40)?),
    };
    Ok(Entry { name, size, digest })
}

/// No name twice, and none that is a folder of another; `files` are in order.
fn no_collisions(files: &[Entry]) -> Result<(), String> {
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    if let Some([name, _]) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{name:?} comes twice"));
    }
    for name in &names {
        let folders = name.match_indices('/').map(|(at, _)| &name[..at]);
        for folder in folders {
            if names.binary_search(&folder).is_ok() {
                return Err(format!("{folder:?} is a file and the folder of {name:?}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    fn parse(siblings: &str) -> Result<Listing> {
        let json = format!(r#"{{"sha": "{SHA}", "siblings": [{siblings}], "other": {{}}}}"#);
        Listing::from_json("url", "a/b".parse()?, "main".parse()?, json.as_bytes())
    }

    #[test]
    fn sizes_and_digests() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let listing = parse(&format!(
            r#"{{"rfilename": "w", "size": 134, "blobId": "{SHA}", "lfs": {{"sha256": "{sha256}", "size": 3, "pointerSize": 134}}}},
               {{"rfilename": "a", "size": 5, "blobId": "{SHA}"}},
               {{"rfilename": "v", "lfs": {{"oid": "sha256:{sha256}"}}, "size": 3}},
               {{"rfilename": "bare"}}"#
        ))
        .unwrap();
        let files: Vec<_> =
            listing.files.iter().map(|file| (file.name.as_str(), file.size, file.digest)).collect();
        let large = Some(Digest::sha256(b"abc"));
        let small = Some(Digest::git_blob(b""));
        let expected = [
            ("a", Some(5), small),
            ("bare", None, None),
            ("v", Some(3), large),
            ("w", Some(3), large),
        ];
        assert_eq!(files, expected);
        assert_eq!(listing.commit, SHA);
    }

    #[test]
    fn what_is_no_listing() {
        let refused = |siblings: &str, part: &str| {
            let error = parse(siblings).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        };
        refused(r#"{"rfilename": "../x"}"#, "is refused");
        refused(r#"{"rfilename": "/x"}"#, "absolute");
        refused(r#"{"rfilename": "x"}, {"rfilename": "x"}"#, "comes twice");
        refused(
            r#"{"rfilename": "x/y"}, {"rfilename": "x-"}, {"rfilename": "x"}"#,
            "and the folder of",
        );
        refused(r#"{"rfilename": "x", "size": -1}"#, "not a description");
        refused(r#"{"rfilename": "x", "size": 1e30}"#, "not a description");
        refused(r#"{"rfilename": "x", "blobId": "00"}"#, "40 digits");
        refused(&format!(r#"{{"rfilename": "x", "blobId": "{}"}}"#, "g".repeat(40)), "hexadecimal");
        refused(r#"{"rfilename": 3}"#, "not a description");
        let json = format!(r#"{{"sha": "{SHA}", "siblings": [{{"rfilename": "x"}}]}}"#);
        let read = |json: &str| {
            Listing::from_json("url", "a/b".parse().unwrap(), Revision::default(), json.as_bytes())
        };
        assert!(read(&json).is_ok());
        for end in 0..json.len() {
            let error = read(&json[..end]).unwrap_err();
            assert!(matches!(error, Error::Metadata { .. }), "{error}");
        }
        assert!(read(&json.replace(SHA, "main")).unwrap_err().to_string().contains("commit"));
    }

    #[test]
    fn nothing_selected_says_what_there_is() {
        let files: Vec<_> =
            (0..20).map(|index| format!(r#"{{"rfilename": "f{index}"}}"#)).collect();
        let listing = parse(&files.join(",")).unwrap();
        let error = listing.part(&Filter::engine()).unwrap_err().to_string();
        assert!(
            error.contains("config.json") && error.contains("f0, ") && error.contains("12 more"),
            "{error}"
        );
        let odd = parse(r#"{"rfilename": "a\\b"}"#).unwrap();
        assert!(odd.part(&Filter::all()).unwrap_err().to_string().contains("backslash"));
    }
}
