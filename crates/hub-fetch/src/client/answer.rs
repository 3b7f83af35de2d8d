//! What a server answered.

use std::fmt;

use ureq::Body;
use ureq::http::HeaderMap;

use crate::Digest;

/// The last answer, and what the hub said on the way to it.
#[derive(Default)]
pub(crate) struct Answer {
    /// Who answered.
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Body>,
    /// The hub's digest of the file (`X-Linked-ETag`).
    pub(crate) linked: Option<Digest>,
    /// Its `ETag`, where that has the form of a digest: it is one on the hub, but perhaps not on a mirror.
    pub(crate) tagged: Option<Digest>,
    /// The hub's size of the file (`X-Linked-Size`).
    pub(crate) linked_size: Option<u64>,
}

/// The most that is kept of a server's message.
const MESSAGE: usize = 300;

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.header(name).and_then(|text| text.trim().parse().ok())
    }

    /// An `ETag` that means the same bytes (RFC 9110, section 8.8.1).
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.header("etag").map(str::trim).filter(|etag| etag.starts_with('"'))
    }

    /// Keeps what the hub says of the file.
    pub(super) fn note(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(size) = text("x-linked-size").and_then(|text| text.trim().parse().ok()) {
            self.linked_size = Some(size);
        }
        if let Some(digest) = text("x-linked-etag").and_then(of_etag) {
            self.linked = Some(digest);
        }
        self.tagged = text("etag").and_then(of_etag);
    }

    /// Why the hub refused, for people: its header, which has no escape sequences.
    pub(super) fn message(&self) -> String {
        let text = self.header("x-error-message").unwrap_or_default();
        text.chars().filter(|char| !char.is_control()).take(MESSAGE).collect()
    }
}

/// The hub's tags are digests: `"…"`, or `W/"…"`.
fn of_etag(etag: &str) -> Option<Digest> {
    let etag = etag.trim();
    Digest::from_hex(etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"'))
}

/// First byte, one after the last, and the size if it is told: `bytes 0-9/10`, `bytes 0-9/*`
/// (RFC 9110, section 14.4).
pub(crate) fn content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| -> Option<u64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    let size = if size == "*" { None } else { Some(number(size)?) };
    let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
    (first < end && size.is_none_or(|size| end <= size)).then_some((first, end, size))
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, status, headers, .. } = self;
        f.debug_struct("Answer")
            .field("url", url)
            .field("status", status)
            .field("headers", headers)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_answers() {
        assert_eq!(content_range("bytes 0-9/10"), Some((0, 10, Some(10))));
        assert_eq!(content_range(" bytes 5-5/* "), Some((5, 6, None)));
        for wrong in [
            "",
            "bytes",
            "bytes */10",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "items 0-9/10",
            "bytes 0-/10",
            "bytes -9/10",
            "bytes +0-9/10",
            "bytes 0-18446744073709551615/*",
            "bytes 0-9",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tags_are_digests() {
        let hex = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        for etag in [format!("\"{hex}\""), format!(" W/\"{hex}\""), hex.to_owned()] {
            assert_eq!(of_etag(&etag), Some(Digest::git_blob(b"")), "{etag}");
        }
        assert_eq!(of_etag("\"abc\""), None);
    }

    proptest! {
        #[test]
        fn any_text(text in ".*", numbers in "bytes [0-9]{0,25}-[0-9]{0,25}/[0-9*]{0,25}") {
            let _ = of_etag(&text);
            for text in [text, numbers] {
                if let Some((start, end, size)) = content_range(&text) {
                    prop_assert!(start < end && size.is_none_or(|size| end <= size));
                }
            }
        }
    }
}
