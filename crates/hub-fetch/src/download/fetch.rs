//! One range of one file, over as many requests as it takes.

use std::io::Read;
use std::ops::Range;
use std::sync::atomic::Ordering;

use super::transfer::{Item, Transfer};
use crate::client::{Answer, Ask, content_range, lasting, timed_out};
use crate::partial::Partial;
use crate::retry::{Tries, Trouble};
use crate::url::shown;
use crate::{Digest, Error, Event, Observer, Result};

pub(super) struct Fetch<'a> {
    transfer: &'a Transfer<'a>,
    item: &'a Item<'a>,
    index: usize,
    partial: &'a Partial,
    /// What is still to come.
    range: Range<u64>,
    /// Nobody else fetches parts of this file.
    alone: bool,
}

/// How it went.
pub(super) enum Fetched {
    /// All is there.
    All,
    /// The server gave all of the file instead of a part, while others fetch other parts; or one of them met that.
    Unranged,
}

/// So many bytes must come before a failure counts as the first one again: a server that drops every connection
/// after a byte is not asked for ever.
const PROGRESS: u64 = 64 << 10;

const BUFFER: usize = 256 << 10;

impl<'a> Fetch<'a> {
    pub(super) fn new(
        transfer: &'a Transfer<'a>,
        item: &'a Item<'a>,
        index: usize,
        partial: &'a Partial,
        range: Range<u64>,
        alone: bool,
    ) -> Self {
        Self { transfer, item, index, partial, range, alone }
    }

    pub(super) fn run(mut self) -> Result<Fetched> {
        let (transfer, item) = (self.transfer, self.item);
        let stopped = || transfer.stopped();
        let mut tries = Tries::new(transfer.hub.retry(), transfer.tally, &stopped, &item.file.name);
        let mut buffer = vec![0; BUFFER];
        let mut best = self.range.start;
        loop {
            stopped()?;
            let trouble = match self.attempt(&mut buffer) {
                Ok(fetched) => return Ok(fetched),
                Err(Trouble::Lasting(error)) => Trouble::Lasting(transfer.about(error, item)),
                Err(passing) => passing,
            };
            if self.range.start >= best.saturating_add(PROGRESS) {
                tries.progressed();
                best = self.range.start;
            }
            // A wait may be long, and the process may end before it does.
            self.partial.note()?;
            tries.again(trouble, Some((self.range.start, item.file.size)))?;
        }
    }

    /// One request, and what it gives.
    fn attempt(&mut self, buffer: &mut [u8]) -> Result<Fetched, Trouble> {
        let file = self.item.file;
        let etag = self.partial.etag();
        if file.digest.is_none() && etag.is_none() && self.range.start > 0 {
            self.rewind("nothing tells whether the rest would belong to it")?;
        }
        let part = self.range != (0..file.size);
        let ask = Ask {
            range: part.then_some((self.range.start, self.range.end)),
            if_range: etag.filter(|_| part && file.digest.is_none()),
            head: false,
        };
        let mut answer = self.transfer.client.ask(&self.item.url, &ask)?;
        self.check_announced(&answer)?;
        if let Some(coding) =
            answer.header("content-encoding").filter(|coding| *coding != "identity")
        {
            return Err(lasting(
                &answer.url,
                &format!("the content is encoded ({coding}), expected identity"),
            ));
        }
        let end = match (answer.status, part) {
            (206, true) => self.begin_part(&answer, ask.if_range.as_deref())?,
            (206, false) => {
                return Err(Trouble::passing(
                    &answer.url,
                    "HTTP 206, a part, where all was asked for",
                ));
            }
            _ if part && !self.alone => return Ok(Fetched::Unranged),
            _ => self.begin_all(&answer, part)?,
        };
        self.check_length(&answer, end)?;
        if answer.status == 206 && self.alone {
            self.alone = self.transfer.gives_ranges(self.index);
        }
        self.take(&mut answer, end, buffer)
    }

    /// That the hub still says what it said when it was asked for the list.
    fn check_announced(&self, answer: &Answer) -> Result<(), Trouble> {
        let file = self.item.file;
        let changed = |what: &str, now: String, then: String| {
            Err(lasting(
                &self.item.url,
                &format!("the hub says now that its {what} is {now}, and said {then}"),
            ))
        };
        let same_kind =
            |a: &Digest, b: &Digest| std::mem::discriminant(a) == std::mem::discriminant(b);
        match (answer.linked, file.digest) {
            (Some(now), Some(then)) if same_kind(&now, &then) && now != then => {
                changed("digest", now.to_string(), then.to_string())
            }
            _ => match answer.linked_size {
                Some(now) if now != file.size => {
                    changed("size", now.to_string(), file.size.to_string())
                }
                _ => Ok(()),
            },
        }
    }

    /// A part comes; gives its end.
    fn begin_part(&mut self, answer: &Answer, if_range: Option<&str>) -> Result<u64, Trouble> {
        let Range { start, end } = self.range.clone();
        let size = self.item.file.size;
        if let Some(etag) = if_range
            && answer.strong_etag() != Some(etag)
        {
            let now = answer.strong_etag().unwrap_or("nothing").to_owned();
            let reason = format!("the content changed: its ETag was {etag} and is {now}");
            self.rewind(&reason)?;
            return Err(Trouble::passing(&answer.url, reason));
        }
        let text = answer.header("content-range").unwrap_or("nothing");
        let stop = match content_range(text) {
            Some((from, stop, total))
                if from == start && stop <= end && total.is_none_or(|total| total == size) =>
            {
                stop
            }
            _ => {
                let wanted = format!("bytes {start}-{}/{size}", end - 1);
                let reason = format!("Content-Range is {text:?}, expected {wanted:?}");
                return Err(Trouble::passing(&answer.url, reason));
            }
        };
        Ok(stop)
    }

    /// All comes, asked for or not; gives its end.
    fn begin_all(&mut self, answer: &Answer, part: bool) -> Result<u64, Trouble> {
        if part {
            self.transfer.gives_all(self.index);
            self.rewind("the server gives all of it, not parts")?;
        }
        if self.item.file.digest.is_none() {
            self.partial.set_etag(answer.strong_etag().map(str::to_owned));
        }
        Ok(self.item.file.size)
    }

    /// A length that is announced must be the one that is needed.
    fn check_length(&self, answer: &Answer, end: u64) -> Result<(), Trouble> {
        let wanted = end - self.range.start;
        match answer.number("content-length") {
            Some(length) if length != wanted => Err(Trouble::passing(
                &answer.url,
                format!("Content-Length is {length}, expected {wanted}"),
            )),
            _ => Ok(()),
        }
    }

    fn take(
        &mut self,
        answer: &mut Answer,
        end: u64,
        buffer: &mut [u8],
    ) -> Result<Fetched, Trouble> {
        let url = shown(&answer.url);
        let Some(body) = answer.body.take() else {
            return Err(Trouble::passing(&url, "an answer without a body"));
        };
        let mut reader = body.into_reader();
        while self.range.start < end {
            self.transfer.stopped()?;
            if self.item.restart.load(Ordering::Relaxed) {
                return Ok(Fetched::Unranged);
            }
            let left = (end - self.range.start).min(buffer.len() as u64) as usize;
            let count = self.read(&mut reader, &mut buffer[..left], &url)?;
            if count == 0 {
                let reason = format!("the answer ended before byte {end}");
                return Err(Trouble::passing(&url, reason));
            }
            self.partial.write(&buffer[..count], self.range.start)?;
            self.range.start += count as u64;
            self.transfer.tally.on(&Event::Advanced { bytes: count as u64 });
        }
        // Reading to the end also frees the connection for the next request.
        if self.read(&mut reader, &mut buffer[..1], &url)? > 0 {
            return Err(lasting(
                &url,
                &format!("the answer goes on after byte {end}, where it should end"),
            ));
        }
        if self.range.start < self.range.end {
            return Err(Trouble::passing(&url, format!("only the bytes before {end} were sent")));
        }
        Ok(Fetched::All)
    }

    fn read(&self, reader: &mut impl Read, buffer: &mut [u8], url: &str) -> Result<usize, Trouble> {
        reader.read(buffer).map_err(|error| match ureq::Error::from(error) {
            ureq::Error::Timeout(kind) => {
                Trouble::passing(url, timed_out(kind, self.transfer.hub.settings().timeout))
            }
            other => Trouble::passing(url, format!("the connection ended: {other}")),
        })
    }

    /// Begins again with the first byte.
    fn rewind(&mut self, reason: &str) -> Result<(), Error> {
        self.transfer.lost(self.item, self.partial, reason);
        self.partial.forget()?;
        self.range = 0..self.item.file.size;
        Ok(())
    }
}
