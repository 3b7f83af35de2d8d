use serde::{Deserialize, Serialize};

use super::{ChatError, Effort, FunctionTool, Message, Prompt, RenderOptions, SystemConfig};

/// System settings, instructions, tools and messages, from which a prompt is rendered.
///
/// It keeps every message as it was said; what a prompt leaves out (earlier reasoning, for one) is
/// decided when it is rendered. It passes through `serde`, so a conversation can be saved.
///
/// ```
/// use moe_engine::chat::{Conversation, Effort, Message, RenderOptions};
///
/// let mut chat = Conversation::new()
///     .date("2025-06-28")
///     .effort(Effort::Low)
///     .instructions("Answer in one word.")
///     .user("Capital of France?");
/// chat.push(Message::analysis("Easy."));
/// chat.push(Message::answer("Paris"));
/// let text = chat.user("And Italy?").render(&RenderOptions::default())?.to_text();
/// assert!(text.contains("Reasoning: low"));
/// assert!(!text.contains("Easy."), "earlier reasoning is dropped");
/// # Ok::<(), moe_engine::chat::ChatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The system message; `None` leaves it out.
    pub system: Option<SystemConfig>,
    /// The developer's instructions; empty leaves them out.
    #[serde(default)]
    pub instructions: String,
    /// The functions the model may call.
    #[serde(default)]
    pub tools: Vec<FunctionTool>,
    /// What has been said.
    #[serde(default)]
    pub messages: Vec<Message>,
}

impl Conversation {
    /// An empty conversation with the default system message.
    #[must_use]
    pub fn new() -> Self {
        Self {
            system: Some(SystemConfig::default()),
            instructions: String::new(),
            tools: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Replaces the system settings.
    #[must_use]
    pub fn system(mut self, system: SystemConfig) -> Self {
        self.system = Some(system);
        self
    }

    /// Leaves the system message out.
    #[must_use]
    pub fn without_system(mut self) -> Self {
        self.system = None;
        self
    }

    /// Sets the current date, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(mut self, date: impl Into<String>) -> Self {
        self.system.get_or_insert_default().date = Some(date.into());
        self
    }

    /// Sets how much the model reasons.
    #[must_use]
    pub fn effort(mut self, effort: Effort) -> Self {
        self.system.get_or_insert_default().effort = effort;
        self
    }

    /// Sets the developer's instructions.
    #[must_use]
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = instructions.into();
        self
    }

    /// Adds a function the model may call.
    #[must_use]
    pub fn tool(mut self, tool: FunctionTool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds what the user says.
    #[must_use]
    pub fn user(self, content: impl Into<String>) -> Self {
        self.message(Message::user(content))
    }

    /// Adds a message in place, such as those a [`Parser`](super::Parser) collected.
    pub fn push(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// The conversation as a prompt.
    ///
    /// # Errors
    ///
    /// [`ChatError::InvalidName`] for a tool, recipient, channel or content type that would not be
    /// read back as one word, [`ChatError::SchemaTooDeep`] for a schema nested beyond reason.
    pub fn render(&self, options: &RenderOptions) -> Result<Prompt, ChatError> {
        super::render::render(self, *options)
    }
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}
