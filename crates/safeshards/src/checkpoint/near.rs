//! Names that somebody may have meant.

/// How many names an error suggests.
const SUGGESTIONS: usize = 3;

/// Longer names are compared by their ends alone: a hostile header may have megabytes of name.
const LONGEST: usize = 256;

/// The names nearest to `wanted`, nearest first; only those near enough to be a slip.
///
/// A forgotten or added prefix (`model.`) comes first, then small edit distances.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = (wanted.len() / 4).clamp(1, 8);
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let distance = if is_suffix(wanted, name) || is_suffix(name, wanted) {
                0
            } else {
                distance_within(wanted, name, limit)?
            };
            Some((distance, name))
        })
        .collect();
    found.sort_by_key(|&(distance, name)| (distance, name.len().abs_diff(wanted.len())));
    found.into_iter().take(SUGGESTIONS).map(|(_, name)| name.to_owned()).collect()
}

/// Whether `long` is `short` with some dotted parts before it.
fn is_suffix(short: &str, long: &str) -> bool {
    !short.is_empty() && long.strip_suffix(short).is_some_and(|prefix| prefix.ends_with('.'))
}

/// The Levenshtein distance in bytes, if it is at most `limit`.
fn distance_within(left: &str, right: &str, limit: usize) -> Option<usize> {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len().max(right.len()) > LONGEST || left.len().abs_diff(right.len()) > limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
        if row.iter().all(|&distance| distance > limit) {
            return None;
        }
    }
    row.last().copied().filter(|&distance| distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = [
        "lm_head.weight",
        "model.layers.0.self_attn.sinks",
        "model.layers.1.self_attn.sinks",
        "model.norm.weight",
    ];

    #[test]
    fn prefixes_and_slips_are_found() {
        assert_eq!(nearest("norm.weight", NAMES.into_iter()), ["model.norm.weight"]);
        assert_eq!(nearest("model.lm_head.weight", NAMES.into_iter()), ["lm_head.weight"]);
        assert_eq!(
            nearest("model.layers.0.self_attn.sink", NAMES.into_iter()),
            ["model.layers.0.self_attn.sinks", "model.layers.1.self_attn.sinks"]
        );
        assert!(nearest("vision.patch_embed", NAMES.into_iter()).is_empty());
        assert!(nearest("", NAMES.into_iter()).is_empty());
    }

    #[test]
    fn distances_are_levenshtein() {
        assert_eq!(distance_within("kitten", "sitting", 3), Some(3));
        assert_eq!(distance_within("kitten", "sitting", 2), None);
        assert_eq!(distance_within("", "ab", 2), Some(2));
        let long = "a".repeat(LONGEST + 1);
        assert_eq!(distance_within(&long, &long, 8), None);
    }
}
