//! What a match is replaced by: text and groups.

use regex::Regex;

/// Reads a replacement for `pattern`: `\1`, as sed and Python spell a group, becomes `${1}`.
///
/// # Errors
/// When it names a group that the pattern does not have: regex would put nothing there, and names
/// would lose what was meant to stay.
pub(super) fn parse(pattern: &Regex, replacement: &str) -> Result<String, String> {
    let replacement = dollar_groups(replacement);
    for group in groups(&replacement) {
        let known = match group.parse::<usize>() {
            Ok(index) => index < pattern.captures_len(),
            Err(_) => pattern.capture_names().flatten().any(|name| name == group),
        };
        if !known {
            return Err(unknown(group));
        }
    }
    Ok(replacement)
}

fn unknown(group: &str) -> String {
    let digits = group.bytes().take_while(u8::is_ascii_digit).count();
    let (index, rest) = group.split_at(digits);
    let hint = match (index, rest) {
        ("", _) | (_, "") => "write $$ for a dollar sign".to_owned(),
        (index, rest) => format!("for group {index} and then {rest:?}, write ${{{index}}}{rest}"),
    };
    format!("the pattern has no group {group:?} ({hint})")
}

/// `\1` becomes `${1}`.
fn dollar_groups(replacement: &str) -> String {
    let mut out = String::with_capacity(replacement.len());
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let digits = escape[1..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push_str("${");
            out.push_str(&escape[1..=digits]);
            out.push('}');
        } else {
            out.push('\\');
        }
        rest = &escape[1 + digits..];
    }
    out + rest
}

/// The groups that regex reads in a replacement: `${anything}`, or `$` and all letters, digits and
/// underscores that follow. A `$` before anything else stands for itself, `$$` for one.
fn groups(replacement: &str) -> Vec<&str> {
    let mut groups = Vec::new();
    let mut rest = replacement;
    while let Some((_, after)) = rest.split_once('$') {
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some(braced) = rest.strip_prefix('{') {
            if let Some((group, after)) = braced.split_once('}') {
                groups.push(group);
                rest = after;
            }
        } else {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let (group, after) = rest.split_at(rest.bytes().take_while(word).count());
            groups.extend((!group.is_empty()).then_some(group));
            rest = after;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslash_groups_do_not_swallow_what_follows() {
        assert_eq!(dollar_groups(r"a\1b\\2"), r"a${1}b\${2}");
        assert_eq!(dollar_groups("$1_x"), "$1_x");
        assert_eq!(dollar_groups("tail\\"), "tail\\");
    }

    #[test]
    fn groups_are_those_that_regex_reads() {
        let pattern = Regex::new("(?<n>b)(c)").unwrap();
        for (replacement, found) in [
            ("x", &[][..]),
            ("$1_.$n", &["1_", "n"]),
            ("${1}_${n}$2", &["1", "n", "2"]),
            ("$$1 $ $-1 $", &[]),
            ("${1", &[]),
            ("${}${a b}$é", &["", "a b"]),
            ("$$$n", &["n"]),
        ] {
            assert_eq!(groups(replacement), found, "{replacement}");
            // With every group taken out, regex sees only text.
            let left = found.iter().fold(replacement.to_owned(), |text, group| {
                text.replacen(&format!("${{{group}}}"), "", 1).replacen(&format!("${group}"), "", 1)
            });
            assert_eq!(
                pattern.replace("abc", left.as_str()).len(),
                1 + left.replace("$$", "$").len()
            );
        }
    }
}
