//! The token that says who asks.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Result};

/// A secret that is sent to the hub and to nobody else; it is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token as people paste it, with white space around; `None` if there is nothing else.
    ///
    /// # Errors
    ///
    /// When it has characters that cannot be sent. The error does not show it.
    ///
    /// ```
    /// use hub_fetch::Token;
    ///
    /// assert!(Token::new("HF_TOKEN", " hf_abc\n")?.is_some());
    /// assert!(Token::new("HF_TOKEN", "\n")?.is_none());
    /// # Ok::<(), hub_fetch::Error>(())
    /// ```
    pub fn new(origin: &str, text: &str) -> Result<Option<Self>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Setting {
                name: origin.to_owned(),
                reason: "the token has characters other than visible ASCII".to_owned(),
            });
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// Reads the file that `hf auth login` writes; `None` if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        match fs::read_to_string(path) {
            Ok(text) => Self::new(&path.display().to_string(), &text),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(Error::io("read", path)(error)),
        }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
