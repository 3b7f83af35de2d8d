//! An index from arbitrary bytes: a clean error, or one that survives writing and names only files
//! beside it.

#![no_main]

use safeshards::ShardIndex;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(index) = ShardIndex::parse("fuzz", data) else {
        return;
    };
    let _ = index.total_size();
    for name in index.shard_names() {
        assert!(!name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..");
    }
    let text = index.to_json().expect("an index is JSON");
    let again = ShardIndex::parse("again", text.as_bytes()).expect("what was written is read");
    assert_eq!(again.weight_map, index.weight_map);
});
