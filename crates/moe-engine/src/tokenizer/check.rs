use super::{Tokenizer, TokenizerError};

/// Refuses a tokenizer that was made for another model.
///
/// `rows` is the number of ids the model knows (`vocab_size` of its `config.json`), `end` the ids that
/// end a text (`eos_token_id`). A model may have more rows than the tokenizer has ids, for alignment.
/// Two vocabularies that differ in their ordinary words only are not told apart.
///
/// # Errors
///
/// [`TokenizerError::TooManyIds`], [`TokenizerError::UnknownEnd`] and [`TokenizerError::OrdinaryEnd`],
/// in this order.
pub fn check_vocabulary(
    tokenizer: &dyn Tokenizer,
    rows: usize,
    end: &[u32],
) -> Result<(), TokenizerError> {
    let ids = tokenizer.vocab_size();
    if ids > rows {
        return Err(TokenizerError::TooManyIds { ids, rows });
    }
    for &id in end {
        let Some(bytes) = tokenizer.token_bytes(id) else {
            return Err(TokenizerError::UnknownEnd { id });
        };
        if !tokenizer.is_special(id) {
            let text = String::from_utf8_lossy(bytes).into_owned();
            return Err(TokenizerError::OrdinaryEnd { id, text });
        }
    }
    Ok(())
}
