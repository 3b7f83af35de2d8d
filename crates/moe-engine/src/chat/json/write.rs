use super::Json;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Spaced,
    Compact,
}

impl Json {
    pub(super) fn write(&self, out: &mut String, style: Style) {
        let (comma, colon) = match style {
            Style::Spaced => (", ", ": "),
            Style::Compact => (",", ":"),
        };
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::UInt(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&float(*value, style)),
            Self::Str(text) => write_string(out, text),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { comma });
                    item.write(out, style);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (index, (name, value)) in entries.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { comma });
                    write_string(out, name);
                    out.push_str(colon);
                    value.write(out, style);
                }
                out.push('}');
            }
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let code = u32::from(control);
                out.push_str(if code < 16 { "\\u000" } else { "\\u001" });
                out.extend(char::from_digit(code % 16, 16));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Both styles turn to exponents at 10¹⁶, as Rust's `Debug` does; below, Python (like `Debug`) at 10⁻⁴ and
/// `serde_json` with the crate ryu, which the harmony library has, at 10⁻⁵. Python writes the
/// exponent's sign and at least two digits: `1e-05`, `1e+16`.
fn float(value: f64, style: Style) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    if style == Style::Compact {
        let plain = (1e-5..1e-4).contains(&value.abs());
        return if plain { value.to_string() } else { format!("{value:?}") };
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => match exponent.strip_prefix('-') {
            Some(magnitude) => format!("{digits}e-{magnitude:0>2}"),
            None => format!("{digits}e+{exponent:0>2}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_python_and_as_ryu_do() {
        for (text, spaced, compact) in [
            ("1e-5", "1e-05", "0.00001"),
            ("0.0001", "0.0001", "0.0001"),
            ("1e15", "1000000000000000.0", "1000000000000000.0"),
            ("1e16", "1e+16", "1e16"),
            ("1.5e300", "1.5e+300", "1.5e300"),
            ("-2.50", "-2.5", "-2.5"),
            ("-0.0", "-0.0", "-0.0"),
            ("9007199254740993", "9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615", "18446744073709551615"),
            ("-7", "-7", "-7"),
            ("9.99e-6", "9.99e-06", "9.99e-6"),
            ("99.15779958553563", "99.15779958553563", "99.15779958553563"),
        ] {
            let json: Json = text.parse().unwrap();
            assert_eq!((json.to_spaced().as_str(), json.to_compact().as_str()), (spaced, compact));
        }
    }

    #[test]
    fn strings_are_escaped_but_stay_unicode() {
        let json = Json::from("a\"\\\n\t\r\u{8}\u{c}\u{1}\u{7f}é☕");
        assert_eq!(json.to_spaced(), "\"a\\\"\\\\\\n\\t\\r\\b\\f\\u0001\u{7f}é☕\"");
        assert_eq!(json.to_compact(), serde_json::to_string(&json).unwrap());
    }
}
