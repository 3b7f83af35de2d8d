//! The engine against itself: whatever way tokens take through it, they come out the same to the bit.

mod batches;
mod failures;
mod models;
mod one_pass;
mod schedules;
mod session_files;
mod sessions;
