use moe_engine::tokenizer::{Tokenizer, TokenizerError, check_vocabulary};

use super::tiny;

#[test]
fn the_models_own_is_taken() {
    let tokenizer = tiny();
    check_vocabulary(tokenizer, 384, &[2, 1, 8]).unwrap();
    check_vocabulary(tokenizer, 380, &[2]).unwrap();
    check_vocabulary(tokenizer, 380, &[]).unwrap();
}

#[test]
fn another_models_is_refused() {
    let tokenizer = tiny();
    let refused = |rows, end: &[u32]| check_vocabulary(tokenizer, rows, end).unwrap_err();
    let error = refused(379, &[2]);
    assert!(matches!(error, TokenizerError::TooManyIds { ids: 380, rows: 379 }));
    assert!(error.to_string().contains("up to 379, expected less than the model's 379"), "{error}");
    let error = refused(201_088, &[2, 200_002]);
    assert!(matches!(error, TokenizerError::UnknownEnd { id: 200_002 }), "{error}");
    let word = tokenizer.token_id(" the").unwrap();
    let error = refused(384, &[2, word]);
    assert!(error.to_string().contains(r#"ordinary text, " the", expected a special"#), "{error}");
}
