//! A request and its reply.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `HEAD` …
    pub method: String,
    /// Path and query, as they came.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// How many requests for the same came before.
    pub nth: usize,
}

impl Request {
    /// Reads one; `None` at the end of the connection.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Some(Self { method, path, headers, nth: 0 }))
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// First and last byte that are asked for; the last one may be left open.
    #[must_use]
    pub fn range(&self) -> Option<(usize, usize)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { usize::MAX } else { last.parse().ok()? };
        Some((first.parse().ok()?, last))
    }
}

/// What is answered, and how.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// All headers but `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What `Content-Length` says instead of the truth; empty for no such header.
    pub length: Option<String>,
    /// The connection is closed after so many bytes of the body.
    pub cut: Option<usize>,
    /// Nothing more comes after so many bytes of the body, and the connection stays open.
    pub stall: Option<usize>,
    /// The body comes in parts of so many bytes, with such a pause between them.
    pub slow: Option<(usize, Duration)>,
    /// Bytes instead of all this.
    pub raw: Option<Vec<u8>>,
}

impl Reply {
    /// Becomes another reply, of text.
    pub fn set(&mut self, status: u16, body: &str) {
        *self = Self { status, body: body.as_bytes().to_vec(), ..Self::default() };
    }

    /// Sets a header, or removes it when `value` is empty.
    pub fn header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Writes it; true if the connection can be used again.
    pub(crate) fn write(
        &self,
        to: &mut impl Write,
        head_only: bool,
        stopped: &AtomicBool,
    ) -> io::Result<bool> {
        if let Some(raw) = &self.raw {
            to.write_all(raw)?;
            to.flush()?;
            return Ok(false);
        }
        let mut head = Vec::new();
        write!(head, "HTTP/1.1 {} X\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n")?;
        }
        match self.length.as_deref() {
            None => write!(head, "Content-Length: {}\r\n\r\n", self.body.len())?,
            Some("") => head.extend(b"Connection: close\r\n\r\n"),
            Some(length) => write!(head, "Content-Length: {length}\r\n\r\n")?,
        }
        to.write_all(&head)?;
        if head_only {
            to.flush()?;
            return Ok(true);
        }
        let end = self.cut.or(self.stall).unwrap_or(usize::MAX).min(self.body.len());
        let (part, pause) = self.slow.unwrap_or((usize::MAX, Duration::ZERO));
        for bytes in self.body[..end].chunks(part.max(1)) {
            to.write_all(bytes)?;
            to.flush()?;
            thread::sleep(pause);
        }
        to.flush()?;
        while self.stall.is_some() && !stopped.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        Ok(self.cut.is_none() && self.stall.is_none() && self.length.is_none())
    }
}
