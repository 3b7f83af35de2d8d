//! Tokens by expert.

use crate::{Error, Result, Routing};

/// The choices of all tokens, sorted by expert. A choice is `token · k + slot`.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
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

impl Groups {
    pub(super) fn fill(&mut self, routing: &Routing, experts: usize) -> Result<()> {
        let mut counts = vec![0usize; experts];
        for ((row, slot), &expert) in routing.experts.indexed_iter() {
            let count = counts.get_mut(expert as usize);
            *count.ok_or(Error::NoSuchExpert { row, slot, expert, experts })? += 1;
        }
        self.groups.clear();
        let mut start = 0;
        // From counts to the group of each expert.
        for (expert, count) in counts.iter_mut().enumerate().filter(|(_, count)| **count > 0) {
            self.groups.push(Group { expert, start, len: 0 });
            start += *count;
            *count = self.groups.len() - 1;
        }
        self.order.clear();
        self.order.resize(start, 0);
        self.places.clear();
        for (choice, expert) in routing.experts.iter().enumerate() {
            let index = counts[*expert as usize];
            let group = &mut self.groups[index];
            self.order[group.start + group.len] = choice;
            self.places.push((index, group.len));
            group.len += 1;
        }
        Ok(())
    }

    /// The groups, experts ascending.
    pub(super) fn all(&self) -> &[Group] {
        &self.groups
    }

    /// The number of choices.
    pub(super) fn choices(&self) -> usize {
        self.order.len()
    }

    /// The choices of a group.
    pub(super) fn of(&self, group: &Group) -> &[usize] {
        &self.order[group.start..group.start + group.len]
    }

    /// The choice at a place in the order of all groups.
    pub(super) fn at(&self, place: usize) -> usize {
        self.order[place]
    }

    /// The group of a choice, and its place there.
    pub(super) fn place(&self, choice: usize) -> (Group, usize) {
        let (group, place) = self.places[choice];
        (self.groups[group], place)
    }
}
