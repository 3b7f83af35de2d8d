//! Which names of files a repository may bring into a folder.

use crate::partial::{PARTIAL, STATE};
use crate::{Error, RECORD, Result};

/// What no git tree can hold: only a hostile server sends it.
pub(crate) fn check_path(name: &str) -> Result<()> {
    let refuse = |reason| Err(Error::FileName { name: name.to_owned(), reason });
    if name.is_empty() {
        return refuse("it is empty");
    }
    if name.starts_with('/') {
        return refuse("it is an absolute path");
    }
    if name.contains('\0') {
        return refuse("it has a zero byte");
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("a part of its path is empty, '.' or '..'");
    }
    Ok(())
}

/// The longest name of a file on common file systems, less our longest suffix.
const LONGEST_PART: usize = 255 - PARTIAL.len() - STATE.len();

/// Names that are devices on Windows, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// What cannot be written everywhere as it is, or would meet our own files.
pub(crate) fn check_file(name: &str) -> Result<()> {
    check_path(name)?;
    let refuse = |reason| Err(Error::FileName { name: name.to_owned(), reason });
    if name.contains('\\') {
        return refuse("it has a backslash, which parts folders on some systems");
    }
    if name.chars().any(char::is_control) {
        return refuse("it has control characters");
    }
    let lower = name.to_lowercase();
    for part in lower.split('/') {
        if part.len() > LONGEST_PART {
            return refuse("a part of its path is too long");
        }
        if cfg!(windows) && is_special_on_windows(part) {
            return refuse("a part of its path is special on Windows");
        }
        if part.ends_with(PARTIAL) || part.ends_with(STATE) || part == RECORD {
            return refuse("it is a name that this download uses itself");
        }
    }
    Ok(())
}

fn is_special_on_windows(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default();
    let device = stem.trim_end_matches(|char: char| char.is_ascii_digit());
    part.contains(['<', '>', ':', '"', '|', '?', '*'])
        || part.ends_with(['.', ' '])
        || (DEVICES.contains(&device) && stem.len() <= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names() {
        for name in
            ["config.json", "a/b.safetensors", ".gitattributes", "中文.txt", "a..b", "con.fig"]
        {
            check_file(name).unwrap();
        }
    }

    #[test]
    fn hostile_names() {
        for name in ["", "/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "./a", "a\0b"] {
            let error = check_path(name).unwrap_err().to_string();
            assert!(error.contains("is refused"), "{error}");
        }
        let long = "x".repeat(250);
        for name in [
            "..\\x",
            "C:\\x",
            "a\nb",
            "a\u{1b}[2J",
            "m.partial",
            "M.PARTIAL",
            "m.partial.state",
            ".hub-fetch",
            "a/.hub-fetch",
            "d.partial/x",
            &long,
        ] {
            check_path(name).unwrap();
            assert!(check_file(name).is_err(), "{name}");
        }
    }

    #[test]
    fn devices_of_windows() {
        for part in ["con", "nul.txt", "com1", "lpt9.x", "a:b", "x.", "x "] {
            assert!(is_special_on_windows(part), "{part}");
        }
        for part in ["console", "config.json", "com", "auxiliary"] {
            assert_eq!(is_special_on_windows(part), part == "com", "{part}");
        }
    }
}
