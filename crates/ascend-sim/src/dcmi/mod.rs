//! DCMI, the device management interface of the driver: what `npu-smi` and monitors read.
//!
//! Memory is that of this process's allocations on top of what an idle card uses; utilisation is how busy the streams of this process
//! are; temperature and power follow it. Frequencies are those of the chip. Other processes have simulated devices of their own.

mod card;
mod functions;
mod reading;
mod status;

pub(crate) use functions::EXPORTS;
