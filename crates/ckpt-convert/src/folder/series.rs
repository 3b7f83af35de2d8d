//! Parts of one checkpoint, told by their numbers.

use std::collections::HashSet;
use std::path::PathBuf;

use super::name_of;

/// A part that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) name: String,
    /// How many parts the names of the others speak of.
    pub(crate) of: u32,
}

/// Without an index, names like `x-00002-of-00003.ckpt` tell which parts there must be: those of
/// them that are not among `names`. (The released gpt-oss counts from 0 and names the last number,
/// so 0 is never asked for.)
///
/// They are made one by one: a name may speak of four billion parts.
pub(crate) fn missing_parts(names: &[PathBuf]) -> impl Iterator<Item = Missing> {
    let names: Vec<_> = names.iter().map(|name| name_of(name).into_owned()).collect();
    let mut seen = HashSet::new();
    let all =
        names.iter().filter_map(|name| Series::of(name)).filter(|series| seen.insert(*series));
    let all: Vec<_> = all.map(Series::parts).collect();
    let there: HashSet<_> = names.into_iter().collect();
    all.into_iter().flatten().filter(move |part| !there.contains(&part.name))
}

/// True for a name that tells of other parts.
pub(crate) fn is_one_of_several(name: &str) -> bool {
    Series::of(name).is_some_and(|series| series.count != 1)
}

/// What all parts of a checkpoint have in common: `STEM-00002-of-COUNT.EXTENSION`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Series<'a> {
    stem: &'a str,
    count: u32,
    /// Digits of the numbers.
    width: usize,
    extension: &'a str,
}

impl<'a> Series<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let (rest, extension) = name.rsplit_once('.')?;
        let (rest, digits) = rest.rsplit_once("-of-")?;
        let (stem, part) = rest.rsplit_once('-')?;
        let number = |digits: &str| digits.parse::<u32>().ok();
        number(part)?;
        Some(Self { stem, count: number(digits)?, width: digits.len(), extension })
    }

    fn parts(self) -> impl Iterator<Item = Missing> + use<> {
        let Self { count, width, .. } = self;
        let (stem, extension) = (self.stem.to_owned(), self.extension.to_owned());
        (1..=count).map(move |part| Missing {
            name: format!("{stem}-{part:0width$}-of-{count:0width$}.{extension}"),
            of: count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(names: &[&str]) -> Vec<String> {
        let names: Vec<_> = names.iter().map(PathBuf::from).collect();
        missing_parts(&names).take(3).map(|part| part.name).collect()
    }

    #[test]
    fn whole_series() {
        for names in [
            &["m.ckpt", "m-of-3.ckpt", "m-x-of-3.ckpt", "m-1-of-x.ckpt", "1-of-2"][..],
            &["m-00001-of-00001.ckpt"],
            &["m-00001-of-00002.ckpt", "m-00002-of-00002.ckpt"],
            // As released.
            &["m-00000-of-00002.ckpt", "m-00001-of-00002.ckpt", "m-00002-of-00002.ckpt"],
            &["m-1-of-2.ckpt", "m-2-of-2.ckpt"],
        ] {
            assert_eq!(missing(names), [""; 0], "{names:?}");
        }
    }

    #[test]
    fn series_with_gaps() {
        let two = ["m-00001-of-00003.ckpt", "m-00003-of-00003.ckpt"];
        assert_eq!(missing(&two), ["m-00002-of-00003.ckpt"]);
        assert_eq!(missing(&["m-1-of-2.ckpt", "m-2-of-2.safetensors"]).len(), 2);
        // Names of two series.
        assert_eq!(
            missing(&["a-2-of-2.ckpt", "b-1-of-2.ckpt"]),
            ["a-1-of-2.ckpt", "b-2-of-2.ckpt"]
        );
        assert_eq!(
            missing(&["m-4000000000-of-4000000000.ckpt"])[0],
            "m-0000000001-of-4000000000.ckpt"
        );
    }

    #[test]
    fn a_name_that_tells_of_others() {
        assert!(is_one_of_several("m-00001-of-00002.ckpt"));
        for name in ["m.ckpt", "m-00001-of-00001.ckpt", "m-one-of-us.ckpt"] {
            assert!(!is_one_of_several(name), "{name}");
        }
    }
}
