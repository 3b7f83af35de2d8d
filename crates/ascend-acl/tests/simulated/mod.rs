//! What both layouts of the simulator are asked to do.

mod machine;

mod memory;
mod products;
