//! Every wrapper through the simulator, with the libraries of CANN 8.3.

mod cases;
mod simulated;

const CANN: ascend_sim::layout::Cann = ascend_sim::layout::Cann::V8_3;
