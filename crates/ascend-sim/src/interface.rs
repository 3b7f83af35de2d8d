//! Exported functions whose statuses are not those of ACL: HCCL's and DCMI's.

/// Declares exported functions that return a status, and the list `EXPORTS` of their names and first releases. `$call` runs
/// each body, a `Result<(), E>`, and turns what it gives into the status.
macro_rules! interface {
    ($call:path; $(
        $(#[$attribute:meta])*
        $since:literal fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block
    )*) => {
        $(
            $(#[$attribute])*
            #[allow(unsafe_code, non_snake_case, clippy::too_many_arguments, reason = "the vendor's name, exported")]
            // SAFETY: a program that loads this library wants this symbol in place of the vendor's.
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> i32 {
                $call(stringify!($name), move || $body)
            }
        )*

        /// The functions above, each with the first release that has it.
        pub(crate) const EXPORTS: &[(&str, &str)] = &[$((stringify!($name), $since)),*];
    };
}
