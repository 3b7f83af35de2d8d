//! Reading protobuf fields at positions, through a small window, without their bodies.

use crate::wire::{END_GROUP, FIXED32, FIXED64, LEN, START_GROUP, VARINT};
use crate::{Error, Place, Result, Source};

/// Bytes read at once. A header takes tens of bytes and then a body is skipped, so more would be
/// wasted; a page is what the operating system reads anyway.
const WINDOW: usize = 4096;

/// Groups inside groups, as deep as protobuf's own parsers go.
const MAX_GROUP_DEPTH: usize = 100;

/// The limit of a message of unknown length: the file itself, and a record that leaves it.
pub(crate) const NO_LIMIT: u64 = u64::MAX;

/// The field numbers that protobuf allows.
const MAX_FIELD: u64 = (1 << 29) - 1;

/// A position in the body of a file.
#[derive(Debug)]
pub(crate) struct Cursor<'s, S: ?Sized> {
    source: &'s S,
    /// Where the body ends; nothing is read beyond it.
    end: u64,
    position: u64,
    window: Box<[u8; WINDOW]>,
    window_start: u64,
    window_len: usize,
    /// The record and tensor to name in errors.
    pub(crate) place: Place,
}

/// A field's key and where its body is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Where the key begins.
    pub(crate) offset: u64,
    pub(crate) number: u32,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Varint(u64),
    /// The bytes follow the cursor; whoever wants the next field jumps over them.
    Len(u64),
    /// Fixed-size numbers and groups, which no message here has: already skipped.
    Foreign,
}

impl<'s, S: Source + ?Sized> Cursor<'s, S> {
    pub(crate) fn new(source: &'s S, end: u64) -> Self {
        Self {
            source,
            end,
            position: 0,
            window: Box::new([0; WINDOW]),
            window_start: 0,
            window_len: 0,
            place: Place::default(),
        }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn jump(&mut self, position: u64) {
        self.position = position;
    }

    /// The place being read, at another byte.
    pub(crate) fn at(&self, offset: u64) -> Place {
        self.place.at(offset)
    }

    /// The next field of a message that ends at `limit`, or `None` there.
    ///
    /// After a `Len` body the position is that of its first byte. The body lies inside the
    /// message, which in a file cut short can end after the file does; reading fails only there,
    /// so that as much as possible is known of what was cut.
    pub(crate) fn field(&mut self, limit: u64) -> Result<Option<Field>> {
        let offset = self.position;
        if offset >= limit {
            return Ok(None);
        }
        let (number, wire_type) = self.key(limit)?;
        let body = match wire_type {
            VARINT => Body::Varint(self.varint(limit, "an integer")?),
            LEN => Body::Len(self.len(limit)?),
            END_GROUP => {
                let key = u64::from(number << 3 | wire_type);
                let why = "the end of a group that was not begun";
                return Err(Error::BadKey { place: self.at(offset), key, why });
            }
            other => {
                self.skip(number, other, limit)?;
                Body::Foreign
            }
        };
        Ok(Some(Field { offset, number, body }))
    }

    /// An integer of at most ten bytes; longer forms than needed are fine.
    pub(crate) fn varint(&mut self, limit: u64, what: &'static str) -> Result<u64> {
        let offset = self.position;
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = self.byte(limit, what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Error::BadVarint { place: self.at(offset), what })
    }

    /// Reads the next bytes into `buffer`; the caller has checked them against the message.
    pub(crate) fn read(&mut self, buffer: &mut [u8], what: &'static str) -> Result<()> {
        self.check_file(buffer.len() as u64, what)?;
        self.source
            .read_exact_at(buffer, self.position)
            .map_err(Error::io("read", self.position))?;
        self.position += buffer.len() as u64;
        Ok(())
    }

    /// Fails if fewer than `needs` bytes are left in the file.
    pub(crate) fn check_file(&self, needs: u64, what: &'static str) -> Result<()> {
        let left = self.end.saturating_sub(self.position);
        if needs > left {
            return Err(Error::Truncated { place: self.at(self.position), what, needs, left });
        }
        Ok(())
    }

    fn key(&mut self, limit: u64) -> Result<(u32, u32)> {
        let offset = self.position;
        let key = self.varint(limit, "a field key")?;
        let why = match (key >> 3, key as u32 & 7) {
            (0, _) => "field number 0",
            (number, _) if number > MAX_FIELD => "the field number is over 2^29 - 1",
            (_, 6 | 7) => "there is no such wire type",
            (number, wire_type) => return Ok((number as u32, wire_type)),
        };
        Err(Error::BadKey { place: self.at(offset), key, why })
    }

    /// The length of a body, inside its message.
    fn len(&mut self, limit: u64) -> Result<u64> {
        let offset = self.position;
        let needs = self.varint(limit, "a length")?;
        let left = limit.saturating_sub(self.position);
        if needs > left && limit != NO_LIMIT {
            let place = self.at(offset);
            return Err(Error::Overrun { place, what: "a field", needs, left });
        }
        Ok(needs)
    }

    /// Skips the body of a field that is no integer and has no length.
    fn skip(&mut self, number: u32, wire_type: u32, limit: u64) -> Result<()> {
        match wire_type {
            FIXED64 => self.advance(8, limit),
            FIXED32 => self.advance(4, limit),
            START_GROUP => self.skip_group(number, limit),
            _ => Ok(()),
        }
    }

    fn skip_group(&mut self, number: u32, limit: u64) -> Result<()> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let offset = self.position;
            let (number, wire_type) = self.key(limit)?;
            let bad = match wire_type {
                START_GROUP if open.len() < MAX_GROUP_DEPTH => {
                    open.push(number);
                    continue;
                }
                START_GROUP => "groups nested too deeply",
                END_GROUP if number == innermost => {
                    open.pop();
                    continue;
                }
                END_GROUP => "the end of another group",
                VARINT => {
                    self.varint(limit, "an integer")?;
                    continue;
                }
                LEN => {
                    let len = self.len(limit)?;
                    self.advance(len, limit)?;
                    continue;
                }
                other => {
                    self.skip(number, other, limit)?;
                    continue;
                }
            };
            let key = u64::from(number << 3 | wire_type);
            return Err(Error::BadKey { place: self.at(offset), key, why: bad });
        }
        Ok(())
    }

    fn advance(&mut self, needs: u64, limit: u64) -> Result<()> {
        let left = limit.saturating_sub(self.position);
        if needs > left && limit != NO_LIMIT {
            let (place, what) = (self.at(self.position), "a fixed-size field");
            return Err(Error::Overrun { place, what, needs, left });
        }
        self.position = self.position.saturating_add(needs);
        Ok(())
    }

    fn byte(&mut self, limit: u64, what: &'static str) -> Result<u8> {
        if self.position >= limit {
            let place = self.at(self.position);
            return Err(Error::Overrun { place, what, needs: 1, left: 0 });
        }
        self.check_file(1, what)?;
        let index = self.position.wrapping_sub(self.window_start);
        let byte = match usize::try_from(index).ok().filter(|&index| index < self.window_len) {
            Some(index) => self.window[index],
            None => self.refill()?,
        };
        self.position += 1;
        Ok(byte)
    }

    /// Reads the window anew from the position on, and gives its first byte.
    fn refill(&mut self) -> Result<u8> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let len = WINDOW.min(left);
        self.window_len = 0;
        self.source
            .read_exact_at(&mut self.window[..len], self.position)
            .map_err(Error::io("read", self.position))?;
        self.window_start = self.position;
        self.window_len = len;
        Ok(self.window[0])
    }
}
