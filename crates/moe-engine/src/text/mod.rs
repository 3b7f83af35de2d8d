//! Text that arrives in pieces: bytes of tokens to valid UTF-8, and stop strings.
//!
//! Both adapters give the same text however their input is cut.
//!
//! ```
//! use moe_engine::text::{StopStrings, Utf8Stream};
//!
//! let mut utf8 = Utf8Stream::new();
//! let mut stops = StopStrings::new(["\n\n"])?;
//! let mut text = String::new();
//! for token in [&b"caf\xc3"[..], b"\xa9\n", b"\nmore"] {
//!     let step = stops.push(&utf8.push(token));
//!     text.push_str(&step.text);
//!     if step.stopped.is_some() {
//!         break;
//!     }
//! }
//! assert_eq!(text, "café");
//! # Ok::<(), moe_engine::text::EmptyStopString>(())
//! ```

mod stop;
mod utf8;

pub use stop::{EmptyStopString, StopStep, StopStrings};
pub use utf8::Utf8Stream;
