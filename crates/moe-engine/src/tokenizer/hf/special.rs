/// The special tokens of a vocabulary.
#[derive(Default)]
pub(super) struct Specials {
    /// Longest first, so that of two that begin alike the longer is found.
    tokens: Vec<(String, u32)>,
    /// Ascending.
    ids: Vec<u32>,
}

/// A part of a text in which special tokens count.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    Special(u32),
    /// Not empty.
    Text(&'t str),
}

impl Specials {
    /// Takes tokens of which none is empty.
    pub(super) fn new(mut tokens: Vec<(String, u32)>) -> Self {
        tokens.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut ids: Vec<u32> = tokens.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        Self { tokens, ids }
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.tokens.iter().find(|(token, _)| token == text).map(|(_, id)| *id)
    }

    /// Cuts a text at its special tokens: the leftmost first, of those the longest.
    pub(super) fn split<'t>(&self, text: &'t str) -> Vec<Piece<'t>> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, id, after)) = self.next(rest) {
            if !before.is_empty() {
                pieces.push(Piece::Text(before));
            }
            pieces.push(Piece::Special(id));
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest));
        }
        pieces
    }

    fn next<'t>(&self, text: &'t str) -> Option<(&'t str, u32, &'t str)> {
        let begins = |c: char| self.tokens.iter().any(|(token, _)| token.starts_with(c));
        text.match_indices(begins).find_map(|(start, _)| {
            let (before, here) = text.split_at(start);
            let found = |(token, id): &(String, u32)| {
                Some((before, *id, here.strip_prefix(token.as_str())?))
            };
            self.tokens.iter().find_map(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Piece::{Special, Text};
    use super::*;

    #[test]
    fn the_leftmost_and_longest_counts() {
        let tokens = ["<a>", "<a>b", "é<", "<"];
        let tokens = Specials::new(tokens.iter().map(|t| (*t).to_owned()).zip(0..).collect());
        assert_eq!(tokens.split("x<a>by<a>"), [Text("x"), Special(1), Text("y"), Special(0)]);
        assert_eq!(tokens.split("é<a>"), [Special(2), Text("a>")]);
        assert_eq!(tokens.split("é<<é"), [Special(2), Special(3), Text("é")]);
        assert_eq!(tokens.split(""), []);
        assert_eq!(Specials::default().split("<a>"), [Text("<a>")]);
        assert_eq!((tokens.id("<a>b"), tokens.id("<a")), (Some(1), None));
        assert!(tokens.contains(3) && !tokens.contains(4));
    }
}
