//! Releases of CANN, as far as the functions that each brought go.

/// The first release that has a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Since {
    V8_1,
    V8_3,
    V8_5,
    V9_0,
    /// After 9.1.
    Head,
}

impl Since {
    /// The release of this name in the table of operators.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "8.1" => Self::V8_1,
            "8.3" => Self::V8_3,
            "8.5" => Self::V8_5,
            "9.0" => Self::V9_0,
            _ => Self::Head,
        }
    }
}
