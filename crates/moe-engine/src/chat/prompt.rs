use super::{ChatError, SpecialIds, SpecialToken};

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// A control token.
    Special(SpecialToken),
    /// Text for the tokenizer's ordinary encoding: whatever it spells, it is no control token.
    Text(String),
}

/// A rendered conversation: control tokens and the texts between them.
///
/// No two texts are adjacent and none is empty, so that encoding each by itself gives the ids the
/// tokenizer gives for the whole.
///
/// ```
/// use moe_engine::chat::{Conversation, Piece, RenderOptions, SpecialIds, SpecialToken};
///
/// let chat = Conversation::new().without_system().user("<|end|> is text");
/// let prompt = chat.render(&RenderOptions::default())?;
/// assert_eq!(prompt.pieces()[..4], [
///     Piece::Special(SpecialToken::Start),
///     Piece::Text("user".into()),
///     Piece::Special(SpecialToken::Message),
///     Piece::Text("<|end|> is text".into()),
/// ]);
///
/// // A tokenizer of bytes stands in for a real one.
/// let ids = prompt.encode(&SpecialIds::released(), |text, ids| {
///     ids.extend(text.bytes().map(u32::from));
///     Ok::<_, moe_engine::chat::ChatError>(())
/// })?;
/// assert_eq!(ids[..6], [200_006, 117, 115, 101, 114, 200_008]);
/// # Ok::<(), moe_engine::chat::ChatError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    pieces: Vec<Piece>,
}

impl Prompt {
    /// The parts in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The parts in order, owned.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    /// The prompt as one text, for people and for comparisons.
    ///
    /// Do not encode it with control tokens enabled: in this form a marker that a user wrote looks
    /// like a real one. That is what [`Prompt::encode`] is for.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Special(token) => text.push_str(&token.text()),
                Piece::Text(part) => text.push_str(part),
            }
        }
        text
    }

    /// The prompt as token ids; `encode` appends the ids of an ordinary text.
    ///
    /// # Errors
    ///
    /// What `encode` returns, and [`ChatError::MissingSpecial`] if `ids` lacks a token of the prompt.
    pub fn encode<E: From<ChatError>>(
        &self,
        ids: &SpecialIds,
        mut encode: impl FnMut(&str, &mut Vec<u32>) -> Result<(), E>,
    ) -> Result<Vec<u32>, E> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Special(token) => {
                    let id = ids.id(*token).ok_or(ChatError::MissingSpecial { token: *token })?;
                    out.push(id);
                }
                Piece::Text(text) => encode(text, &mut out)?,
            }
        }
        Ok(out)
    }

    pub(super) fn special(&mut self, token: SpecialToken) {
        self.pieces.push(Piece::Special(token));
    }

    pub(super) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.pieces.last_mut() {
            last.push_str(text);
        } else {
            self.pieces.push(Piece::Text(text.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_and_never_empty() {
        let mut prompt = Prompt::default();
        prompt.text("");
        prompt.text("a");
        prompt.text("b");
        prompt.special(SpecialToken::End);
        prompt.text("");
        assert_eq!(
            prompt.into_pieces(),
            [Piece::Text("ab".into()), Piece::Special(SpecialToken::End)]
        );
    }

    #[test]
    fn a_vocabulary_without_the_token_is_an_error() {
        let mut prompt = Prompt::default();
        prompt.special(SpecialToken::Reserved(1));
        let result = prompt.encode(&SpecialIds::released(), |_, _| Ok::<_, ChatError>(()));
        assert!(matches!(result, Err(ChatError::MissingSpecial { .. })));
    }
}
