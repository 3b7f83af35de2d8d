//! Walking through the records of a file.

use crate::crc::{MAGIC, Trailer};
use crate::cursor::{Body, Cursor, NO_LIMIT};
use crate::join::{Joined, Joiner};
use crate::lookalike::Head;
use crate::record::{RawRecord, read_record};
use crate::wire::VALUE;
use crate::{Error, Finding, FindingKind, Place, Result, Source, TRAILER_LEN};

/// Who hears of faults and decides whether to go on.
pub(crate) trait Report {
    /// A fault; `Err` ends the walk and can come here a second time on its way out.
    fn fault(&mut self, error: Error) -> Result<()>;

    /// Something that is no fault yet.
    fn warn(&mut self, warning: Finding);
}

/// A file that was walked through.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub(crate) joined: Joined,
    pub(crate) trailer: Option<Trailer>,
    /// Bytes before the trailer.
    pub(crate) body_len: u64,
    /// Bytes of the whole file.
    pub(crate) size: u64,
}

/// Indexes a file without reading the tensors' contents.
pub(crate) fn scan<S: Source + ?Sized>(source: &S, report: &mut impl Report) -> Result<Scanned> {
    let size = source.size().map_err(Error::io("ask for the size", 0))?;
    let head = Head::read(source, size)?;
    let trailer = Trailer::read(source, size)?;
    let body_len = trailer.map_or(size, |trailer| trailer.offset);
    let foreign = head.lookalike().filter(|_| !head.begins_with_record());
    let mut tensors = Joined::default();
    if body_len == 0 {
        report.fault(Error::Empty { bytes: size })?;
    } else if let Some(encryption) = head.encryption() {
        report.fault(Error::Encrypted { encryption })?;
    } else if let Some(looks_like) = foreign {
        report.fault(Error::NotACheckpoint { looks_like })?;
    } else {
        let cursor = Cursor::new(source, body_len);
        let joiner = Joiner::default();
        let mut walk = Walk { cursor, joiner, head: &head, body_len, records: 0, broken: false };
        while !walk.broken && walk.cursor.position() < body_len {
            walk.field(report)?;
        }
        if walk.records == 0 && !walk.broken {
            report.fault(Error::Empty { bytes: size })?;
        }
        tensors = walk.joiner.finish(report)?;
    }
    Ok(Scanned { joined: tensors, trailer, body_len, size })
}

#[derive(Debug)]
struct Walk<'s, S: ?Sized> {
    cursor: Cursor<'s, S>,
    joiner: Joiner,
    head: &'s Head,
    body_len: u64,
    records: u64,
    /// What follows cannot be found any more.
    broken: bool,
}

impl<S: Source + ?Sized> Walk<'_, S> {
    /// The next field of the file: a record, or something that MindSpore ignores.
    fn field(&mut self, report: &mut impl Report) -> Result<()> {
        let offset = self.cursor.position();
        self.cursor.place = Place { record: Some(self.records), ..Place::byte(offset) };
        // The file's own end is checked later, when it is known which tensor it cuts.
        let field = match self.cursor.field(NO_LIMIT) {
            Ok(Some(field)) => field,
            Ok(None) => return Ok(()),
            Err(error) => return self.stop(offset, error, report),
        };
        match field.body {
            Body::Len(len) if field.number == VALUE => self.record(offset, len, report),
            body => {
                self.cursor.place = Place::byte(offset);
                if let Body::Len(len) = body {
                    if let Err(error) = self.cursor.check_file(len, "an unknown field") {
                        return self.stop(offset, error, report);
                    }
                    self.cursor.jump(self.cursor.position() + len);
                } else if self.cursor.position() > self.body_len {
                    let error = self.truncated(offset, "an unknown field", self.cursor.position());
                    return self.stop(offset, error, report);
                }
                if let Some(error) = self.misplaced_trailer(offset)? {
                    return self.stop(offset, error, report);
                }
                let message = format!(
                    "byte {offset}: field {} between the records, which MindSpore ignores",
                    field.number
                );
                report.warn(Finding::warning(FindingKind::Leftover, message).at(offset));
                Ok(())
            }
        }
    }

    fn record(&mut self, offset: u64, len: u64, report: &mut impl Report) -> Result<()> {
        let end = self.cursor.position().saturating_add(len);
        let read = read_record(&mut self.cursor, offset, end, report).and_then(|record| {
            if end > self.body_len {
                return Err(self.truncated(offset, "a record", end));
            }
            Ok(record)
        });
        let number = self.records;
        match read {
            Ok(record) => self.joiner.push(number, record, report)?,
            Err(error) if end > self.body_len || number == 0 && self.is_foreign() => {
                self.stop(offset, error, report)?;
            }
            Err(error) => {
                report.fault(error)?;
                let name = self.cursor.place.tensor.take();
                let record = RawRecord { offset, name, payload: None };
                self.joiner.push_broken(record, report)?;
            }
        }
        self.records += 1;
        self.cursor.jump(end);
        Ok(())
    }

    /// Reports what ends the walk, or why it was hopeless from the start.
    fn stop(&mut self, offset: u64, error: Error, report: &mut impl Report) -> Result<()> {
        self.broken = true;
        if error.kind().is_none() {
            return Err(error);
        }
        if let Some(error) = self.misplaced_trailer(offset)? {
            return report.fault(error);
        }
        match self.head.lookalike() {
            Some(looks_like) if self.records == 0 => {
                report.fault(Error::NotACheckpoint { looks_like })
            }
            _ => report.fault(error),
        }
    }

    fn is_foreign(&self) -> bool {
        self.head.lookalike().is_some()
    }

    fn truncated(&self, offset: u64, what: &'static str, end: u64) -> Error {
        let left = self.body_len - offset.min(self.body_len);
        let place = self.cursor.at(offset);
        Error::Truncated { place, what, needs: end.saturating_sub(offset), left }
    }

    /// The start of a checksum trailer that is not at the end of the file, or not whole.
    fn misplaced_trailer(&mut self, offset: u64) -> Result<Option<Error>> {
        let mut found = [0; MAGIC.len()];
        let left = self.body_len - offset.min(self.body_len);
        let found = &mut found[..left.min(MAGIC.len() as u64) as usize];
        let position = self.cursor.position();
        self.cursor.jump(offset);
        self.cursor.read(found, "a CRC trailer")?;
        self.cursor.jump(position);
        if found.is_empty() || !MAGIC.starts_with(found) {
            return Ok(None);
        }
        let why =
            if left < TRAILER_LEN as u64 { "the file ends inside it" } else { "bytes follow it" };
        Ok(Some(Error::BadTrailer { place: Place::byte(offset), why }))
    }
}
