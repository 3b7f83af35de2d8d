//! Taking the fields of a JSON object one by one.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The largest size that a field may give; larger ones are mistakes that would only overflow later.
const MAX_SIZE: u64 = 1 << 31;

/// The most layers; real models have about a hundred.
const MAX_LAYERS: usize = 10_000;

/// The fields of an object that nobody has asked for yet.
pub(super) struct Fields<'a> {
    path: &'a Path,
    /// What stands before a field's name in errors: `rope_scaling.` or nothing.
    prefix: String,
    map: Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(path: &'a Path, map: Map<String, Value>) -> Self {
        Self { path, prefix: String::new(), map }
    }

    pub(super) fn error(&self, field: &str, reason: impl Into<String>) -> Error {
        Error::config(self.path, format!("{}{field}", self.prefix), reason)
    }

    /// Whether the field is there and null.
    pub(super) fn is_null(&self, field: &str) -> bool {
        self.map.get(field) == Some(&Value::Null)
    }

    /// The value, `None` where the field is absent or null.
    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.map.remove(field).filter(|value| !value.is_null())
    }

    pub(super) fn object(&mut self, field: &str) -> Result<Option<Fields<'a>>> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Object(map)) => {
                let prefix = format!("{}{field}.", self.prefix);
                Ok(Some(Fields { path: self.path, prefix, map }))
            }
            Some(other) => Err(self.error(field, format!("expected an object, found {other}"))),
        }
    }

    /// A positive whole number. Null is none: transformers would take it for no number at all, not for the
    /// default.
    pub(super) fn size(&mut self, field: &str) -> Result<Option<usize>> {
        let Some(value) = self.map.remove(field) else { return Ok(None) };
        match value.as_u64() {
            Some(size) if (1..=MAX_SIZE).contains(&size) => Ok(Some(size as usize)),
            _ => Err(self.error(field, format!("expected a size of 1 to 2^31, found {value}"))),
        }
    }

    pub(super) fn size_or(&mut self, field: &str, default: usize) -> Result<usize> {
        Ok(self.size(field)?.unwrap_or(default))
    }

    pub(super) fn layers(&mut self) -> Result<Option<usize>> {
        let field = "num_hidden_layers";
        match self.size(field)? {
            Some(layers) if layers > MAX_LAYERS => {
                Err(self.error(field, format!("is {layers}, expected at most {MAX_LAYERS}")))
            }
            layers => Ok(layers),
        }
    }

    /// A finite positive number.
    pub(super) fn positive(&mut self, field: &str) -> Result<Option<f64>> {
        let Some(value) = self.map.remove(field) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number > 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err(self.error(field, format!("expected a positive number, found {value}"))),
        }
    }

    pub(super) fn positive_or(&mut self, field: &str, default: f64) -> Result<f64> {
        Ok(self.positive(field)?.unwrap_or(default))
    }

    /// The same, within the range of f32.
    pub(super) fn float_or(&mut self, field: &str, default: f32) -> Result<f32> {
        let Some(number) = self.positive(field)? else { return Ok(default) };
        match number as f32 {
            float if float > 0.0 && float.is_finite() => Ok(float),
            _ => Err(self.error(field, format!("expected a number in f32, found {number}"))),
        }
    }

    pub(super) fn flag_or(&mut self, field: &str, default: bool) -> Result<bool> {
        match self.take(field) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.error(field, format!("expected true or false, found {other}"))),
        }
    }

    pub(super) fn token_ids(&mut self, field: &str) -> Result<Vec<u32>> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(value) => token_ids(self.path, field, &value),
        }
    }

    /// The field may only be absent or have this value: the engine does nothing else.
    pub(super) fn only(&mut self, field: &str, value: &Value) -> Result<()> {
        match self.take(field) {
            Some(other) if other != *value => {
                Err(self.error(field, format!("is {other}; only {value} is supported")))
            }
            _ => Ok(()),
        }
    }

    /// Drops fields that say nothing about the computation.
    pub(super) fn ignore(&mut self, fields: &[&str]) {
        for field in fields {
            self.map.remove(*field);
        }
    }

    /// An error if a field is left that nobody asked for.
    pub(super) fn finish(self) -> Result<()> {
        match self.map.iter().next() {
            Some((field, value)) => Err(self.error(
                field,
                format!("unknown field (with value {value}); it might change the model"),
            )),
            None => Ok(()),
        }
    }
}

/// One token id or several.
pub(super) fn token_ids(path: &Path, field: &str, value: &Value) -> Result<Vec<u32>> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let ids = match value {
        Value::Array(ids) => ids.iter().map(one).collect(),
        other => one(other).map(|id| vec![id]),
    };
    ids.ok_or_else(|| {
        Error::config(path, field, format!("expected a token id or a list of them, found {value}"))
    })
}
