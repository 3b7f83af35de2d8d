//! Which files of a repository are wanted.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// Files that match one of `include` and none of `exclude`.
///
/// ```
/// use hub_fetch::Filter;
///
/// let engine = Filter::engine();
/// assert!(engine.takes("model-00001-of-00003.safetensors"));
/// assert!(!engine.takes("original/model.safetensors"));
/// assert!(Filter::all().takes("original/model.safetensors"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// What may be taken.
    pub include: Vec<Pattern>,
    /// What is left out all the same.
    pub exclude: Vec<Pattern>,
}

/// What loads a model: configuration, tokenizer, chat template, weights and their index.
const ENGINE: [&str; 9] = [
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "chat_template*",
    "*.safetensors",
    "*.safetensors.index.json",
];

impl Filter {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self { include: vec![Pattern("*".to_owned())], exclude: Vec::new() }
    }

    /// What an engine needs to run a model from the top folder: configuration, tokenizer, chat template,
    /// safetensors and their index. Folders (`original/`, `metal/`, `onnx/`) hold other forms of the same weights.
    #[must_use]
    pub fn engine() -> Self {
        let include = ENGINE.iter().map(|text| Pattern((*text).to_owned())).collect();
        Self { include, exclude: vec![Pattern("*/*".to_owned())] }
    }

    /// Patterns as given on a command line: any `include` replaces the default, any `exclude` adds to it.
    #[must_use]
    pub fn from_patterns(include: Vec<Pattern>, exclude: Vec<Pattern>) -> Self {
        let mut filter =
            if include.is_empty() { Self::engine() } else { Self { include, exclude: Vec::new() } };
        filter.exclude.extend(exclude);
        filter
    }

    /// True for a file that is wanted.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        any(&self.include) && !any(&self.exclude)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |patterns: &[Pattern]| {
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        write!(f, "{}", list(&self.include))?;
        if !self.exclude.is_empty() {
            write!(f, " without {}", list(&self.exclude))?;
        }
        Ok(())
    }
}

/// A pattern over whole paths, as in Python's `fnmatch`, which `huggingface_hub` uses: `*` is anything, `/`
/// included, `?` one character, `[abc]`, `[a-z]` and `[!a]` one of some. One that ends with `/` is a folder.
///
/// ```
/// use hub_fetch::Pattern;
///
/// let pattern: Pattern = "model-0000[1-2]*".parse()?;
/// assert!(pattern.matches("model-00002-of-00003.safetensors"));
/// assert!(!pattern.matches("model-00003-of-00003.safetensors"));
/// # Ok::<(), hub_fetch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// True when all of `name` matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut at, mut next) = (0, 0);
        // Where to go on after the last star, should what follows it not fit here.
        let mut star = None;
        loop {
            match pattern.get(next) {
                Some('*') => {
                    star = Some((at, next + 1));
                    next += 1;
                    continue;
                }
                None if at == name.len() => return true,
                Some(_) if at < name.len() => {
                    if let Some(len) = one(&pattern[next..], name[at]) {
                        (at, next) = (at + 1, next + len);
                        continue;
                    }
                }
                _ => {}
            }
            match &mut star {
                Some((from, after)) if *from < name.len() => {
                    *from += 1;
                    (at, next) = (*from, *after);
                }
                _ => return false,
            }
        }
    }
}

/// How much of the pattern matches this one character.
fn one(pattern: &[char], char: char) -> Option<usize> {
    match pattern[0] {
        '?' => Some(1),
        '[' => match set(pattern) {
            Some((members, len)) => contains(members, char).then_some(len),
            None => (char == '[').then_some(1),
        },
        literal => (literal == char).then_some(1),
    }
}

/// What stands between brackets, and the length with them. A bracket that comes first is a member.
fn set(pattern: &[char]) -> Option<(&[char], usize)> {
    let first = if pattern.get(1) == Some(&'!') { 3 } else { 2 };
    let close = first + pattern.get(first..)?.iter().position(|&char| char == ']')?;
    Some((&pattern[1..close], close + 1))
}

fn contains(members: &[char], char: char) -> bool {
    let (negated, mut members) = match members {
        ['!', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let mut found = false;
    while let Some(&first) = members.first() {
        let (last, len) = match members {
            [_, '-', last, ..] => (*last, 3),
            _ => (first, 1),
        };
        found |= (first..=last).contains(&char);
        members = &members[len..];
    }
    found != negated
}

impl FromStr for Pattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            let reason = "it is empty";
            return Err(Error::Form { what: "pattern", text: text.to_owned(), reason });
        }
        Ok(Self(if text.ends_with('/') { format!("{text}*") } else { text.to_owned() }))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(name)
    }

    #[test]
    fn as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*.json", "a/b.json", true),
            ("original/", "original/x", true),
            ("original/", "original", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", true),
            ("a?c", "ac", false),
            ("[abc]", "b", true),
            ("[!abc]", "b", false),
            ("[!abc]", "d", true),
            ("[a-c]x", "bx", true),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[", "[", true),
            ("[a", "[a", true),
            ("a[", "a[", true),
            ("[-a]", "-", true),
            ("[a-]", "-", true),
            ("[c-a]", "b", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbxx", false),
            ("中*", "中文", true),
            ("Config.json", "config.json", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        assert!("".parse::<Pattern>().is_err());
    }

    #[test]
    fn the_default_leaves_other_forms_out() {
        let gpt_oss = [
            (".gitattributes", false),
            ("LICENSE", false),
            ("README.md", false),
            ("USAGE_POLICY", false),
            ("chat_template.jinja", true),
            ("config.json", true),
            ("generation_config.json", true),
            ("metal/model.bin", false),
            ("model-00000-of-00002.safetensors", true),
            ("model.safetensors.index.json", true),
            ("original/config.json", false),
            ("original/model.safetensors", false),
            ("special_tokens_map.json", true),
            ("tokenizer.json", true),
            ("tokenizer_config.json", true),
        ];
        for (name, expected) in gpt_oss {
            assert_eq!(Filter::engine().takes(name), expected, "{name}");
        }
        let original = Filter::from_patterns(vec!["original/".parse().unwrap()], Vec::new());
        assert!(original.takes("original/model.safetensors") && !original.takes("config.json"));
        let fewer = Filter::from_patterns(Vec::new(), vec!["*.safetensors".parse().unwrap()]);
        assert!(fewer.takes("config.json") && !fewer.takes("model.safetensors"));
        assert!(!fewer.takes("original/config.json"));
    }

    /// Many stars must not take exponential time.
    #[test]
    fn many_stars() {
        assert!(!matches(&("*a".repeat(200) + "b"), &"a".repeat(2000)));
    }

    proptest! {
        #[test]
        fn as_a_regular_expression(pattern in "[ab/*?]{1,8}", name in "[ab/]{0,8}") {
            prop_assume!(!pattern.ends_with('/'));
            let regex = pattern.replace('?', ".").replace('*', ".*");
            let regex = regex::Regex::new(&format!("^(?s:{regex})$")).unwrap();
            prop_assert_eq!(matches(&pattern, &name), regex.is_match(&name));
        }

        #[test]
        fn any_text(pattern in ".+", name in ".*") {
            let _ = matches(&pattern, &name);
        }
    }
}
