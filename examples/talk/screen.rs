//! An answer as it appears.

use std::borrow::Cow;

use moe_engine::chat::{Channel, Event, Header};

use crate::terminal::{Outcome, print};

/// In which form answers are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Reasoning dim, the answer plain.
    Dim,
    /// Without colours.
    Plain {
        /// Reasoning too.
        reasoning: bool,
    },
    /// Nothing until the turn is over.
    Json,
}

const DIM: &str = "\x1b[2m";
const NORMAL: &str = "\x1b[0m";

/// Where the messages of one answer appear.
pub(super) struct Screen {
    show: Show,
    /// Whether the message that comes in is shown.
    visible: bool,
    dim: bool,
    /// Whether the last line is not complete.
    open: bool,
}

impl Screen {
    pub(super) fn new(show: Show) -> Self {
        Self { show, visible: false, dim: false, open: false }
    }

    pub(super) fn show(&mut self, events: &[Event]) -> Outcome {
        for event in events {
            match event {
                Event::MessageStart { header } => self.begin(header)?,
                Event::Delta(text) if self.visible => {
                    print(&self.harmless(text))?;
                    self.open = !text.ends_with('\n');
                }
                Event::MessageEnd { .. } => self.end()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, header: &Header) -> Outcome {
        let reasoning = header.channel == Some(Channel::Analysis);
        self.visible = match self.show {
            Show::Dim => true,
            Show::Plain { reasoning: shown } => shown || !reasoning,
            Show::Json => false,
        };
        self.dim = reasoning && self.show == Show::Dim;
        if self.dim {
            print(DIM)?;
        }
        if let Some(recipient) = header.recipient.as_ref().filter(|_| self.visible) {
            print(&format!("[to {recipient}] "))?;
            self.open = true;
        }
        Ok(())
    }

    /// What a model says must not move the cursor or ring the bell of a terminal.
    fn harmless<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
        if self.show == Show::Dim && text.contains(harmful) {
            return Cow::Owned(text.replace(harmful, "\u{FFFD}"));
        }
        Cow::Borrowed(text)
    }

    /// Ends a line that is not complete, and colours.
    pub(super) fn end(&mut self) -> Outcome {
        if std::mem::take(&mut self.dim) {
            print(NORMAL)?;
        }
        if std::mem::take(&mut self.open) {
            print("\n")?;
        }
        Ok(())
    }
}
