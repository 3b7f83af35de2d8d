//! Memory that direct I/O accepts.

/// What direct I/O asks of file offsets, lengths and addresses on every common device.
pub(crate) const ALIGNMENT: usize = 4096;

/// A buffer whose bytes start at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub(crate) struct AlignedBuf {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl AlignedBuf {
    pub(crate) fn new(len: usize) -> Self {
        let memory = vec![0; len + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_page() {
        for len in [0, 1, 4096, 10_000] {
            let mut buffer = AlignedBuf::new(len);
            assert_eq!(buffer.bytes().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!((buffer.bytes_mut().len(), buffer.len()), (len, len));
        }
    }
}
