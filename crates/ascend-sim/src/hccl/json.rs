//! As much JSON as a rank table needs: RFC 8259 without the surrogates of `\u`.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value that a text is; where it is none, the place in bytes and what was expected there.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let value = parser.value(0)?;
        parser.space();
        if parser.at < text.len() { Err(parser.expected("the end")) } else { Ok(value) }
    }

    /// A member of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The elements of a list, none of anything else.
    pub(super) fn list(&self) -> &[Self] {
        if let Self::List(list) = self { list } else { &[] }
    }

    /// A whole number, also one that is written as a string, as rank tables have them.
    pub(super) fn number(&self) -> Option<u32> {
        match self {
            Self::Number(text) | Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// Deeper than any rank table.
const DEEPEST: usize = 32;

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn expected(&self, what: &str) -> String {
        format!("byte {}: expected {what}", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn need(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.expected(token)) }
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        if depth > DEEPEST {
            return Err(self.expected("less depth"));
        }
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => Ok(Json::Number(self.digits())),
            _ if self.take("true") => Ok(Json::Bool(true)),
            _ if self.take("false") => Ok(Json::Bool(false)),
            _ if self.take("null") => Ok(Json::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.need("{")?;
        let mut members = Vec::new();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.need(":")?;
            members.push((name, self.value(depth + 1)?));
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            self.need(",")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, String> {
        self.need("[")?;
        let mut elements = Vec::new();
        if self.take("]") {
            return Ok(Json::List(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            if self.take("]") {
                return Ok(Json::List(elements));
            }
            self.need(",")?;
        }
    }

    fn digits(&mut self) -> String {
        let rest = &self.text[self.at..];
        let number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = rest.find(|c| !number(c)).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    fn string(&mut self) -> Result<String, String> {
        self.need("\"")?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                return Err(self.expected("the end of a string"));
            };
            self.at += c.len_utf8();
            match c {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return Err(self.expected("no control character")),
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let escape = self.peek().unwrap_or_default();
        let wrong = self.expected("an escape");
        let c = match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let digits = self.text.get(self.at + 1..self.at + 5).ok_or(wrong.clone())?;
                self.at += 4;
                u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or(wrong)?
            }
            _ => return Err(wrong),
        };
        self.at += 1;
        Ok(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let json = Json::parse(r#" {"a": [1, "2", null, true, -3.5e1], "b\n\u00e9": {}, "c":[]} "#)
            .unwrap();
        let list = json.get("a").unwrap().list();
        assert_eq!(
            (list[0].number(), list[1].number(), list[2].number()),
            (Some(1), Some(2), None)
        );
        assert_eq!(list[3], Json::Bool(true));
        assert_eq!(list[4], Json::Number("-3.5e1".into()));
        assert_eq!(json.get("b\né"), Some(&Json::Object(vec![])));
        assert_eq!(json.get("c").unwrap().list(), []);
        assert_eq!(json.get("d"), None);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(100);
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "1 2",
            "tru",
            "{a:1}",
            "\"\n\"",
            &deep,
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert_eq!(Json::parse("[1 2]").unwrap_err(), "byte 3: expected ,");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = Json::parse(&text);
        }
    }
}
