use std::ops::Range;

/// The largest id that is believed, plus one: the table below has a place for every id. The largest
/// vocabularies in use have 262 thousand.
pub(super) const MOST_IDS: u32 = 1 << 22;

/// The bytes of every id.
#[derive(Default)]
pub(super) struct Words {
    bytes: Vec<u8>,
    ranges: Vec<Option<Range<u32>>>,
}

impl Words {
    /// Takes a word in; an error says why its id cannot be.
    pub(super) fn insert(&mut self, id: u32, bytes: &[u8]) -> Result<(), String> {
        if id >= MOST_IDS {
            return Err(format!("{} has id {id}, expected less than {MOST_IDS}", shown(bytes)));
        }
        if let Some(other) = self.get(id) {
            return Err(format!("{} and {} both have id {id}", shown(other), shown(bytes)));
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        let Ok(end) = u32::try_from(self.bytes.len()) else {
            return Err("the words are longer than 4 GiB together".to_owned());
        };
        let index = id as usize;
        if self.ranges.len() <= index {
            self.ranges.resize(index + 1, None);
        }
        if let Some(place) = self.ranges.get_mut(index) {
            *place = Some(start..end);
        }
        Ok(())
    }

    pub(super) fn get(&self, id: u32) -> Option<&[u8]> {
        let range = self.ranges.get(id as usize)?.as_ref()?;
        self.bytes.get(range.start as usize..range.end as usize)
    }

    /// One more than the largest id.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }
}

/// A word in a message.
pub(super) fn shown(bytes: &[u8]) -> String {
    format!("token {:?}", String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_may_come_in_any_order_and_leave_holes() {
        let mut words = Words::default();
        words.insert(4, b"four").unwrap();
        words.insert(0, b"").unwrap();
        words.insert(2, b"\xff").unwrap();
        let all: Vec<_> = (0..6).map(|id| words.get(id)).collect();
        assert_eq!(all, [Some(&b""[..]), None, Some(b"\xff"), None, Some(b"four"), None]);
        assert_eq!(words.len(), 5);
    }

    #[test]
    fn ids_that_cannot_be_are_refused() {
        let mut words = Words::default();
        words.insert(1, b"a").unwrap();
        assert_eq!(
            words.insert(1, b"b").unwrap_err(),
            "token \"a\" and token \"b\" both have id 1"
        );
        assert!(words.insert(u32::MAX, b"c").unwrap_err().contains("4294967295"));
        assert_eq!(words.len(), 2);
    }
}
