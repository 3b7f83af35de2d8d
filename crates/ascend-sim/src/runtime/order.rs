//! Which tasks of other streams are known to be done before a task begins.

use std::collections::HashMap;
use std::ops::Range;

/// By stream, the number of the last task that comes before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before(HashMap<u64, u64>);

impl Before {
    /// Adds all that comes before something else.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (stream, number) in &other.0 {
            self.add(*stream, *number);
        }
    }

    /// Adds a task and those before it on its stream.
    pub(crate) fn add(&mut self, stream: u64, number: u64) {
        let last = self.0.entry(stream).or_default();
        *last = (*last).max(number);
    }

    /// Forgets streams that are gone, once there are many.
    pub(crate) fn prune(&mut self, is_alive: impl Fn(u64) -> bool) {
        if self.0.len() > MANY {
            self.0.retain(|stream, _| is_alive(*stream));
        }
    }

    /// Whether a task comes before.
    pub(crate) fn contains(&self, stream: u64, number: u64) -> bool {
        self.0.get(&stream).is_some_and(|last| *last >= number)
    }
}

/// Beyond this, what cannot matter any more is looked for and dropped.
const MANY: usize = 256;

/// Who used which scratch memory last.
#[derive(Debug, Default)]
pub(crate) struct Scratch(Vec<Use>);

#[derive(Clone, Debug)]
struct Use {
    range: Range<u64>,
    stream: u64,
    number: u64,
    name: String,
}

impl Scratch {
    /// Notes a use; the name of an earlier one that may still run, by the order of streams and events and by what the
    /// host waited for, not by chance.
    pub(crate) fn claim(
        &mut self,
        range: &Range<u64>,
        (stream, number, name): (u64, u64, &str),
        before: &Before,
        finished: impl Fn(u64, u64) -> bool,
    ) -> Option<String> {
        if self.0.len() > MANY {
            self.0.retain(|other| !finished(other.stream, other.number));
        }
        let mut conflict = None;
        self.0.retain(|other| {
            let apart = other.range.end <= range.start || range.end <= other.range.start;
            if apart {
                return true;
            }
            if other.stream != stream
                && !before.contains(other.stream, other.number)
                && !finished(other.stream, other.number)
            {
                conflict.get_or_insert_with(|| other.name.clone());
            }
            // What is covered is superseded: whoever comes after this use comes after that one.
            other.range.start < range.start || other.range.end > range.end
        });
        self.0.push(Use { range: range.clone(), stream, number, name: name.to_owned() });
        conflict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: fn(u64, u64) -> bool = |_, _| false;

    #[test]
    fn a_shared_workspace_is_seen_unless_there_is_an_order() {
        let mut scratch = Scratch::default();
        let mut before = Before::default();
        assert_eq!(scratch.claim(&(0..100), (1, 5, "a"), &before, NEVER), None);
        assert_eq!(scratch.claim(&(0..100), (1, 6, "b"), &before, NEVER), None);
        assert_eq!(scratch.claim(&(100..200), (2, 1, "c"), &before, NEVER), None);
        assert_eq!(scratch.claim(&(50..60), (2, 2, "d"), &before, NEVER).as_deref(), Some("b"));
        before.add(1, 6);
        assert_eq!(scratch.claim(&(0..40), (3, 1, "e"), &before, NEVER), None);
        let done = |stream, number| (stream, number) == (3, 1) || stream < 3;
        assert_eq!(scratch.claim(&(0..100), (4, 1, "f"), &Before::default(), done), None);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (mut scratch, mut before) = (Scratch::default(), Before::default());
        for number in 0..10_000 {
            let range = number * 64..number * 64 + 64;
            scratch.claim(&range, (number, 1, "a"), &before, |_, _| true);
            before.add(number, 1);
            before.prune(|stream| stream == 0);
        }
        assert!(scratch.0.len() <= MANY + 1);
        assert!(before.0.len() <= MANY);
        assert!(before.contains(0, 1));
    }

    #[test]
    fn orders_merge_to_the_later_one() {
        let (mut a, mut b) = (Before::default(), Before::default());
        a.add(1, 5);
        b.add(1, 3);
        b.add(2, 1);
        a.merge(&b);
        assert!(a.contains(1, 5) && a.contains(2, 1) && !a.contains(1, 6) && !a.contains(3, 0));
    }
}
