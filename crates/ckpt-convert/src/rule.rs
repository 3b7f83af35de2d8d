//! Rules over tensor names: which to take, what to call them, which type to give them.

mod replacement;

use std::fs;
use std::path::Path;

use lowfloat::DType;
use regex::Regex;
use serde::Deserialize;

use crate::{Error, Result};

/// What to do with tensors by name.
///
/// Patterns are [regular expressions](https://docs.rs/regex/latest/regex/#syntax) that may match
/// anywhere in a name; anchor them with `^` and `$` to match all of it. `include`, `drop` and
/// `dtypes` see the name before renaming; tensors that dequantising or packing makes are seen under
/// the names it gives them.
///
/// ```
/// use ckpt_convert::Rules;
///
/// let mut rules = Rules::default();
/// rules.add_rename(r"^model\.layers\.(\d+)\.=backbone.blocks.${1}.")?;
/// rules.add_dtype(r"norm=f32")?;
/// assert_eq!(rules.rename("model.layers.3.norm.weight"), "backbone.blocks.3.norm.weight");
/// # Ok::<(), ckpt_convert::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    include: Vec<Regex>,
    drop: Vec<Regex>,
    renames: Vec<Rename>,
    dtypes: Vec<DTypeRule>,
}

#[derive(Clone, Debug)]
struct Rename {
    pattern: Regex,
    replacement: String,
}

#[derive(Clone, Debug)]
struct DTypeRule {
    pattern: Regex,
    target: FloatTarget,
}

/// What becomes of a floating-point tensor.
///
/// As text: `keep`, `f32`, `bf16`, `f16`, `f64`, `f8_e4m3` or `f8_e5m2`. MindSpore cannot load fp8
/// from a `.ckpt` file, so such a plan is refused; safetensors hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FloatTarget {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is converted to this type, to nearest, ties to even.
    To(DType),
}

const ACCEPTED: &str = "f32, bf16, f16, f64, f8_e4m3, f8_e5m2, keep";

impl std::str::FromStr for FloatTarget {
    type Err = String;

    /// Reads `keep`, or a floating-point type; those of 16 and 32 bits in either common spelling
    /// (`bf16`, `bfloat16`).
    fn from_str(text: &str) -> Result<Self, String> {
        let name = match text.to_ascii_lowercase().as_str() {
            "keep" => return Ok(Self::Keep),
            "float32" | "fp32" => "F32".to_owned(),
            "float16" | "fp16" => "F16".to_owned(),
            "bfloat16" => "BF16".to_owned(),
            other => other.to_owned(),
        };
        match name.parse::<DType>() {
            Ok(dtype) if lowfloat::can_cast(DType::F32, dtype) => Ok(Self::To(dtype)),
            _ => Err(format!("{text:?} is not one of {ACCEPTED}")),
        }
    }
}

impl std::fmt::Display for FloatTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep => f.pad("keep"),
            Self::To(dtype) => f.pad(&dtype.name().to_ascii_lowercase()),
        }
    }
}

/// Far more than a name has anywhere; MindSpore takes 1,024 characters.
pub(crate) const LONGEST_NAME: usize = 1 << 16;

/// The form of a rules file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    rename: Vec<RenameEntry>,
    #[serde(default)]
    dtype: Vec<DTypeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameEntry {
    pattern: String,
    replacement: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DTypeEntry {
    pattern: String,
    dtype: String,
}

impl Rules {
    /// Takes only tensors whose name matches (or matches another `include`).
    ///
    /// # Errors
    /// [`Error::Rule`] when the pattern is not a regular expression.
    pub fn add_include(&mut self, pattern: &str) -> Result<()> {
        self.include.push(compile(pattern, pattern)?);
        Ok(())
    }

    /// Leaves out tensors whose name matches, included or not.
    ///
    /// # Errors
    /// [`Error::Rule`] when the pattern is not a regular expression.
    pub fn add_drop(&mut self, pattern: &str) -> Result<()> {
        self.drop.push(compile(pattern, pattern)?);
        Ok(())
    }

    /// Adds `REGEX=REPLACEMENT`, split at the first `=`. Every match in a name is replaced; `${1}`,
    /// `${name}` and `\1` stand for groups, `$$` for a dollar sign. Without braces a group's name
    /// is as long as it can be: `$1_` is not group 1. Rules work one after the other, each on the
    /// result of the one before.
    ///
    /// # Errors
    /// [`Error::Rule`] when there is no `=`, the pattern is not a regular expression, or the
    /// replacement names a group that it does not have.
    pub fn add_rename(&mut self, rule: &str) -> Result<()> {
        let (pattern, replacement) =
            rule.split_once('=').ok_or_else(|| wants(rule, "REGEX=REPLACEMENT"))?;
        self.push_rename(rule, pattern, replacement)
    }

    /// Adds `REGEX=DTYPE`, split at the last `=`; the type is what [`FloatTarget`] reads. The first
    /// rule that matches decides. Floats of all kinds are converted, f64 and fp8 too; integers never
    /// are, so a rule that matches only such tensors is without effect.
    ///
    /// # Errors
    /// [`Error::Rule`] when there is no `=`, the pattern is not a regular expression or the type
    /// is none that floats can become.
    pub fn add_dtype(&mut self, rule: &str) -> Result<()> {
        let (pattern, dtype) = rule.rsplit_once('=').ok_or_else(|| wants(rule, "REGEX=DTYPE"))?;
        self.push_dtype(rule, pattern, dtype)
    }

    /// Adds the rules of a file, TOML or (named `*.json`) JSON, after those already there:
    ///
    /// ```toml
    /// include = ['^model\.']
    /// drop = ['rotary']
    /// rename = [{ pattern = '^model\.', replacement = 'transformer.' }]
    /// dtype = [{ pattern = 'norm', dtype = 'f32' }]
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read or understood; unknown keys are refused.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
        let json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        self.add_text(&text, json).map_err(|error| match error {
            Error::Rule { rule, reason } if rule.is_empty() => {
                Error::Rule { rule: path.display().to_string(), reason }
            }
            other => other,
        })
    }

    /// Adds the rules of a text in the form that [`Rules::add_file`] reads.
    ///
    /// # Errors
    /// As [`Rules::add_file`]; an error of syntax names no rule.
    pub fn add_text(&mut self, text: &str, json: bool) -> Result<()> {
        let syntax = |reason: String| Error::Rule { rule: String::new(), reason };
        let file: RulesFile = if json {
            serde_json::from_str(text).map_err(|error| syntax(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| syntax(error.to_string()))?
        };
        file.include.iter().try_for_each(|pattern| self.add_include(pattern))?;
        file.drop.iter().try_for_each(|pattern| self.add_drop(pattern))?;
        for RenameEntry { pattern, replacement } in &file.rename {
            self.push_rename(pattern, pattern, replacement)?;
        }
        for DTypeEntry { pattern, dtype } in &file.dtype {
            self.push_dtype(pattern, pattern, dtype)?;
        }
        Ok(())
    }

    /// True when the tensor is to be taken.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let included =
            self.include.is_empty() || self.include.iter().any(|rule| rule.is_match(name));
        included && !self.drop.iter().any(|rule| rule.is_match(name))
    }

    /// The new name of a tensor.
    ///
    /// Rules that lengthen a name at every match could make it grow without bounds, so a name of
    /// more than 65,536 bytes is not renamed any further; no format takes it.
    #[must_use]
    pub fn rename(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for rule in &self.renames {
            if name.len() > LONGEST_NAME {
                break;
            }
            name = rule.pattern.replace_all(&name, rule.replacement.as_str()).into_owned();
        }
        name
    }

    /// What the first type rule that matches says.
    #[must_use]
    pub fn dtype(&self, name: &str) -> Option<FloatTarget> {
        self.dtypes.iter().find(|rule| rule.pattern.is_match(name)).map(|rule| rule.target)
    }

    /// The rules as text, the same for the same rules: part of a plan's identity.
    pub(crate) fn describe(&self) -> Vec<String> {
        let include = self.include.iter().map(|rule| format!("include {rule}"));
        let drop = self.drop.iter().map(|rule| format!("drop {rule}"));
        let renames =
            self.renames.iter().map(|rule| format!("rename {}={}", rule.pattern, rule.replacement));
        let dtypes =
            self.dtypes.iter().map(|rule| format!("dtype {}={}", rule.pattern, rule.target));
        include.chain(drop).chain(renames).chain(dtypes).collect()
    }

    fn push_rename(&mut self, rule: &str, pattern: &str, replacement: &str) -> Result<()> {
        let pattern = compile(rule, pattern)?;
        let wrong = |reason| Error::Rule { rule: rule.to_owned(), reason };
        let replacement = replacement::parse(&pattern, replacement).map_err(wrong)?;
        self.renames.push(Rename { pattern, replacement });
        Ok(())
    }

    fn push_dtype(&mut self, rule: &str, pattern: &str, dtype: &str) -> Result<()> {
        let pattern = compile(rule, pattern)?;
        let wrong = |reason| Error::Rule { rule: rule.to_owned(), reason };
        self.dtypes.push(DTypeRule { pattern, target: dtype.parse().map_err(wrong)? });
        Ok(())
    }
}

fn compile(rule: &str, pattern: &str) -> Result<Regex> {
    if pattern.is_empty() {
        let reason = "an empty pattern matches everywhere".to_owned();
        return Err(Error::Rule { rule: rule.to_owned(), reason });
    }
    Regex::new(pattern)
        .map_err(|error| Error::Rule { rule: rule.to_owned(), reason: error.to_string() })
}

fn wants(rule: &str, form: &str) -> Error {
    Error::Rule { rule: rule.to_owned(), reason: format!("expected {form}") }
}

#[cfg(test)]
mod tests;
