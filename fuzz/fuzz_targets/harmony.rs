//! The harmony parser: any stream of control tokens and bytes, however it is cut, is the same messages,
//! and no control token becomes text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moe_engine::chat::{Message, Parser, SpecialToken, Token};

const SPECIAL: [SpecialToken; 8] = [
    SpecialToken::Start,
    SpecialToken::End,
    SpecialToken::Message,
    SpecialToken::Channel,
    SpecialToken::Constrain,
    SpecialToken::Return,
    SpecialToken::Call,
    SpecialToken::EndOfText,
];

// A byte of 0xF8 or more, which no UTF-8 has, is a control token; all others are text.
fuzz_target!(|data: &[u8]| {
    let runs = |longest: usize| {
        let parts = data.split_inclusive(|&byte| byte >= 0xF8);
        let mut tokens = Vec::new();
        for part in parts {
            let (text, special) = match part.split_last() {
                Some((&byte, text)) if byte >= 0xF8 => {
                    (text, Some(SPECIAL[usize::from(byte - 0xF8)]))
                }
                _ => (part, None),
            };
            tokens.extend(text.chunks(longest).map(Token::Bytes));
            tokens.extend(special.map(Token::Special));
        }
        messages(tokens)
    };
    let whole = runs(usize::MAX);
    assert_eq!(runs(1), whole);
    assert_eq!(runs(3), whole);
    // Text is only what was text.
    let said: usize = whole.iter().map(|message| message.content.len()).sum();
    assert!(said <= 3 * data.len());
});

fn messages(tokens: Vec<Token<'_>>) -> Vec<Message> {
    let mut parser = Parser::new();
    for token in tokens {
        let _ = parser.push(token);
    }
    let _ = parser.finish();
    parser.take_messages()
}
