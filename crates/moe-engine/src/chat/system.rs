use serde::{Deserialize, Serialize};

use super::ToolNamespace;

/// How much the model reasons before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Little: the quickest answers.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Much.
    High,
}

impl Effort {
    /// The word in the system message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What the system message says.
///
/// ```
/// use moe_engine::chat::{Effort, SystemConfig};
///
/// let system = SystemConfig { effort: Effort::High, ..SystemConfig::default() };
/// assert_eq!(system.knowledge_cutoff, "2024-06");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SystemConfig {
    /// Who the model is; instructions belong into the developer message.
    pub identity: String,
    /// The month its knowledge ends, `YYYY-MM`.
    pub knowledge_cutoff: String,
    /// The current date, `YYYY-MM-DD`. What `None` means depends on the
    /// [`Flavor`](super::Flavor): the system clock's date, or no line.
    pub date: Option<String>,
    /// How much the model reasons.
    pub effort: Effort,
    /// Built-in tools such as a browser; functions belong into the developer message.
    pub namespaces: Vec<ToolNamespace>,
}

impl Default for SystemConfig {
    fn default() -> Self {
        Self {
            identity: "You are ChatGPT, a large language model trained by OpenAI.".to_owned(),
            knowledge_cutoff: "2024-06".to_owned(),
            date: None,
            effort: Effort::default(),
            namespaces: Vec::new(),
        }
    }
}
