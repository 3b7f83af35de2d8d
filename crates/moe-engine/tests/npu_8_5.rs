//! The NPU backend through the simulator, with the libraries of CANN 8.5.

mod npu;

const CANN: ascend_sim::layout::Cann = ascend_sim::layout::Cann::V8_5;
