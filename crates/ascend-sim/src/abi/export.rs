//! What every exported function has in common.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::runtime::failure::{self, Failure};

/// An exported function, for the tables of the front libraries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    /// `acl_rt`, `nnopbase`, or `math` for functions of an operator library that have no phases.
    pub(crate) library: &'static str,
    /// The first release whose headers have it.
    pub(crate) since: &'static str,
    pub(crate) name: &'static str,
}

/// Runs the body of an exported function: a failure becomes its status and the recent message, a panic 500000.
pub(crate) fn call(name: &str, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            Failure::new(500_000, format!("a defect of the simulator: {text}"))
        }
    };
    failure::record(name, &failure);
    failure.status
}

/// Declares exported functions that return a status, and the list `EXPORTS` of them. Each body is a
/// `Result<(), Failure>`.
macro_rules! export {
    ($library:literal; $(
        $(#[$attribute:meta])*
        $since:literal fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    )*) => {
        $(
            $(#[$attribute])*
            #[allow(unsafe_code, non_snake_case, reason = "the vendor's name, exported")]
            // SAFETY: a program that loads this library wants this symbol in place of the vendor's.
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> i32 {
                $crate::abi::export::call(stringify!($name), move || $body)
            }
        )*

        /// The functions above.
        pub(crate) const EXPORTS: &[$crate::abi::Export] = &[$($crate::abi::Export {
            library: $library,
            since: $since,
            name: stringify!($name),
        }),*];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_does_not_leave_the_function() {
        assert_eq!(call("aclrtMalloc", || panic!("as a test")), 500_000);
        assert!(!failure::take_recent().is_null());
        assert_eq!(call("aclrtMalloc", || Ok(())), 0);
        assert_eq!(call("aclrtMalloc", || Err(Failure::null("devPtr"))), 100_000);
    }
}
