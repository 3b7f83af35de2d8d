//! Which part holds which tensor.

use std::collections::BTreeMap;

use serde_json::Value;

use super::is_plain_name;

/// The file of every tensor, by the tensors' names.
pub(crate) type WeightMap = BTreeMap<String, String>;

/// Reads an index: a JSON object whose `weight_map` gives every tensor a file of the same folder.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn parse_index(bytes: &[u8]) -> Result<WeightMap, String> {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|error| format!("the index is not JSON: {error}"))?;
    let map = value.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or("the index has no \"weight_map\" object")?;
    let entry = |(tensor, file): (&String, &Value)| match file.as_str() {
        Some(name) if is_plain_name(name) => Ok((tensor.clone(), name.to_owned())),
        _ => Err(format!(
            "the index puts tensor {tensor:?} into {file}, which is no plain file name"
        )),
    };
    map.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_their_files() {
        let map = parse_index(br#"{"weight_map": {"a": "m-1.ckpt", "b": "m-0.ckpt"}}"#).unwrap();
        let file = |tensor: &str| map.get(tensor).map(String::as_str);
        assert_eq!((file("a"), file("b"), file("c")), (Some("m-1.ckpt"), Some("m-0.ckpt"), None));
    }

    #[test]
    fn what_is_no_index() {
        for (text, reason) in [
            ("{", "not JSON"),
            ("{}", "no \"weight_map\" object"),
            (r#"{"weight_map": ["a"]}"#, "no \"weight_map\" object"),
            (r#"{"weight_map": {"a": 1}}"#, "tensor \"a\" into 1, which is no plain file name"),
            (r#"{"weight_map": {"a": "../m"}}"#, "into \"../m\", which is no plain file name"),
        ] {
            let error = parse_index(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
