use std::borrow::Cow;

use super::ChatError;

/// A special token of the `o200k_harmony` vocabulary.
///
/// ```
/// use moe_engine::chat::SpecialToken;
///
/// assert_eq!(SpecialToken::from_id(200_005), Some(SpecialToken::Channel));
/// assert_eq!(SpecialToken::Channel.text(), "<|channel|>");
/// assert_eq!(SpecialToken::from_id(17), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SpecialToken {
    /// `<|startoftext|>`, 199998: never part of a prompt.
    StartOfText,
    /// `<|endoftext|>`, 199999: padding, and a stop token.
    EndOfText,
    /// `<|return|>`, 200002: the model has answered; a stop token.
    Return,
    /// `<|constrain|>`, 200003: the content type follows.
    Constrain,
    /// `<|channel|>`, 200005: the channel follows.
    Channel,
    /// `<|start|>`, 200006: a message begins, its header follows.
    Start,
    /// `<|end|>`, 200007: a message ends; **not** a stop token.
    End,
    /// `<|message|>`, 200008: the header ends, the content follows.
    Message,
    /// `<|call|>`, 200012: a tool call ends; a stop token.
    Call,
    /// `<|endofprompt|>`, 200018.
    EndOfPrompt,
    /// A token without a meaning, with its id in the released vocabulary.
    Reserved(u32),
}

const NAMED: [(SpecialToken, u32, &str); 10] = [
    (SpecialToken::StartOfText, 199_998, "<|startoftext|>"),
    (SpecialToken::EndOfText, 199_999, "<|endoftext|>"),
    (SpecialToken::Return, 200_002, "<|return|>"),
    (SpecialToken::Constrain, 200_003, "<|constrain|>"),
    (SpecialToken::Channel, 200_005, "<|channel|>"),
    (SpecialToken::Start, 200_006, "<|start|>"),
    (SpecialToken::End, 200_007, "<|end|>"),
    (SpecialToken::Message, 200_008, "<|message|>"),
    (SpecialToken::Call, 200_012, "<|call|>"),
    (SpecialToken::EndOfPrompt, 200_018, "<|endofprompt|>"),
];

const RELEASED: std::ops::RangeInclusive<u32> = 199_998..=200_018;

impl SpecialToken {
    /// The token that has this id in the released vocabulary.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        let named = NAMED.iter().find(|(_, known, _)| *known == id).map(|(token, ..)| *token);
        named.or_else(|| RELEASED.contains(&id).then_some(Self::Reserved(id)))
    }

    /// The token written like this; reserved tokens are recognised if they are in the released
    /// vocabulary.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let named = NAMED.iter().find(|(.., known)| *known == text).map(|(token, ..)| *token);
        named.or_else(|| {
            let id = text.strip_prefix("<|reserved_")?.strip_suffix("|>")?.parse().ok()?;
            Self::from_id(id).filter(|token| *token == Self::Reserved(id) && token.text() == text)
        })
    }

    /// The token's id in the released vocabulary.
    #[must_use]
    pub fn id(self) -> u32 {
        match self {
            Self::Reserved(id) => id,
            named => NAMED.iter().find(|(token, ..)| *token == named).map_or(0, |(_, id, _)| *id),
        }
    }

    /// The token as it is written, such as `<|start|>`.
    #[must_use]
    pub fn text(self) -> Cow<'static, str> {
        match self {
            Self::Reserved(id) => Cow::Owned(format!("<|reserved_{id}|>")),
            named => {
                let text = NAMED.iter().find(|(token, ..)| *token == named).map(|(.., text)| *text);
                Cow::Borrowed(text.unwrap_or_default())
            }
        }
    }

    /// Whether generation ends at this token: `<|return|>`, `<|call|>` and `<|endoftext|>`.
    ///
    /// `<|end|>` only ends one message; the model goes on with the next.
    #[must_use]
    pub fn is_stop(self) -> bool {
        matches!(self, Self::Return | Self::Call | Self::EndOfText)
    }
}

/// Which ids the special tokens have in one vocabulary.
///
/// The released model uses [`SpecialIds::released`]; a small vocabulary made for tests has its own.
///
/// ```
/// use moe_engine::chat::{SpecialIds, SpecialToken};
///
/// let ids = SpecialIds::released();
/// assert_eq!(ids.id(SpecialToken::Start), Some(200_006));
/// assert_eq!(ids.token(200_007), Some(SpecialToken::End));
/// assert_eq!(ids.stop_ids(), [199_999, 200_002, 200_012]);
///
/// let tiny = ["<|endoftext|>", "<|return|>", "<|channel|>", "<|start|>", "<|end|>", "<|message|>", "<|call|>"];
/// let ids = SpecialIds::lookup(|text| tiny.iter().position(|t| *t == text).map(|i| 256 + i as u32))?;
/// assert_eq!(ids.id(SpecialToken::Start), Some(259));
/// assert_eq!(ids.id(SpecialToken::Constrain), None);
/// # Ok::<(), moe_engine::chat::ChatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialIds {
    entries: Vec<(SpecialToken, u32)>,
}

/// Without these no message can be written or read.
const REQUIRED: [SpecialToken; 6] = [
    SpecialToken::Start,
    SpecialToken::Message,
    SpecialToken::Channel,
    SpecialToken::End,
    SpecialToken::Return,
    SpecialToken::Call,
];

impl SpecialIds {
    /// The ids of the released vocabulary, 199998 to 200018.
    #[must_use]
    pub fn released() -> Self {
        let entries = RELEASED.filter_map(|id| SpecialToken::from_id(id).map(|token| (token, id)));
        Self { entries: entries.collect() }
    }

    /// A table of one's own.
    ///
    /// # Errors
    ///
    /// [`ChatError::DuplicateSpecial`] if a token or an id comes twice, [`ChatError::MissingSpecial`]
    /// if `<|start|>`, `<|message|>`, `<|channel|>`, `<|end|>`, `<|return|>` or `<|call|>` is absent.
    pub fn new(entries: impl IntoIterator<Item = (SpecialToken, u32)>) -> Result<Self, ChatError> {
        let mut table = Self { entries: Vec::new() };
        for (token, id) in entries {
            if table.id(token).is_some() || table.token(id).is_some() {
                return Err(ChatError::DuplicateSpecial { token, id });
            }
            table.entries.push((token, id));
        }
        match REQUIRED.into_iter().find(|token| table.id(*token).is_none()) {
            Some(token) => Err(ChatError::MissingSpecial { token }),
            None => Ok(table),
        }
    }

    /// The table a vocabulary gives when asked for each named token's text.
    ///
    /// # Errors
    ///
    /// As [`SpecialIds::new`].
    pub fn lookup(mut id_of: impl FnMut(&str) -> Option<u32>) -> Result<Self, ChatError> {
        Self::new(NAMED.iter().filter_map(|(token, _, text)| Some((*token, id_of(text)?))))
    }

    /// The id of a token, if the vocabulary has it.
    #[must_use]
    pub fn id(&self, token: SpecialToken) -> Option<u32> {
        self.entries.iter().find(|(known, _)| *known == token).map(|(_, id)| *id)
    }

    /// The special token with this id; `None` for ordinary tokens.
    #[must_use]
    pub fn token(&self, id: u32) -> Option<SpecialToken> {
        self.entries.iter().find(|(_, known)| *known == id).map(|(token, _)| *token)
    }

    /// The ids at which generation stops, ascending: `<|return|>`, `<|call|>`, and `<|endoftext|>` if
    /// the vocabulary has it. Never `<|end|>`.
    #[must_use]
    pub fn stop_ids(&self) -> Vec<u32> {
        let stops = self.entries.iter().filter(|(token, _)| token.is_stop());
        let mut ids: Vec<u32> = stops.map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

impl Default for SpecialIds {
    fn default() -> Self {
        Self::released()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_texts_and_tokens_agree() {
        let tokens: Vec<_> = (0..=300_000).filter_map(SpecialToken::from_id).collect();
        assert_eq!(tokens.len(), 21);
        for token in tokens {
            assert_eq!(SpecialToken::from_id(token.id()), Some(token));
            assert_eq!(SpecialToken::from_text(&token.text()), Some(token));
        }
        assert_eq!(SpecialToken::Reserved(200_000).text(), "<|reserved_200000|>");
        for text in ["", "<|reserved_200002|>", "<|reserved_0200000|>", "<|reserved_9|>", "start"] {
            assert_eq!(SpecialToken::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn stop_tokens_never_hold_end() {
        assert_eq!(SpecialIds::released().stop_ids(), [199_999, 200_002, 200_012]);
        assert!(!SpecialToken::End.is_stop());
    }

    #[test]
    fn tables_are_checked() {
        let all = REQUIRED.into_iter().zip(10..);
        assert!(SpecialIds::new(all.clone()).is_ok());
        assert_eq!(
            SpecialIds::new(all.clone().skip(1)),
            Err(ChatError::MissingSpecial { token: SpecialToken::Start })
        );
        let twice = all.clone().chain([(SpecialToken::Start, 99)]);
        assert!(matches!(SpecialIds::new(twice), Err(ChatError::DuplicateSpecial { id: 99, .. })));
        let same = all.chain([(SpecialToken::EndOfText, 10)]);
        assert!(matches!(SpecialIds::new(same), Err(ChatError::DuplicateSpecial { id: 10, .. })));
    }
}
