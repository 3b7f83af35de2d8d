//! Buffers that tasks of different experts fill side by side.

use super::groups::{Group, Groups};

/// A buffer of results: expert after expert, of each `panel` outputs after the other, of those
/// token after token. So what one task computes lies together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels<'a> {
    pub(super) groups: &'a Groups,
    /// Results of a token.
    pub(super) outputs: usize,
    /// Outputs that a task computes, but for the last of an expert.
    pub(super) panel: usize,
}

/// Some outputs of one expert for all of its tokens.
#[derive(Debug)]
pub(super) struct Task<'a> {
    pub(super) group: Group,
    /// The first output.
    pub(super) first: usize,
    /// The number of outputs.
    pub(super) width: usize,
    /// `[tokens, width]`.
    pub(super) out: &'a mut [f32],
}

impl Panels<'_> {
    /// The length of the buffer.
    pub(super) fn len(&self) -> usize {
        self.groups.choices() * self.outputs
    }

    /// The tasks that fill a buffer.
    pub(super) fn tasks<'b>(&self, mut buffer: &'b mut [f32]) -> Vec<Task<'b>> {
        let mut tasks = Vec::new();
        for group in self.groups.all() {
            for first in (0..self.outputs).step_by(self.panel) {
                let width = usize::min(self.panel, self.outputs - first);
                let (out, rest) = buffer.split_at_mut(width * group.len);
                tasks.push(Task { group: *group, first, width, out });
                buffer = rest;
            }
        }
        tasks
    }

    /// The results of a choice, in order, at most `panel` of them at a time.
    pub(super) fn of<'b>(
        &self,
        choice: usize,
        buffer: &'b [f32],
    ) -> impl Iterator<Item = &'b [f32]> {
        let Self { outputs, panel, .. } = *self;
        let (group, place) = self.groups.place(choice);
        let buffer = &buffer[group.start * outputs..];
        (0..outputs).step_by(panel).map(move |first| {
            let width = usize::min(panel, outputs - first);
            &buffer[first * group.len + place * width..][..width]
        })
    }
}
