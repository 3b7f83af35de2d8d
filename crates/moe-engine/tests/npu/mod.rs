//! What both layouts of the simulator are asked to do.

mod golden;
mod machine;
