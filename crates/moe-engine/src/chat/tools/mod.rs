mod library;
mod template;

use serde::{Deserialize, Serialize};

use super::openai;
use super::{ChatError, Flavor, Json};

/// A function the model may call, declared in the developer message.
///
/// ```
/// use moe_engine::chat::{Conversation, FunctionTool, RenderOptions};
///
/// let tool = FunctionTool::new("get_weather", "The weather in a city.").parameters(
///     r#"{"type": "object", "required": ["city"],
///         "properties": {"city": {"type": "string", "description": "Name of the city"},
///                        "unit": {"type": "string", "enum": ["C", "F"], "default": "C"}}}"#
///         .parse()?,
/// );
/// let text = Conversation::new().tool(tool).render(&RenderOptions::default())?.to_text();
/// assert!(text.contains(r#"// The weather in a city.
/// type get_weather = (_: {
/// // Name of the city
/// city: string,
/// unit?: "C" | "F", // default: C,
/// }) => any;"#));
/// # Ok::<(), moe_engine::chat::ChatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionTool {
    /// Its name, without `functions.`.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// JSON schema of its arguments, an object schema; `None` for a function without arguments.
    #[serde(default)]
    pub parameters: Option<Json>,
}

impl FunctionTool {
    /// A function without arguments.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), parameters: None }
    }

    /// The same function with arguments: a JSON schema of type `object`.
    #[must_use]
    pub fn parameters(mut self, schema: Json) -> Self {
        self.parameters = Some(schema);
        self
    }

    /// Reads a list of tools in the form of the chat completions interface:
    /// `[{"type": "function", "function": {"name": …, "description": …, "parameters": …}}]`.
    ///
    /// # Errors
    ///
    /// [`ChatError::Json`] and [`ChatError::Shape`], saying where.
    pub fn list_from_json(text: &str) -> Result<Vec<Self>, ChatError> {
        openai::tools(&Json::parse(text, "list of tools")?)
    }
}

/// A group of tools with a name, such as a browser, declared in the system message.
///
/// Its calls go to `name.function`. A namespace without functions (a Python interpreter, say) is
/// called by its name alone; its description then stands as plain text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolNamespace {
    /// Its name.
    pub name: String,
    /// What it is for; may have several lines.
    #[serde(default)]
    pub description: String,
    /// Its functions.
    #[serde(default)]
    pub tools: Vec<FunctionTool>,
}

/// Deepest nesting of a schema that is rendered.
const MAX_DEPTH: usize = 64;

/// The section `## functions` for the developer message.
pub(super) fn functions_section(
    flavor: Flavor,
    tools: &[FunctionTool],
) -> Result<String, ChatError> {
    match flavor {
        Flavor::Template => template::section("functions", tools),
        Flavor::Library => library::section("functions", "", tools),
    }
}

/// The section of a built-in namespace for the system message.
///
/// The template's own texts for its two namespaces have the library's form.
pub(super) fn namespace_section(namespace: &ToolNamespace) -> Result<String, ChatError> {
    library::section(&namespace.name, &namespace.description, &namespace.tools)
}

fn too_deep(tool: &str) -> ChatError {
    ChatError::SchemaTooDeep { tool: tool.to_owned(), limit: MAX_DEPTH }
}

/// The names listed under `required`.
fn requires(schema: &Json, name: &str) -> bool {
    let required = schema.get("required").and_then(Json::as_array).unwrap_or_default();
    required.iter().any(|entry| entry.as_str() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> FunctionTool {
        let mut schema = Json::Object(vec![("type".into(), "string".into())]);
        for _ in 0..levels {
            let properties = Json::Object(vec![("x".into(), schema)]);
            schema = Json::Object(vec![
                ("type".into(), "object".into()),
                ("properties".into(), properties),
            ]);
        }
        FunctionTool::new("f", "").parameters(schema)
    }

    #[test]
    fn schemas_nested_too_deeply_are_refused() {
        for flavor in [Flavor::Template, Flavor::Library] {
            assert!(functions_section(flavor, &[nested(40)]).is_ok());
            let error = functions_section(flavor, &[nested(1_000)]).unwrap_err();
            assert_eq!(error, too_deep("f"));
        }
    }

    #[test]
    fn null_is_named_once() {
        let schema = r#"{"type": "object", "properties":
            {"a": {"type": ["string", "null"], "nullable": true}}}"#;
        let tool = FunctionTool::new("f", "").parameters(schema.parse().unwrap());
        let section = functions_section(Flavor::Library, &[tool]).unwrap();
        assert!(section.contains("\na?: string | null,\n"), "{section}");
    }

    #[test]
    fn schemas_of_any_shape_are_rendered() {
        let odd = [
            "true",
            "[]",
            "{}",
            r#"{"type": 3, "properties": []}"#,
            r#"{"type": "object", "properties": {"a": null, "b": [1], "c": {"type": []}}}"#,
            r#"{"type": "object", "required": 1, "properties": {"a": {"enum": 3, "default": {}}}}"#,
            r#"{"oneOf": {}, "properties": {"a": {"oneOf": [null, 1, {}], "default": 1}}}"#,
            r#"{"type": "object", "properties": {"a": {"type": "array", "items": [1]}}}"#,
            r#"{"type": "object", "properties": {"a": {"type": ["x", 1, null]}}}"#,
        ];
        for text in odd {
            let tool = FunctionTool::new("f", "d").parameters(text.parse().unwrap());
            for flavor in [Flavor::Template, Flavor::Library] {
                let section = functions_section(flavor, std::slice::from_ref(&tool)).unwrap();
                assert!(section.starts_with("## functions\n\nnamespace functions {\n\n"));
                assert!(section.ends_with("\n} // namespace functions"));
            }
        }
    }
}
