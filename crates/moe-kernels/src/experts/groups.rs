//! Tokens by expert.

use std::ops::Range;

use crate::{Error, Result, Routing};

/// The choices of all tokens, sorted by expert. A choice is `token · k + slot`.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Vec<Group>,
    /// The choices, expert by expert, tokens ascending.
    order: Vec<usize>,
    /// Of every choice: its group, and its place in the group.
    places: Vec<(usize, usize)>,
}

/// The choices of one expert.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) expert: usize,
    /// Choices of the groups before.
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Group {
    /// Where the choices stand in the order of all.
    pub(super) const fn places(&self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

impl Groups {
    /// The groups of a routing.
    pub(super) fn fill(&mut self, routing: &Routing, experts: usize) -> Result<()> {
        let mut counts = vec![0usize; experts];
        for ((row, slot), &expert) in routing.experts.indexed_iter() {
            let count = counts.get_mut(expert as usize);
            *count.ok_or(Error::NoSuchExpert { row, slot, expert, experts })? += 1;
        }
        self.all.clear();
        let mut start = 0;
        // From counts to the group of each expert.
        for (expert, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            self.all.push(Group { expert, start, len: 0 });
            start += *count;
            *count = self.all.len() - 1;
        }
        self.order.clear();
        self.order.resize(start, 0);
        self.places.clear();
        for (choice, expert) in routing.experts.iter().enumerate() {
            let index = counts[*expert as usize];
            let group = &mut self.all[index];
            self.order[group.start + group.len] = choice;
            self.places.push((index, group.len));
            group.len += 1;
        }
        Ok(())
    }

    /// The groups, experts ascending.
    pub(super) fn all(&self) -> &[Group] {
        &self.all
    }

    /// The most choices that an expert has.
    pub(super) fn largest(&self) -> usize {
        self.all.iter().map(|group| group.len).max().unwrap_or(0)
    }

    /// The number of choices.
    pub(super) fn choices(&self) -> usize {
        self.order.len()
    }

    /// The choices, group by group.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// The group of a choice, and its place there.
    pub(super) fn place(&self, choice: usize) -> (Group, usize) {
        let (group, place) = self.places[choice];
        (self.all[group], place)
    }
}
