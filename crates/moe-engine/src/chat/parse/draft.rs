use crate::chat::message::parts_words;
use crate::chat::{Channel, ContentType, Header, Message, Role};

/// A header being read: texts, and the markers before them.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    opener: Opener,
    parts: Vec<Part>,
}

/// What stands before a header.
#[derive(Debug, Clone)]
pub(super) enum Opener {
    /// The role is known: the prompt named it, or the message before had it.
    Given(Role),
    /// `<|start|>`: the role comes first.
    Start,
    /// Nothing: the message before has ended.
    Nothing,
}

#[derive(Debug, Clone)]
struct Part {
    marker: Marker,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    Channel,
    Constrain,
}

impl Draft {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener, parts: vec![Part { marker: Marker::None, bytes: Vec::new() }] }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if let Some(part) = self.parts.last_mut() {
            part.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn channel(&mut self) {
        self.parts.push(Part { marker: Marker::Channel, bytes: Vec::new() });
    }

    pub(super) fn constrain(&mut self) {
        self.parts.push(Part { marker: Marker::Constrain, bytes: Vec::new() });
    }

    /// The header, when `<|message|>` shows that it is one.
    pub(super) fn header(&self) -> Header {
        let mut header = Header::new(Role::Assistant);
        for part in &self.parts {
            let text = String::from_utf8_lossy(&part.bytes);
            let mut rest: &str = &text;
            self.leading_word(part.marker, &mut rest, &mut header);
            for word in words(rest) {
                take_word(word, &mut header);
            }
        }
        header
    }

    /// The message made of a header that was never completed: what does not look like a header is
    /// content. `None` if there is no content, no channel and no recipient.
    pub(super) fn salvage(&self) -> Option<Message> {
        let mut header = Header::new(Role::Assistant);
        let mut content = String::new();
        for part in &self.parts {
            let text = String::from_utf8_lossy(&part.bytes);
            let mut rest: &str = &text;
            self.leading_word(part.marker, &mut rest, &mut header);
            while let Some(recipient) = recipient_of(first_word(rest)) {
                header.recipient.get_or_insert_with(|| recipient.to_owned());
                skip_word(&mut rest);
            }
            content.push_str(rest.trim_start());
        }
        if content.trim().is_empty() {
            content.clear();
        }
        let begun = !content.is_empty() || header.channel.is_some() || header.recipient.is_some();
        begun.then_some(Message { header, content })
    }

    /// Takes the word a marker announces off a part's text.
    fn leading_word(&self, marker: Marker, rest: &mut &str, header: &mut Header) {
        match marker {
            Marker::None => self.role(rest, header),
            Marker::Channel => {
                let word = first_word(rest);
                if !word.is_empty() && header.channel.is_none() {
                    header.channel = Some(Channel::from(word));
                }
                skip_word(rest);
            }
            Marker::Constrain => {
                let text = rest.trim_start_matches(parts_words);
                let in_name = |c: char| c.is_alphanumeric() || "_-+./".contains(c);
                let length = text.find(|c| !in_name(c)).unwrap_or(text.len());
                let (name, after) = text.split_at(length);
                if !name.is_empty() && header.content_type.is_none() {
                    let name = name.to_owned();
                    header.content_type = Some(ContentType { name, constrained: true });
                }
                *rest = after;
            }
        }
    }

    fn role(&self, rest: &mut &str, header: &mut Header) {
        let word = first_word(rest);
        let named = match &self.opener {
            Opener::Given(role) => {
                header.role = role.clone();
                word == role.as_str()
            }
            Opener::Start => !word.is_empty() && !word.starts_with("to="),
            Opener::Nothing => !matches!(Role::from(word), Role::Tool(_)),
        };
        if named {
            header.role = Role::from(word);
            skip_word(rest);
        }
    }
}

/// A word of a header behind the one its marker announced: a recipient or a content type.
///
/// The recipient may lack its `to=`; it is then known by the dot in its name.
fn take_word(word: &str, header: &mut Header) {
    let bare = Some(word).filter(|word| word.contains('.') && header.content_type.is_none());
    if let Some(recipient) = recipient_of(word).or(bare) {
        header.recipient.get_or_insert_with(|| recipient.to_owned());
    } else if header.content_type.is_none() {
        header.content_type = Some(ContentType { name: word.to_owned(), constrained: false });
    }
}

fn recipient_of(word: &str) -> Option<&str> {
    word.strip_prefix("to=").filter(|name| !name.is_empty())
}

/// Control characters part words as spaces do: a model may say anything, and what it said is rendered again.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(parts_words).filter(|word| !word.is_empty())
}

fn first_word(text: &str) -> &str {
    words(text).next().unwrap_or_default()
}

fn skip_word(text: &mut &str) {
    let start = text.trim_start_matches(parts_words);
    *text = start.get(first_word(start).len()..).unwrap_or_default();
}
