mod serde;
mod write;

use std::str::FromStr;

use super::ChatError;
use write::Style;

/// A JSON value whose objects keep their order.
///
/// The order of a tool's parameters is part of the prompt, and `serde_json::Value` sorts it away
/// unless one of its features is on for the whole build. Integers beyond 64 bits become floats; floats
/// that are not finite are written as `null`. Text nested deeper than 128 levels is refused by
/// [`str::parse`].
///
/// ```
/// use moe_engine::chat::Json;
///
/// let json: Json = r#"{"b":[1,2.0],"a":null}"#.parse()?;
/// assert_eq!(json.to_spaced(), r#"{"b": [1, 2.0], "a": null}"#);
/// assert_eq!(json.to_compact(), r#"{"b":[1,2.0],"a":null}"#);
/// # Ok::<(), moe_engine::chat::ChatError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that an `i64` holds.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    Array(Vec<Json>),
    /// Names and values in the order they were written; of a name given twice the last value counts.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value of a name in an object; `None` for every other kind of value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Self::Object(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The object's entries, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&[(String, Json)]> {
        match self {
            Self::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// Written as Python's `json.dumps(value, ensure_ascii=False)` does: a space after `,` and `:`.
    ///
    /// The released chat template writes arguments, results and defaults in this form.
    #[must_use]
    pub fn to_spaced(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Style::Spaced);
        out
    }

    /// Written without any spaces, as the harmony library writes defaults.
    #[must_use]
    pub fn to_compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Style::Compact);
        out
    }

    /// Whether Python, and so a Jinja template, takes the value for true.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::UInt(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Object(entries) => !entries.is_empty(),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl FromStr for Json {
    type Err = ChatError;

    fn from_str(text: &str) -> Result<Self, ChatError> {
        Self::parse(text, "JSON value")
    }
}

impl Json {
    pub(super) fn parse(text: &str, what: &'static str) -> Result<Self, ChatError> {
        serde_json::from_str(text).map_err(|error| ChatError::Json {
            what,
            line: error.line(),
            column: error.column(),
            reason: error.to_string(),
        })
    }
}
