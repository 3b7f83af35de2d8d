//! Every kernel against the reference, and what it promises beside the values.
//!
//! All of this runs once on the best instruction set, and `levels` runs it again on each other one.
#![expect(clippy::float_cmp, reason = "equal bits are what is promised")]

mod attention;
mod experts;
mod levels;
mod linear;
mod made;
mod norm;
mod repack;
mod residual;
mod rope;
mod rounding;
mod router;
mod strips;
mod swiglu;
mod weights;
