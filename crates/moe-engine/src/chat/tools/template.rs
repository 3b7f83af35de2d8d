//! Declarations as the released chat template writes them.
//!
//! Its output is what the model is prompted with through transformers, so its peculiarities are kept:
//! a default's comment swallows the comma after it, and the properties of a nested object each stand
//! after a line break and sixteen spaces, the template's own indentation.

use super::{FunctionTool, MAX_DEPTH, requires, too_deep};
use crate::chat::{ChatError, Json};

pub(super) fn section(namespace: &str, tools: &[FunctionTool]) -> Result<String, ChatError> {
    let mut out = ["## ", namespace, "\n\nnamespace ", namespace, " {\n\n"].concat();
    for tool in tools {
        out.push_str(&["// ", &tool.description, "\ntype ", &tool.name, " = "].concat());
        let parameters = tool.parameters.as_ref();
        match parameters.and_then(|schema| Some((schema, properties(schema)?))) {
            None => out.push_str("() => any;\n\n"),
            Some((schema, properties)) => {
                out.push_str("(_: {\n");
                for (name, property) in properties {
                    let kind = type_of(property, MAX_DEPTH).ok_or_else(|| too_deep(&tool.name))?;
                    parameter(&mut out, name, requires(schema, name), property, &kind);
                }
                out.push_str("}) => any;\n\n");
            }
        }
    }
    out.push_str(&["} // namespace ", namespace].concat());
    Ok(out)
}

fn parameter(out: &mut String, name: &str, required: bool, schema: &Json, kind: &str) {
    if let Some(description) = truthy(schema, "description").and_then(Json::as_str) {
        out.push_str(&["// ", description, "\n"].concat());
    }
    out.push_str(&[name, if required { ": " } else { "?: " }, kind].concat());
    if let Some(default) = schema.get("default") {
        if truthy(schema, "enum").is_some() {
            out.push_str(&[", // default: ", &plain(default)].concat());
        } else if truthy(schema, "oneOf").is_some() {
            out.push_str(&["// default: ", &plain(default)].concat());
        } else {
            out.push_str(&[", // default: ", &default.to_spaced()].concat());
        }
    }
    out.push_str(",\n");
}

/// The type of a schema; `None` if it is nested deeper than `depth`.
fn type_of(schema: &Json, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let kind = schema.get("type");
    if let Some(kinds) = kind.and_then(Json::as_array).filter(|kinds| !kinds.is_empty()) {
        return Some(kinds.iter().map(plain).collect::<Vec<_>>().join(" | "));
    }
    let kind = kind.and_then(Json::as_str).unwrap_or_default();
    if kind != "array"
        && let Some(variants) = truthy(schema, "oneOf").and_then(Json::as_array)
    {
        return one_of(variants, depth);
    }
    Some(match kind {
        "array" => array(schema, depth)?,
        "string" => match truthy(schema, "enum").and_then(Json::as_array) {
            Some(values) => {
                let values: Vec<_> = values.iter().map(plain).collect();
                ["\"", &values.join("\" | \""), "\""].concat()
            }
            None => ["string", or_null(schema)].concat(),
        },
        "number" | "integer" => "number".to_owned(),
        "boolean" => "boolean".to_owned(),
        "object" => match properties(schema) {
            Some(properties) => object(schema, properties, depth)?,
            None => "object".to_owned(),
        },
        _ => "any".to_owned(),
    })
}

fn array(schema: &Json, depth: usize) -> Option<String> {
    let element = match truthy(schema, "items") {
        None => "any".to_owned(),
        Some(items) => match items.get("type").and_then(Json::as_str) {
            Some(simple @ ("string" | "number" | "boolean")) => simple.to_owned(),
            Some("integer") => "number".to_owned(),
            _ => {
                let inner = type_of(items, depth)?;
                let unwieldy = inner == "object | object" || inner.chars().count() > 50;
                if unwieldy { "any".to_owned() } else { inner }
            }
        },
    };
    Some([&element, "[]", or_null(schema)].concat())
}

fn one_of(variants: &[Json], depth: usize) -> Option<String> {
    let mut out = String::new();
    for (index, variant) in variants.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { " | \n" });
        out.push_str(&type_of(variant, depth)?);
        if let Some(description) = truthy(variant, "description").and_then(Json::as_str) {
            out.push_str(&["// ", description].concat());
        }
        if let Some(default) = variant.get("default") {
            out.push_str(&["                    // default: ", &default.to_spaced()].concat());
        }
    }
    Some(out)
}

fn object(schema: &Json, properties: &[(String, Json)], depth: usize) -> Option<String> {
    let mut out = "{\n".to_owned();
    for (index, (name, property)) in properties.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        let colon = if requires(schema, name) { ": " } else { "?: " };
        out.push_str(&[name, colon, "\n                "].concat());
        out.push_str(&type_of(property, depth)?);
    }
    out.push('}');
    Some(out)
}

fn properties(schema: &Json) -> Option<&[(String, Json)]> {
    truthy(schema, "properties").and_then(Json::as_object)
}

fn truthy<'a>(schema: &'a Json, name: &str) -> Option<&'a Json> {
    schema.get(name).filter(|value| value.is_truthy())
}

fn or_null(schema: &Json) -> &'static str {
    if truthy(schema, "nullable").is_some() { " | null" } else { "" }
}

/// A value as Python's `str` writes it.
fn plain(value: &Json) -> String {
    match value {
        Json::Str(text) => text.clone(),
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        other => other.to_spaced(),
    }
}
