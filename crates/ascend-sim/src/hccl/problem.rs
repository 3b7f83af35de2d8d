//! `HcclResult`: what it can be, and in words.

use std::ffi::CStr;

use crate::kernel::Fault;
use crate::runtime::failure::Failure;

/// The results that the simulator gives, by the vendor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Code {
    Parameter = 1,
    Pointer = 2,
    Internal = 4,
    NotSupported = 5,
    Timeout = 9,
    OpenFile = 10,
    Runtime = 15,
    Remote = 21,
}

impl Code {
    /// The code of this number; what has crossed a socket is one of these.
    pub(super) fn of(number: u32) -> Self {
        [
            Self::Parameter,
            Self::Pointer,
            Self::NotSupported,
            Self::Timeout,
            Self::OpenFile,
            Self::Runtime,
            Self::Remote,
        ]
        .into_iter()
        .find(|code| *code as u32 == number)
        .unwrap_or(Self::Internal)
    }
}

/// Why a call or a communicator fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    /// What, where, and what was expected.
    pub(crate) message: String,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(Code::Parameter, message)
    }

    pub(super) fn null(argument: &str) -> Self {
        Self::new(Code::Pointer, format!("{argument} is null, expected a valid pointer"))
    }

    /// What the stream reports when an operation on it fails: on hardware these are faults of the task scheduler.
    pub(super) fn fault(&self) -> Fault {
        let status = match self.code {
            // ACL_ERROR_RT_FFTS_PLUS_TIMEOUT
            Code::Timeout => 507_048,
            // ACL_ERROR_RT_SUSPECT_REMOTE_ERROR
            Code::Remote => 507_057,
            // ACL_ERROR_RT_FFTS_PLUS_EXCEPTION
            _ => 507_049,
        };
        Fault { status, message: format!("{}: {}", name(self.code as i32), self.message) }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(
            problem.code as i32,
            format!("{}: {}", name(problem.code as i32), problem.message),
        )
    }
}

/// A failure of the runtime underneath keeps its own status in the text.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(Code::Runtime, failure.to_string())
    }
}

/// Runs the body of an exported function: a problem becomes its code and the recent message, a panic `HCCL_E_INTERNAL`.
pub(super) fn call(name: &str, body: impl FnOnce() -> Result<(), Problem>) -> i32 {
    let body = std::panic::AssertUnwindSafe(body);
    let problem = match std::panic::catch_unwind(body) {
        Ok(Ok(())) => return 0,
        Ok(Err(problem)) => problem,
        Err(_) => Problem::new(Code::Internal, "a defect of the simulator: it panicked"),
    };
    let code = problem.code as i32;
    crate::runtime::failure::record(name, &problem.into());
    code
}

/// The vendor's name of a result.
pub(super) fn name(result: i32) -> &'static str {
    text(result).to_str().unwrap_or_default().split(':').next().unwrap_or_default()
}

/// Name and meaning of a result.
pub(super) fn text(result: i32) -> &'static CStr {
    let index = usize::try_from(result).unwrap_or(usize::MAX);
    TEXTS.get(index).copied().unwrap_or(c"unknown HcclResult")
}

const TEXTS: [&CStr; 25] = [
    c"HCCL_SUCCESS: no error",
    c"HCCL_E_PARA: a parameter is wrong",
    c"HCCL_E_PTR: a pointer is null",
    c"HCCL_E_MEMORY: memory could not be used",
    c"HCCL_E_INTERNAL: an error inside",
    c"HCCL_E_NOT_SUPPORT: not supported",
    c"HCCL_E_NOT_FOUND: not found",
    c"HCCL_E_UNAVAIL: a resource is not available",
    c"HCCL_E_SYSCALL: a system call failed",
    c"HCCL_E_TIMEOUT: it took too long",
    c"HCCL_E_OPEN_FILE_FAILURE: a file could not be opened",
    c"HCCL_E_TCP_CONNECT: no TCP connection",
    c"HCCL_E_ROCE_CONNECT: no RoCE connection",
    c"HCCL_E_TCP_TRANSFER: a TCP transfer failed",
    c"HCCL_E_ROCE_TRANSFER: a RoCE transfer failed",
    c"HCCL_E_RUNTIME: the runtime failed",
    c"HCCL_E_DRV: the driver failed",
    c"HCCL_E_PROFILING: profiling failed",
    c"HCCL_E_CCE: CCE failed",
    c"HCCL_E_NETWORK: the network failed",
    c"HCCL_E_AGAIN: to be tried again",
    c"HCCL_E_REMOTE: another rank failed",
    c"HCCL_E_SUSPENDING: the communicator is suspended",
    c"HCCL_E_OPRETRY_FAIL: an operation could not be tried again",
    c"HCCL_E_OOM: out of memory",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_their_names() {
        assert_eq!(name(Code::Remote as i32), "HCCL_E_REMOTE");
        assert_eq!(name(Code::OpenFile as i32), "HCCL_E_OPEN_FILE_FAILURE");
        assert_eq!(name(Code::Runtime as i32), "HCCL_E_RUNTIME");
        assert_eq!(text(-1), c"unknown HcclResult");
        assert_eq!(text(25), c"unknown HcclResult");
    }

    #[test]
    fn a_panic_does_not_leave_the_function() {
        assert_eq!(call("HcclBarrier", || panic!("as a test")), 4);
    }

    #[test]
    fn codes_cross_a_socket() {
        for code in [Code::Parameter, Code::Timeout, Code::Remote, Code::Internal] {
            assert_eq!(Code::of(code as u32), code);
        }
    }
}
