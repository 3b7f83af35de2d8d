//! The operators: what each checks, and what it computes.
