/// A stop string without characters would stop every text before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stop string {index} is empty: expected at least one character")]
pub struct EmptyStopString {
    /// Its place in the list.
    pub index: usize,
}

/// What [`StopStrings::push`] lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StopStep {
    /// Text that can be shown: it holds no part of a stop string.
    pub text: String,
    /// The place in the list of the stop string that ended the text, if one has.
    pub stopped: Option<usize>,
}

/// Ends a text before the first of several stop strings.
///
/// Only text that may be the beginning of a stop string is held back. The text ends where a stop
/// string is complete first; of several that end there, the longest counts (of equal ones, the first
/// in the list). The stop string itself is not part of the text.
///
/// ```
/// use moe_engine::text::StopStrings;
///
/// let mut stops = StopStrings::new(["</s>", "\nUser:"])?;
/// assert_eq!(stops.push("Yes.\nUs").text, "Yes.");
/// assert_eq!(stops.push("ual\nUser").text, "\nUsual");
/// let step = stops.push(": no");
/// assert_eq!((step.text.as_str(), step.stopped), ("", Some(1)));
/// # Ok::<(), moe_engine::text::EmptyStopString>(())
/// ```
#[derive(Debug, Clone)]
pub struct StopStrings {
    patterns: Vec<Pattern>,
    /// Text not let through yet; between calls, at most the longest stop string less a byte.
    held: String,
    stopped: Option<usize>,
}

impl StopStrings {
    /// Stops at any of these; none is allowed, and lets everything through.
    ///
    /// # Errors
    ///
    /// [`EmptyStopString`] if one of them is empty.
    pub fn new<S: Into<String>>(
        stops: impl IntoIterator<Item = S>,
    ) -> Result<Self, EmptyStopString> {
        let mut patterns = Vec::new();
        for (index, stop) in stops.into_iter().enumerate() {
            let stop = stop.into();
            if stop.is_empty() {
                return Err(EmptyStopString { index });
            }
            patterns.push(Pattern::new(stop));
        }
        Ok(Self { patterns, held: String::new(), stopped: None })
    }

    /// Takes more text and gives what can be shown.
    ///
    /// After a stop string nothing is let through any more.
    pub fn push(&mut self, text: &str) -> StopStep {
        if self.stopped.is_some() {
            return StopStep { text: String::new(), stopped: self.stopped };
        }
        for character in text.chars() {
            self.held.push(character);
            let mut found: Option<(usize, usize)> = None;
            for (index, pattern) in self.patterns.iter_mut().enumerate() {
                let length = pattern.text.len();
                if pattern.advance(character) && found.is_none_or(|(_, longest)| length > longest) {
                    found = Some((index, length));
                }
            }
            if let Some((index, length)) = found {
                self.stopped = Some(index);
                self.held.truncate(self.held.len() - length);
                return StopStep { text: std::mem::take(&mut self.held), stopped: self.stopped };
            }
        }
        let keep = self.patterns.iter().map(|pattern| pattern.matched).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        StopStep { text: std::mem::replace(&mut self.held, rest), stopped: None }
    }

    /// Ends the text: gives what was held back.
    ///
    /// The matcher is new then and can be used for another text.
    pub fn flush(&mut self) -> String {
        self.stopped = None;
        for pattern in &mut self.patterns {
            pattern.matched = 0;
        }
        std::mem::take(&mut self.held)
    }

    /// Whether a stop string has ended the text, and which.
    #[must_use]
    pub fn stopped(&self) -> Option<usize> {
        self.stopped
    }
}

/// One stop string and how much of it the text ends with (Knuth, Morris and Pratt's automaton, over
/// bytes).
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    /// For each number of matched bytes from 1, the longest shorter beginning that the match ends with.
    shorter: Vec<usize>,
    matched: usize,
}

impl Pattern {
    fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut shorter = vec![0; bytes.len()];
        let mut matched = 0;
        for index in 1..bytes.len() {
            while matched > 0 && bytes[index] != bytes[matched] {
                matched = shorter[matched - 1];
            }
            matched += usize::from(bytes[index] == bytes[matched]);
            shorter[index] = matched;
        }
        Self { text, shorter, matched: 0 }
    }

    /// Whether the text with this character ends with the whole pattern.
    fn advance(&mut self, character: char) -> bool {
        let pattern = self.text.as_bytes();
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            while self.matched > 0 && pattern.get(self.matched) != Some(&byte) {
                self.matched = self.shorter[self.matched - 1];
            }
            self.matched += usize::from(pattern[self.matched] == byte);
        }
        self.matched == pattern.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(stops: &[String], pieces: &[&str]) -> (String, Option<usize>) {
        let mut matcher = StopStrings::new(stops.to_vec()).unwrap();
        let mut text = String::new();
        for piece in pieces {
            let step = matcher.push(piece);
            text.push_str(&step.text);
            if step.stopped.is_some() {
                assert_eq!(matcher.push("more").text, "");
                return (text, step.stopped);
            }
        }
        text.push_str(&matcher.flush());
        (text, None)
    }

    /// The definition, tried at every place.
    fn plainly(stops: &[String], text: &str) -> (String, Option<usize>) {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        for end in ends {
            let matching = stops.iter().enumerate().filter(|(_, s)| text[..end].ends_with(*s));
            let longest =
                matching.max_by_key(|(index, stop)| (stop.len(), std::cmp::Reverse(*index)));
            if let Some((index, stop)) = longest {
                return (text[..end - stop.len()].to_owned(), Some(index));
            }
        }
        (text.to_owned(), None)
    }

    #[test]
    fn only_the_possible_beginning_is_held_back() {
        let mut matcher = StopStrings::new(["aab", "xyz"]).unwrap();
        assert_eq!(matcher.push("caaa").text, "ca");
        assert_eq!(matcher.push("c").text, "aac");
        assert_eq!(matcher.push("xy").text, "");
        assert_eq!(matcher.flush(), "xy");
        assert_eq!(matcher.push("z").text, "z");
    }

    #[test]
    fn empty_stop_strings_are_refused() {
        let error = StopStrings::new(["a", ""]).unwrap_err();
        assert_eq!(error, EmptyStopString { index: 1 });
        assert_eq!(StopStrings::new::<&str>([]).unwrap().push("all").text, "all");
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_text_of_the_definition(
            stops in proptest::collection::vec("[abé🙂]{1,4}", 0..4),
            text in "[abé🙂]{0,24}",
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let boundaries: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| *cut.get(&boundaries)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(through(&stops, &pieces), plainly(&stops, &text));
        }
    }
}
