//! What the numbers mean that C functions return.
//!
//! ```
//! use ascend_acl::codes::{Class, Interface, class, name};
//!
//! assert_eq!(name(Interface::Acl, 207_001), Some("ACL_ERROR_RT_MEMORY_ALLOCATION"));
//! assert_eq!(class(Interface::Acl, 207_001), Class::OutOfMemory);
//! assert_eq!(name(Interface::Hccl, 9), Some("HCCL_E_TIMEOUT"));
//! ```

mod acl;
mod aclnn;
mod class;
mod dcmi;
mod runtime;

pub use acl::ACL;
pub use aclnn::ACLNN;
pub use class::{Class, class};
pub use dcmi::DCMI;
pub use runtime::RUNTIME;

use crate::sys::HcclResult;

/// Whose codes they are: the same number means different things to different interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Interface {
    /// Runtime and operators, which share one range of numbers.
    Acl,
    /// Collectives.
    Hccl,
    /// Telemetry.
    Dcmi,
}

/// The name that C gives to a code; `None` for 0 and for numbers that are not in the tables.
#[must_use]
pub fn name(interface: Interface, code: i32) -> Option<&'static str> {
    let find = |table: &'static [(i32, &'static str)]| {
        table.iter().find(|(number, _)| *number == code).map(|(_, name)| *name)
    };
    match interface {
        Interface::Acl => find(ACL).or_else(|| find(RUNTIME)).or_else(|| find(ACLNN)),
        Interface::Hccl => hccl_name(code),
        Interface::Dcmi => find(DCMI),
    }
}

fn hccl_name(code: i32) -> Option<&'static str> {
    Some(match HcclResult(code) {
        HcclResult::E_PARA => "HCCL_E_PARA",
        HcclResult::E_PTR => "HCCL_E_PTR",
        HcclResult::E_MEMORY => "HCCL_E_MEMORY",
        HcclResult::E_INTERNAL => "HCCL_E_INTERNAL",
        HcclResult::E_NOT_SUPPORT => "HCCL_E_NOT_SUPPORT",
        HcclResult::E_NOT_FOUND => "HCCL_E_NOT_FOUND",
        HcclResult::E_UNAVAIL => "HCCL_E_UNAVAIL",
        HcclResult::E_SYSCALL => "HCCL_E_SYSCALL",
        HcclResult::E_TIMEOUT => "HCCL_E_TIMEOUT",
        HcclResult::E_OPEN_FILE_FAILURE => "HCCL_E_OPEN_FILE_FAILURE",
        HcclResult::E_TCP_CONNECT => "HCCL_E_TCP_CONNECT",
        HcclResult::E_ROCE_CONNECT => "HCCL_E_ROCE_CONNECT",
        HcclResult::E_TCP_TRANSFER => "HCCL_E_TCP_TRANSFER",
        HcclResult::E_ROCE_TRANSFER => "HCCL_E_ROCE_TRANSFER",
        HcclResult::E_RUNTIME => "HCCL_E_RUNTIME",
        HcclResult::E_DRV => "HCCL_E_DRV",
        HcclResult::E_PROFILING => "HCCL_E_PROFILING",
        HcclResult::E_CCE => "HCCL_E_CCE",
        HcclResult::E_NETWORK => "HCCL_E_NETWORK",
        HcclResult::E_AGAIN => "HCCL_E_AGAIN",
        HcclResult::E_REMOTE => "HCCL_E_REMOTE",
        HcclResult::E_SUSPENDING => "HCCL_E_SUSPENDING",
        HcclResult::E_OPRETRY_FAIL => "HCCL_E_OPRETRY_FAIL",
        HcclResult::E_OOM => "HCCL_E_OOM",
        _ => return None,
    })
}

/// Declares a table of codes and names.
macro_rules! codes {
    ($(#[$meta:meta])* $table:ident $prefix:literal: $($code:literal $name:ident),* $(,)?) => {
        $(#[$meta])*
        pub const $table: &[(i32, &str)] = &[$(($code, concat!($prefix, stringify!($name)))),*];
    };
}

use codes;
