use serde::{Deserialize, Serialize};

use super::{Channel, Role};

/// What kind of text the content is, such as `json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContentType {
    /// The type's name.
    pub name: String,
    /// Whether `<|constrain|>` stands before the name.
    pub constrained: bool,
}

impl ContentType {
    /// `<|constrain|>json`, what the model writes for the arguments of a function.
    #[must_use]
    pub fn json() -> Self {
        Self { name: "json".to_owned(), constrained: true }
    }
}

/// Everything that stands before `<|message|>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Who speaks.
    pub role: Role,
    /// The channel, if one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Who is addressed: the tool that is called, or the assistant a tool answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The content's type, if one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentType>,
}

impl Header {
    /// A header with a role and nothing else.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self { role, channel: None, recipient: None, content_type: None }
    }
}

/// One message of a conversation.
///
/// The constructors make every kind the format knows; the fields allow any other.
///
/// ```
/// use moe_engine::chat::{Channel, Message};
///
/// let call = Message::tool_call("get_weather", r#"{"city":"Bern"}"#);
/// assert_eq!(call.header.recipient.as_deref(), Some("functions.get_weather"));
/// assert_eq!(call.header.channel, Some(Channel::Commentary));
/// assert_eq!(call.function(), Some("get_weather"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Role, channel, recipient and content type.
    #[serde(flatten)]
    pub header: Header,
    /// The text between `<|message|>` and the token that ends the message.
    pub content: String,
}

impl Message {
    /// A message with a role and nothing else in its header.
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { header: Header::new(role), content: content.into() }
    }

    /// What the person says.
    #[must_use]
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// The model's reasoning.
    #[must_use]
    pub fn analysis(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content).on(Channel::Analysis)
    }

    /// What the model says to the person before it calls tools.
    #[must_use]
    pub fn preamble(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content).on(Channel::Commentary)
    }

    /// The model's answer.
    #[must_use]
    pub fn answer(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content).on(Channel::Final)
    }

    /// The model's call of a function declared in namespace `functions`; `arguments` is JSON text.
    #[must_use]
    pub fn tool_call(function: &str, arguments: impl Into<String>) -> Self {
        let mut message = Self::new(Role::Assistant, arguments).on(Channel::Commentary);
        message.header.recipient = Some(format!("functions.{function}"));
        message.header.content_type = Some(ContentType::json());
        message
    }

    /// A function's answer, the text as it stands.
    ///
    /// The released template writes results as JSON, so a string with quotes around it:
    /// pass [`Json::to_spaced`](super::Json::to_spaced) to do the same.
    #[must_use]
    pub fn tool_result(function: &str, content: impl Into<String>) -> Self {
        let role = Role::Tool(format!("functions.{function}"));
        let mut message = Self::new(role, content).on(Channel::Commentary);
        message.header.recipient = Some("assistant".to_owned());
        message
    }

    /// The same message on another channel.
    #[must_use]
    pub fn on(mut self, channel: Channel) -> Self {
        self.header.channel = Some(channel);
        self
    }

    /// The function this message calls, without `functions.`; `None` if it calls none.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        match self.header.role {
            Role::Assistant => self.header.recipient.as_deref()?.strip_prefix("functions."),
            _ => None,
        }
    }

    /// Whether this is the model's reasoning, addressed to nobody.
    #[must_use]
    pub fn is_reasoning(&self) -> bool {
        self.header.role == Role::Assistant
            && self.header.channel == Some(Channel::Analysis)
            && self.header.recipient.is_none()
    }

    /// Whether this is an answer of the model that ends its turn: on channel `final`, or on none, and
    /// addressed to nobody.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.header.role == Role::Assistant
            && matches!(self.header.channel, Some(Channel::Final) | None)
            && self.header.recipient.is_none()
    }
}

/// What parts the words of a header: no name contains it.
pub(super) fn parts_words(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_through_json() {
        let messages = vec![
            Message::user("a\n<|end|>"),
            Message::tool_call("f", "{}"),
            Message::tool_result("f", "1"),
            Message::answer("x").on(Channel::Other("odd".into())),
        ];
        let text = serde_json::to_string(&messages).unwrap();
        assert!(text.starts_with(r#"[{"role":"user","content":"a\n<|end|>"}"#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Message>>(&text).unwrap(), messages);
    }

    #[test]
    fn kinds_are_told_apart() {
        assert!(Message::analysis("").is_reasoning());
        assert!(Message::answer("").is_answer());
        assert!(Message::new(Role::Assistant, "").is_answer());
        for message in [Message::user(""), Message::tool_call("f", ""), Message::preamble("")] {
            assert!(!message.is_answer() && !message.is_reasoning());
        }
        assert_eq!(Message::tool_result("f", "").function(), None);
    }
}
