//! The engine against itself: whatever way tokens take through it, they come out the same to the bit; and
//! what it refuses.

mod batches;
mod containers;
mod dense;
mod endings;
mod failures;
mod finite;
mod generation;
mod letters;
mod models;
mod one_pass;
mod repack_file;
mod rounding;
mod schedules;
mod session_files;
mod sessions;
mod weights;
