use std::collections::BTreeMap;

/// Which tokens have been seen, for the penalties.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct History {
    /// For each token of prompt and answer, how often it was generated.
    generated: BTreeMap<u32, u32>,
}

impl History {
    pub(super) fn prompt(&mut self, id: u32) {
        self.generated.entry(id).or_insert(0);
    }

    pub(super) fn generated(&mut self, id: u32) {
        let count = self.generated.entry(id).or_insert(0);
        *count = count.saturating_add(1);
    }

    /// Every token seen, with how often it was generated: 0 for one of the prompt alone.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.generated.iter().map(|(id, count)| (*id, *count))
    }

    pub(super) fn clear(&mut self) {
        self.generated.clear();
    }
}
