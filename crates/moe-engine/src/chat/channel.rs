use serde::{Deserialize, Serialize};

/// Whom a message of the assistant is for.
///
/// ```
/// use moe_engine::chat::Channel;
///
/// assert_eq!(Channel::from("final"), Channel::Final);
/// assert_eq!(Channel::from("musing").as_str(), "musing");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Channel {
    /// The model's reasoning; not meant for the user.
    Analysis,
    /// Tool calls, and what the model says before making them.
    Commentary,
    /// The answer.
    Final,
    /// A channel the format does not define.
    Other(String),
}

impl Channel {
    /// The word that stands after `<|channel|>`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Analysis => "analysis",
            Self::Commentary => "commentary",
            Self::Final => "final",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for Channel {
    fn from(word: &str) -> Self {
        match word {
            "analysis" => Self::Analysis,
            "commentary" => Self::Commentary,
            "final" => Self::Final,
            name => Self::Other(name.to_owned()),
        }
    }
}

impl From<String> for Channel {
    fn from(word: String) -> Self {
        Self::from(word.as_str())
    }
}

impl From<Channel> for String {
    fn from(channel: Channel) -> Self {
        channel.as_str().to_owned()
    }
}
