//! Conversations in the form of the chat completions interface, as transformers takes them.

use super::{ChatError, Conversation, FunctionTool, Json, Message, SystemConfig};

impl Conversation {
    /// Reads messages, and tools if there are any, in the form of the chat completions interface.
    ///
    /// As in the released template: a first message of role `system` or `developer` holds the
    /// instructions; `thinking` is the assistant's reasoning; beside `tool_calls`, `content` is
    /// reasoning too; a `tool` message answers the latest call, and its content is written as JSON.
    /// Unlike there, arguments given as a string are taken for JSON text already written, and a
    /// later `system` or `developer` message is an error instead of being ignored.
    ///
    /// ```
    /// use moe_engine::chat::{Conversation, Message};
    ///
    /// let chat = Conversation::from_openai_json(
    ///     r#"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]"#,
    ///     None,
    /// )?;
    /// assert_eq!(chat.instructions, "Be brief.");
    /// assert_eq!(chat.messages, [Message::user("Hi")]);
    /// # Ok::<(), moe_engine::chat::ChatError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ChatError::Json`] and [`ChatError::Shape`], saying where.
    pub fn from_openai_json(messages: &str, tools: Option<&str>) -> Result<Self, ChatError> {
        let list = Json::parse(messages, "list of messages")?;
        let list = list.as_array().ok_or_else(|| shape("messages", "a list"))?;
        let mut chat = Self {
            system: Some(SystemConfig::default()),
            instructions: String::new(),
            tools: tools.map_or(Ok(Vec::new()), FunctionTool::list_from_json)?,
            messages: Vec::new(),
        };
        let mut last_call: Option<String> = None;
        for (index, entry) in list.iter().enumerate() {
            let at = format!("messages[{index}]");
            match entry.get("role").and_then(Json::as_str) {
                Some("system" | "developer") if index == 0 => {
                    chat.instructions = content(entry, &at)?;
                }
                Some("user") => chat.push(Message::user(content(entry, &at)?)),
                Some("assistant") => assistant(&mut chat, entry, &at, &mut last_call)?,
                Some("tool") => {
                    let expected = "a tool call by the assistant before it";
                    let function = last_call.as_deref().ok_or_else(|| shape(&at, expected))?;
                    let result = entry.get("content").unwrap_or(&Json::Null).to_spaced();
                    chat.push(Message::tool_result(function, result));
                }
                _ => {
                    let expected = "user, assistant or tool (system or developer only at first)";
                    return Err(shape(&(at + ".role"), expected));
                }
            }
        }
        Ok(chat)
    }
}

fn assistant(
    chat: &mut Conversation,
    entry: &Json,
    at: &str,
    last_call: &mut Option<String>,
) -> Result<(), ChatError> {
    let said = content(entry, at)?;
    let thought = string(entry.get("thinking"), at, ".thinking")?;
    let Some(calls) = entry.get("tool_calls") else {
        if entry.get("thinking").is_some() {
            chat.push(Message::analysis(thought));
        }
        chat.push(Message::answer(said));
        *last_call = None;
        return Ok(());
    };
    let at = format!("{at}.tool_calls");
    let Some([call]) = calls.as_array() else {
        return Err(shape(&at, "a list with one call"));
    };
    if !said.is_empty() && !thought.is_empty() {
        return Err(shape(&at, "either content or thinking beside it"));
    }
    let reasoning = said + &thought;
    if !reasoning.is_empty() {
        chat.push(Message::analysis(reasoning));
    }
    let call = call.get("function").unwrap_or(call);
    let name = call.get("name").and_then(Json::as_str);
    let name = name.ok_or_else(|| shape(&at, "a function with a name"))?;
    let arguments = match call.get("arguments") {
        None => return Err(shape(&at, "a function with arguments")),
        Some(Json::Str(text)) => text.clone(),
        Some(value) => value.to_spaced(),
    };
    chat.push(Message::tool_call(name, arguments));
    *last_call = Some(name.to_owned());
    Ok(())
}

/// The tools in a list of the chat completions interface.
pub(super) fn tools(list: &Json) -> Result<Vec<FunctionTool>, ChatError> {
    let list = list.as_array().ok_or_else(|| shape("tools", "a list"))?;
    list.iter().enumerate().map(|(index, entry)| tool(entry, &format!("tools[{index}]"))).collect()
}

fn tool(entry: &Json, at: &str) -> Result<FunctionTool, ChatError> {
    let function = entry.get("function").unwrap_or(entry);
    let name = function.get("name").and_then(Json::as_str);
    let name = name.ok_or_else(|| shape(at, "a function with a name"))?;
    let description = string(function.get("description"), at, ".description")?;
    let parameters = function.get("parameters").filter(|schema| **schema != Json::Null);
    Ok(FunctionTool { name: name.to_owned(), description, parameters: parameters.cloned() })
}

fn content(entry: &Json, at: &str) -> Result<String, ChatError> {
    string(entry.get("content"), at, ".content")
}

fn string(value: Option<&Json>, at: &str, field: &str) -> Result<String, ChatError> {
    match value {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::Str(text)) => Ok(text.clone()),
        Some(_) => Err(shape(&[at, field].concat(), "a string")),
    }
}

fn shape(at: &str, expected: &'static str) -> ChatError {
    ChatError::Shape { at: at.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_where_they_are() {
        for (messages, place) in [
            ("3", "messages"),
            ("[3]", "messages[0].role"),
            (r#"[{"role":"user","content":3}]"#, "messages[0].content"),
            (r#"[{"role":"user"},{"role":"system"}]"#, "messages[1].role"),
            (r#"[{"role":"tool","content":"x"}]"#, "messages[0]"),
            (r#"[{"role":"assistant","tool_calls":[]}]"#, "messages[0].tool_calls"),
            (r#"[{"role":"assistant","tool_calls":[{"name":"f"}]}]"#, "messages[0].tool_calls"),
        ] {
            match Conversation::from_openai_json(messages, None) {
                Err(ChatError::Shape { at, .. }) => assert_eq!(at, place),
                other => panic!("{messages}: {other:?}"),
            }
        }
        let unnamed = FunctionTool::list_from_json(r#"[{"name":"f"},{"function":{}}]"#);
        assert!(matches!(unnamed, Err(ChatError::Shape { at, .. }) if at == "tools[1]"));
    }

    #[test]
    fn arguments_given_as_text_are_taken_as_they_stand() {
        let messages = r#"[{"role":"assistant","content":null,"tool_calls":
            [{"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
            {"role":"tool","content":"done"}]"#;
        let chat = Conversation::from_openai_json(messages, None).unwrap();
        let expected =
            [Message::tool_call("f", r#"{"a":1}"#), Message::tool_result("f", "\"done\"")];
        assert_eq!(chat.messages, expected);
    }
}
