//! Codes by what a program can do about them.

use super::Interface;

/// What a failure means to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Class {
    /// There is no device, no driver, no right to it, or only a stub of the runtime.
    Unavailable,
    /// The caller passed something wrong.
    InvalidArgument,
    /// Something must come first: `aclInit`, a device for the thread, its context.
    NotInitialised,
    /// Memory, or another resource such as streams and events, is used up.
    OutOfMemory,
    /// This chip, driver or installation cannot do it.
    Unsupported,
    /// It took too long.
    Timeout,
    /// The device failed. It sticks: the context is of no use any more, and is to be dropped.
    DeviceFault,
    /// What was done is not allowed while a graph is captured, or the graph is not as it was thought.
    Capture,
    /// Anything else.
    Internal,
}

/// The class of a code other than 0.
#[must_use]
pub fn class(interface: Interface, code: i32) -> Class {
    match interface {
        Interface::Acl => acl(code),
        Interface::Hccl => hccl(code),
        Interface::Dcmi => dcmi(code),
    }
}

fn acl(code: i32) -> Class {
    match code {
        100_039 | 207_004 | 207_006 | 561_107 => Class::Unavailable,
        100_000
        | 107_000
        | 107_001
        | 107_006..=107_008
        | 107_016..=107_018
        | 161_001
        | 161_002
        | 200_002..=200_005 => Class::InvalidArgument,
        100_001 | 107_002 | 107_003 => Class::NotInitialised,
        200_000 | 207_001 | 207_005 | 207_007..=207_012 | 207_018 => Class::OutOfMemory,
        100_026 | 200_001 | 200_006 | 207_000 | 207_019 | 207_021 | 507_009 | 561_003 | 561_112 => {
            Class::Unsupported
        }
        100_036
        | 107_019
        | 107_020
        | 207_020
        | 507_012
        | 507_014
        | 507_017
        | 507_034
        | 507_046..=507_048
        | 507_915 => Class::Timeout,
        // Exceptions and traps of cores, memory errors, lost devices.
        507_010
        | 507_011
        | 507_015
        | 507_016
        | 507_018
        | 507_035
        | 507_036
        | 507_042..=507_045
        | 507_049
        | 507_050
        | 507_053..=507_055
        | 507_899
        | 507_916 => Class::DeviceFault,
        107_024..=107_045 | 507_903 => Class::Capture,
        _ => Class::Internal,
    }
}

fn hccl(code: i32) -> Class {
    match code {
        7 => Class::Unavailable,
        1 | 2 | 6 => Class::InvalidArgument,
        3 | 24 => Class::OutOfMemory,
        5 => Class::Unsupported,
        9 => Class::Timeout,
        _ => Class::Internal,
    }
}

fn dcmi(code: i32) -> Class {
    match code {
        -8002 | -8008 => Class::Unavailable,
        -8001 | -8007 => Class::InvalidArgument,
        -8012 => Class::NotInitialised,
        -8013 | -8255 => Class::Unsupported,
        -8006 => Class::Timeout,
        _ => Class::Internal,
    }
}
