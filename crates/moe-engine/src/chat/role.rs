use serde::{Deserialize, Serialize};

/// Who speaks.
///
/// ```
/// use moe_engine::chat::Role;
///
/// assert_eq!(Role::from("assistant"), Role::Assistant);
/// assert_eq!(Role::from("functions.search"), Role::Tool("functions.search".into()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Role {
    /// Settings: identity, dates, effort, channels.
    System,
    /// Instructions (commonly the "system prompt") and function tools.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that answers, by its full name such as `functions.search`.
    Tool(String),
}

impl Role {
    /// The word that stands in a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool(name) => name,
        }
    }
}

/// Every word that is none of the four roles names a tool.
impl From<&str> for Role {
    fn from(word: &str) -> Self {
        match word {
            "system" => Self::System,
            "developer" => Self::Developer,
            "user" => Self::User,
            "assistant" => Self::Assistant,
            name => Self::Tool(name.to_owned()),
        }
    }
}

impl From<String> for Role {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        match role {
            Role::Tool(name) => name,
            named => named.as_str().to_owned(),
        }
    }
}
