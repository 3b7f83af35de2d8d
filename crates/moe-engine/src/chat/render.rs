use super::message::parts_words;
use super::tools::{functions_section, namespace_section};
use super::{
    Channel, ChatError, Conversation, Header, Message, Prompt, Role, SpecialToken, SystemConfig,
    today,
};

/// Whose rendering to reproduce.
///
/// | | [`Template`](Flavor::Template) | [`Library`](Flavor::Library) |
/// |---|---|---|
/// | follows | the chat template released with gpt-oss | `openai-harmony` 0.0.8 |
/// | no date given | the system clock's (UTC) | no line |
/// | after the instructions | always a blank line | only before the tools |
/// | content type `json` | ` json`, as text | ` <\|constrain\|>json` if constrained |
/// | reasoning | dropped once an answer follows | dropped before the first answer, if the assistant's last message is an answer |
/// | declarations of tools | a default's comment holds the comma; nested objects on one level | comments after commas; titles and examples; indented |
///
/// Both give token ids the model knows; the template is what most programs that run it use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Flavor {
    /// The chat template released with the model.
    #[default]
    Template,
    /// The `openai-harmony` library.
    Library,
}

/// What the rendered conversation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Purpose {
    /// The model goes on: ends with `<|start|>assistant`.
    #[default]
    Completion,
    /// A training example: an answer at the end keeps its reasoning and ends with `<|return|>`.
    Training,
    /// A record of what was said: ends with the last message.
    Record,
}

/// How to render a conversation.
///
/// ```
/// use moe_engine::chat::{Flavor, RenderOptions};
///
/// let options = RenderOptions { flavor: Flavor::Library, ..RenderOptions::default() };
/// assert!(!options.keep_reasoning);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RenderOptions {
    /// Whose rendering to reproduce.
    pub flavor: Flavor,
    /// What the result is for.
    pub purpose: Purpose,
    /// Keep all reasoning, also that of earlier turns.
    pub keep_reasoning: bool,
}

pub(super) fn render(chat: &Conversation, options: RenderOptions) -> Result<Prompt, ChatError> {
    let mut prompt = Prompt::default();
    if let Some(system) = &chat.system {
        let text = system_text(system, options.flavor, !chat.tools.is_empty())?;
        push_message(
            &mut prompt,
            &Header::new(Role::System),
            &text,
            SpecialToken::End,
            options.flavor,
        )?;
    }
    if let Some(text) = developer_text(chat, options.flavor)? {
        push_message(
            &mut prompt,
            &Header::new(Role::Developer),
            &text,
            SpecialToken::End,
            options.flavor,
        )?;
    }
    let last = chat.messages.len().wrapping_sub(1);
    for (index, message) in chat.messages.iter().enumerate() {
        if drops(&chat.messages, index, options) {
            continue;
        }
        let training = options.purpose == Purpose::Training && index == last;
        let end = if training && ends_training(message, options.flavor) {
            SpecialToken::Return
        } else if message.header.role == Role::Assistant && message.header.recipient.is_some() {
            SpecialToken::Call
        } else {
            // What the model ended with `<|return|>` is history now.
            SpecialToken::End
        };
        push_message(&mut prompt, &message.header, &message.content, end, options.flavor)?;
    }
    if options.purpose == Purpose::Completion {
        prompt.special(SpecialToken::Start);
        prompt.text(Role::Assistant.as_str());
    }
    Ok(prompt)
}

fn system_text(
    system: &SystemConfig,
    flavor: Flavor,
    has_functions: bool,
) -> Result<String, ChatError> {
    let date = match (&system.date, flavor) {
        (Some(date), _) => Some(date.clone()),
        (None, Flavor::Template) => Some(today()),
        (None, Flavor::Library) => None,
    };
    let mut text = [&system.identity, "\nKnowledge cutoff: ", &system.knowledge_cutoff].concat();
    if let Some(date) = date {
        text.push_str(&["\nCurrent date: ", &date].concat());
    }
    text.push_str(&["\n\nReasoning: ", system.effort.as_str()].concat());
    if !system.namespaces.is_empty() {
        text.push_str("\n\n# Tools");
    }
    for namespace in &system.namespaces {
        check_name("tool namespace", &namespace.name)?;
        for tool in &namespace.tools {
            check_name("tool", &tool.name)?;
        }
        text.push_str(&["\n\n", &namespace_section(namespace)?].concat());
    }
    text.push_str(
        "\n\n# Valid channels: analysis, commentary, final. \
         Channel must be included for every message.",
    );
    if has_functions {
        text.push_str("\nCalls to these tools must go to the commentary channel: 'functions'.");
    }
    Ok(text)
}

fn developer_text(chat: &Conversation, flavor: Flavor) -> Result<Option<String>, ChatError> {
    let mut sections = Vec::new();
    if !chat.instructions.is_empty() {
        sections.push(["# Instructions\n\n", &chat.instructions].concat());
    }
    if !chat.tools.is_empty() {
        for tool in &chat.tools {
            check_name("tool", &tool.name)?;
        }
        sections.push(["# Tools\n\n", &functions_section(flavor, &chat.tools)?].concat());
    } else if flavor == Flavor::Template {
        sections.push(String::new());
    }
    let present = !chat.instructions.is_empty() || !chat.tools.is_empty();
    Ok(present.then(|| sections.join("\n\n")))
}

fn push_message(
    prompt: &mut Prompt,
    header: &Header,
    content: &str,
    end: SpecialToken,
    flavor: Flavor,
) -> Result<(), ChatError> {
    prompt.special(SpecialToken::Start);
    push_header(prompt, header, flavor)?;
    prompt.special(SpecialToken::Message);
    prompt.text(content);
    prompt.special(end);
    Ok(())
}

fn push_header(prompt: &mut Prompt, header: &Header, flavor: Flavor) -> Result<(), ChatError> {
    check_role(&header.role)?;
    prompt.text(header.role.as_str());
    if let Some(recipient) = &header.recipient {
        check_name("recipient", recipient)?;
        // The library takes `all` for the default and does not write it.
        if flavor != Flavor::Library || recipient != "all" {
            prompt.text(" to=");
            prompt.text(recipient);
        }
    }
    if let Some(channel) = &header.channel {
        check_name("channel", channel.as_str())?;
        prompt.special(SpecialToken::Channel);
        prompt.text(channel.as_str());
    }
    if let Some(kind) = &header.content_type {
        check_name("content type", &kind.name)?;
        prompt.text(" ");
        if kind.constrained && flavor == Flavor::Library {
            prompt.special(SpecialToken::Constrain);
        }
        prompt.text(&kind.name);
    }
    Ok(())
}

/// Whether a message is reasoning that the prompt leaves out.
fn drops(messages: &[Message], index: usize, options: RenderOptions) -> bool {
    let Some((message, later)) = messages.get(index..).and_then(<[_]>::split_first) else {
        return false;
    };
    if options.keep_reasoning {
        return false;
    }
    match options.flavor {
        Flavor::Template => {
            let trains = options.purpose == Purpose::Training && leads_to_the_end(later);
            message.is_reasoning() && !trains && later.iter().any(Message::is_answer)
        }
        Flavor::Library => {
            let is_final = |message: &Message| message.header.channel == Some(Channel::Final);
            let by_assistant = |message: &&Message| message.header.role == Role::Assistant;
            message.header.channel == Some(Channel::Analysis)
                && messages.iter().rev().find(by_assistant).is_some_and(is_final)
                && messages.iter().position(is_final).is_some_and(|first| index < first)
        }
    }
}

/// Whether nothing but reasoning and words to the user lies before an answer that ends everything.
fn leads_to_the_end(later: &[Message]) -> bool {
    let Some((answer, between)) = later.split_last() else {
        return false;
    };
    let speech = |message: &Message| {
        message.header.role == Role::Assistant
            && message.header.recipient.is_none()
            && !message.is_answer()
    };
    answer.is_answer() && between.iter().all(speech)
}

fn ends_training(message: &Message, flavor: Flavor) -> bool {
    match flavor {
        Flavor::Template => message.is_answer(),
        Flavor::Library => {
            message.header.role == Role::Assistant && message.header.channel == Some(Channel::Final)
        }
    }
}

fn check_role(role: &Role) -> Result<(), ChatError> {
    let Role::Tool(name) = role else {
        return Ok(());
    };
    check_name("tool role", name)?;
    if Role::from(name.as_str()) == *role && !name.starts_with("to=") {
        return Ok(());
    }
    let detail = ", and not the word of another part of a header";
    Err(ChatError::InvalidName { what: "tool role", name: name.clone(), detail })
}

fn check_name(what: &'static str, name: &str) -> Result<(), ChatError> {
    if name.is_empty() || name.contains(parts_words) {
        return Err(ChatError::InvalidName { what, name: name.to_owned(), detail: "" });
    }
    Ok(())
}
