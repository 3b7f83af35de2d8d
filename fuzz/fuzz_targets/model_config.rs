//! The configuration of a model: any text is one or an error, and one that is taken has sizes that fit together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use moe_engine::Config;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::from_json("config.json", text) {
        Ok(config) => {
            assert!(config.experts_per_token <= config.experts);
            assert_eq!(config.heads.query % config.heads.kv, 0);
            let _ = (config.kv_width(), config.query_width(), config.window(0));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
