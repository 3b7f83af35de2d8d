use super::SpecialToken;

/// What can be wrong with a conversation, a tool or a table of special tokens.
///
/// Parsing generated tokens has no errors: [`Parser`](super::Parser) makes the best of any stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// A name that stands in a header or a declaration would not be read back as one word.
    #[error("{what} {name:?}: expected a word without spaces or control characters{detail}")]
    InvalidName {
        /// What the name names: a recipient, a tool, a channel, a content type.
        what: &'static str,
        /// The name as given.
        name: String,
        /// A further condition the name breaks, or nothing.
        detail: &'static str,
    },
    /// A tool's parameter schema is nested too deeply to render.
    #[error("tool {tool:?}: schema nested deeper than {limit} levels")]
    SchemaTooDeep {
        /// The tool's name.
        tool: String,
        /// The deepest nesting that is rendered.
        limit: usize,
    },
    /// Text that should be JSON is not.
    #[error("{what}: not JSON, line {line} column {column}: {reason}")]
    Json {
        /// What was being read.
        what: &'static str,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1 (0 at the start of a line).
        column: usize,
        /// The fault.
        reason: String,
    },
    /// JSON of another shape than a list of chat messages or tools has.
    #[error("{at}: expected {expected}")]
    Shape {
        /// Where, as a path such as `messages[2].role`.
        at: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// A table of special tokens lacks one the format cannot do without, or one a prompt needs.
    #[error("no id for special token {}: expected one in the vocabulary", token.text())]
    MissingSpecial {
        /// The token without an id.
        token: SpecialToken,
    },
    /// A table of special tokens names a token or an id twice.
    #[error("special token {} and id {id}: expected each only once", token.text())]
    DuplicateSpecial {
        /// The token that came second.
        token: SpecialToken,
        /// Its id.
        id: u32,
    },
}
