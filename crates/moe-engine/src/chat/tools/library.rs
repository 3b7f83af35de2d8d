//! Declarations as the `openai-harmony` library 0.0.8 writes them.

use super::{FunctionTool, MAX_DEPTH, requires, too_deep};
use crate::chat::{ChatError, Json};

pub(super) fn section(
    namespace: &str,
    description: &str,
    tools: &[FunctionTool],
) -> Result<String, ChatError> {
    let mut out = ["## ", namespace, "\n"].concat();
    for line in description.lines() {
        out.push_str(if tools.is_empty() { "\n" } else { "\n// " });
        out.push_str(line);
    }
    if tools.is_empty() {
        return Ok(out);
    }
    out.push_str(&["\nnamespace ", namespace, " {\n"].concat());
    for tool in tools {
        for line in tool.description.lines() {
            out.push_str(&["\n// ", line].concat());
        }
        out.push_str(&["\ntype ", &tool.name, " = "].concat());
        match &tool.parameters {
            None => out.push_str("() => any;\n"),
            Some(schema) => {
                let kind = type_of(schema, "", MAX_DEPTH).ok_or_else(|| too_deep(&tool.name))?;
                out.push_str(&["(_: ", &kind, ") => any;\n"].concat());
            }
        }
    }
    out.push_str(&["\n} // namespace ", namespace].concat());
    Ok(out)
}

/// The type of a schema; `None` if it is nested deeper than `depth`.
fn type_of(schema: &Json, indent: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    if let Some(variants) = schema.get("oneOf").and_then(Json::as_array) {
        return one_of(variants, indent, depth);
    }
    let kind = schema.get("type");
    let kinds = kind.and_then(Json::as_array).unwrap_or_default();
    let kinds: Vec<_> = kinds.iter().filter_map(Json::as_str).map(primitive).collect();
    if !kinds.is_empty() {
        return Some(kinds.join(" | "));
    }
    Some(match kind.and_then(Json::as_str).unwrap_or_default() {
        "object" => object(schema, indent, depth)?,
        "string" => {
            let values = schema.get("enum").and_then(Json::as_array).unwrap_or_default();
            let values: Vec<_> = values.iter().filter_map(Json::as_str).map(quoted).collect();
            if values.is_empty() { "string".to_owned() } else { values.join(" | ") }
        }
        simple @ ("number" | "integer" | "boolean") => primitive(simple).to_owned(),
        "array" => match schema.get("items") {
            Some(items) => type_of(items, indent, depth)? + "[]",
            None => "Array<any>".to_owned(),
        },
        _ => "any".to_owned(),
    })
}

fn primitive(kind: &str) -> &str {
    if kind == "integer" { "number" } else { kind }
}

/// A union that is not the value of a property.
fn one_of(variants: &[Json], indent: &str, depth: usize) -> Option<String> {
    let mut out = String::new();
    for variant in variants {
        out.push_str(
            &["\n", indent, " | ", &nullable_type(variant, indent, "   ", depth)?].concat(),
        );
        let description = text_of(variant, "description").map(str::to_owned);
        let default = variant.get("default").map(|default| {
            let value = match default {
                Json::Str(text) if !is_enum(variant) => quoted(text),
                other => other.to_compact(),
            };
            ["default: ", &value].concat()
        });
        push_comments(&mut out, description, default);
    }
    Some(out)
}

fn object(schema: &Json, indent: &str, depth: usize) -> Option<String> {
    let mut out = String::new();
    push_comment(&mut out, indent, text_of(schema, "description"));
    out.push_str("{\n");
    for (name, property) in schema.get("properties").and_then(Json::as_object).unwrap_or_default() {
        let colon = if requires(schema, name) { ":" } else { "?:" };
        if let Some(title) = text_of(property, "title") {
            out.push_str(&[indent, "// ", title, "\n", indent, "//\n"].concat());
        }
        let union = property.get("oneOf");
        if union.is_none() {
            push_comment(&mut out, indent, text_of(property, "description"));
        }
        push_examples(&mut out, indent, property);
        if let Some(variants) = union.and_then(Json::as_array) {
            push_union(&mut out, indent, &[name, colon].concat(), property, variants, depth)?;
            continue;
        }
        let kind = nullable_type(property, indent, "    ", depth)?;
        out.push_str(&[indent, name, colon, " ", &kind, ","].concat());
        if union.is_none() {
            let default = default_of(property).map(|text| ["default: ", &text].concat());
            push_comments(&mut out, None, default);
        }
        out.push('\n');
    }
    out.push_str(&[indent, "}"].concat());
    Some(out)
}

/// A property that is a union: one line for each variant.
fn push_union(
    out: &mut String,
    indent: &str,
    name: &str,
    property: &Json,
    variants: &[Json],
    depth: usize,
) -> Option<()> {
    let description = text_of(property, "description");
    let first = variants.first().and_then(|variant| text_of(variant, "description"));
    // A description that the first variant repeats is left to the variants, which then omit it too.
    let above = description.filter(|text| first != Some(text));
    push_comment(out, indent, above);
    if let Some(default) = default_of(property) {
        out.push_str(&[indent, "// default: ", &default, "\n"].concat());
    }
    out.push_str(&[indent, name, "\n"].concat());
    for (index, variant) in variants.iter().enumerate() {
        out.push_str(&[indent, " | ", &nullable_type(variant, indent, "   ", depth)?].concat());
        let own = text_of(variant, "description")
            .filter(|text| !(index == 0 && above.is_some()) && Some(*text) != description);
        let default = default_of(variant).map(|text| ["default: ", &text].concat());
        push_comments(out, own.map(str::to_owned), default);
        out.push('\n');
    }
    out.push_str(&[indent, ",\n"].concat());
    Some(())
}

fn nullable_type(schema: &Json, indent: &str, deeper: &str, depth: usize) -> Option<String> {
    let kind = type_of(schema, &[indent, deeper].concat(), depth)?;
    let nullable = schema.get("nullable") == Some(&Json::Bool(true));
    Some(if nullable && !kind.contains("null") { kind + " | null" } else { kind })
}

fn push_comment(out: &mut String, indent: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.push_str(&[indent, "// ", text, "\n"].concat());
    }
}

fn push_comments(out: &mut String, description: Option<String>, default: Option<String>) {
    let comments: Vec<_> = description.into_iter().chain(default).collect();
    if !comments.is_empty() {
        out.push_str(&[" // ", &comments.join(" ")].concat());
    }
}

fn push_examples(out: &mut String, indent: &str, property: &Json) {
    let examples = property.get("examples").and_then(Json::as_array).unwrap_or_default();
    if !examples.is_empty() {
        out.push_str(&[indent, "// Examples:\n"].concat());
    }
    for example in examples.iter().filter_map(Json::as_str) {
        out.push_str(&[indent, "// - ", &quoted(example), "\n"].concat());
    }
}

/// A default in a comment: strings in quotation marks unless they name a value of an enumeration.
fn default_of(schema: &Json) -> Option<String> {
    Some(match schema.get("default")? {
        Json::Str(text) if is_enum(schema) => text.clone(),
        Json::Str(text) => quoted(text),
        other => other.to_compact(),
    })
}

fn is_enum(schema: &Json) -> bool {
    schema.get("enum").and_then(Json::as_array).is_some_and(|values| !values.is_empty())
}

fn text_of<'a>(schema: &'a Json, name: &str) -> Option<&'a str> {
    schema.get(name).and_then(Json::as_str)
}

/// In quotation marks, unescaped.
fn quoted(text: &str) -> String {
    ["\"", text, "\""].concat()
}
