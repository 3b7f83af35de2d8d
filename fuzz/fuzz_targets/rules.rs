//! Rules over tensor names, from a file or from an argument: any text is rules or an error.

#![no_main]

use ckpt_convert::Rules;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = [
    "",
    "model.embed_tokens.weight",
    "model.layers.17.mlp.experts.gate_up_proj_blocks",
    "名字/\u{0}",
];

// Replacements multiply: some rules that each match everywhere make a name of any length.
const LONGEST_RENAME: usize = 200;

// The first byte chooses where the text comes from.
fuzz_target!(|data: &[u8]| {
    let Some((source, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut rules = Rules::default();
    let added = match source % 6 {
        0 => rules.add_text(text, false),
        1 => rules.add_text(text, true),
        2 => rules.add_rename(text),
        3 => rules.add_dtype(text),
        4 => rules.add_include(text),
        _ => rules.add_drop(text),
    };
    if let Err(error) = &added {
        assert!(!error.to_string().is_empty());
    }
    // What was added before an error has to hold as well.
    for name in NAMES {
        let _ = rules.takes(name);
        let _ = rules.dtype(name);
        if text.len() <= LONGEST_RENAME {
            let _ = rules.rename(name);
        }
    }
});
