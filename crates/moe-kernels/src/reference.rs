//! The operations as plainly as they can be written, for tests to compare with.
