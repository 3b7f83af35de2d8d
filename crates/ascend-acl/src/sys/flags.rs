//! Bits and words that C passes as plain integers.

/// Flags of `aclrtCreateStreamWithConfig`.
pub mod stream_flag {
    /// Tasks are handed over with less delay, for more memory.
    pub const FAST_LAUNCH: u32 = 1;
    /// `aclrtSynchronizeStream` spins.
    pub const FAST_SYNC: u32 = 2;
    /// The stream lives on for a model.
    pub const PERSISTENT: u32 = 4;
    /// The stream holds more tasks.
    pub const HUGE: u32 = 8;
    /// The stream schedules AI-CPU work.
    pub const CPU_SCHEDULE: u32 = 0x10;
    /// Only the device uses the stream.
    pub const DEVICE_USE_ONLY: u32 = 0x20;
}

/// Flags of `aclrtCreateEventWithFlag` and `aclrtCreateEventExWithFlag`.
pub mod event_flag {
    /// Streams wait for the event.
    pub const SYNC: u32 = 1;
    /// The event tells how far a captured stream is.
    pub const CAPTURE_STREAM_PROGRESS: u32 = 2;
    /// The event takes the time, as `aclrtEventElapsedTime` needs it.
    pub const TIME_LINE: u32 = 8;
    /// Only the device uses the event.
    pub const DEVICE_USE_ONLY: u32 = 0x10;
    /// The event is not part of a captured graph.
    pub const EXTERNAL: u32 = 0x20;
    /// The event is shared between processes.
    pub const IPC: u32 = 0x40;
}

/// Modes of `aclrtSetStreamFailureMode`.
pub mod failure_mode {
    /// Later tasks run although one failed; what a stream does unless told otherwise.
    pub const CONTINUE_ON_FAILURE: u64 = 0;
    /// Nothing runs after a failed task.
    pub const STOP_ON_FAILURE: u64 = 1;
}

/// Values of `cubeMathType`, which matrix products take.
pub mod cube_math {
    /// The inputs' own precision.
    pub const KEEP_DTYPE: i8 = 0;
    /// f32 may be computed with less.
    pub const ALLOW_FP32_DOWN_PRECISION: i8 = 1;
    /// f16.
    pub const USE_FP16: i8 = 2;
    /// f32 with fewer bits of mantissa.
    pub const USE_HF32: i8 = 3;
}

/// Kinds of load of `dcmi_get_device_utilization_rate`, whose answer is per cent.
pub mod dcmi_rate {
    use std::ffi::c_int;

    /// Memory on the card that is not HBM.
    pub const DDR: c_int = 1;
    /// AI cores.
    pub const AICORE: c_int = 2;
    /// AI CPUs.
    pub const AICPU: c_int = 3;
    /// Control CPUs.
    pub const CTRLCPU: c_int = 4;
    /// Bandwidth of memory that is not HBM.
    pub const DDR_BANDWIDTH: c_int = 5;
    /// HBM.
    pub const HBM: c_int = 6;
    /// Bandwidth of HBM.
    pub const HBM_BANDWIDTH: c_int = 10;
    /// Vector cores.
    pub const VECTORCORE: c_int = 12;
    /// The whole chip.
    pub const NPU: c_int = 13;
}
