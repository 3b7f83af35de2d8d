//! Tables of functions that are looked up when they are first asked for.

use std::fmt;
use std::sync::OnceLock;

use super::aclnn::aclnnExecute;
use super::signature::Signature;
use crate::error::MissingSymbol;
use crate::library::Handles;

/// The place of one function in a table: empty until somebody asks.
pub(super) struct Slot<F>(OnceLock<Option<F>>);

impl<F: Copy> Slot<F> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The function, looked up once in the process.
    ///
    /// # Safety
    ///
    /// `F` is a function pointer of the type that `signature` describes.
    pub(super) unsafe fn get(
        &self,
        handles: &Handles,
        signature: &'static Signature,
    ) -> Result<F, MissingSymbol> {
        let found = self.0.get_or_init(|| {
            handles.iter().find_map(|handle| {
                // SAFETY: the caller promises the same of `F`.
                unsafe { handle.function(signature.name) }
            })
        });
        found.ok_or_else(|| MissingSymbol::new(signature, handles))
    }
}

/// Both phases of an operator, from one library.
#[derive(Clone, Copy)]
pub struct Operator<F> {
    /// The first phase, `aclnn…GetWorkspaceSize`: checks the arguments and prepares an executor.
    pub prepare: F,
    /// The second phase: launches the executor, and consumes it whether it succeeds or not.
    pub execute: aclnnExecute,
    /// The name without the suffix of the first phase.
    pub name: &'static str,
}

impl<F> fmt::Debug for Operator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The place of one operator in a table.
pub(super) struct Pair<F>(OnceLock<Option<Operator<F>>>);

impl<F: Copy> Pair<F> {
    pub(super) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Both phases, from the first library that has both: libraries of different age may each
    /// have an operator of the same name, and an executor of one does not run in the other.
    ///
    /// # Safety
    ///
    /// `F` is a function pointer of the type that the first of `phases` describes.
    pub(super) unsafe fn get(
        &self,
        handles: &Handles,
        phases: &'static [Signature; 2],
    ) -> Result<Operator<F>, MissingSymbol> {
        let [first, second] = phases;
        let found = self.0.get_or_init(|| {
            handles.iter().find_map(|handle| {
                // SAFETY: the caller promises the same of `F`.
                let prepare = unsafe { handle.function(first.name) }?;
                // SAFETY: all second phases have this type.
                let execute = unsafe { handle.function(second.name) }?;
                Some(Operator { prepare, execute, name: second.name })
            })
        });
        found.ok_or_else(|| {
            let first_is_there = handles.iter().any(|handle| handle.has(first.name));
            MissingSymbol::new(if first_is_there { second } else { first }, handles)
        })
    }
}

/// Declares a table of functions: the type of each, a method that finds it, and its [`Signature`].
macro_rules! functions {
    ($(#[$table_meta:meta])* $table:ident {
        $($(#[$meta:meta])* $library:ident $since:literal
            fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $returns:ty;)*
    }) => {
        $($(#[$meta])*
        pub type $name = unsafe extern "C" fn($($type),*) -> $returns;)*

        $(#[$table_meta])*
        // The fields are named by C.
        #[allow(clippy::struct_field_names)]
        pub struct $table {
            handles: $crate::library::Handles,
            $($name: $crate::sys::table::Slot<$name>,)*
        }

        impl $table {
            /// The C prototypes of all functions of the table.
            pub const SIGNATURES: &'static [$crate::sys::Signature] = &[$($crate::sys::Signature {
                name: stringify!($name),
                library: $crate::sys::Library::$library,
                since: $since,
                returns: stringify!($returns),
                params: &[$((stringify!($arg), stringify!($type))),*],
            }),*];

            pub(crate) fn new(handles: $crate::library::Handles) -> Self {
                Self { handles, $($name: $crate::sys::table::Slot::new(),)* }
            }

            /// Whether the loaded libraries have a function of this name.
            #[must_use]
            pub fn has(&self, name: &str) -> bool {
                Self::SIGNATURES.iter().any(|signature| signature.name == name)
                    && self.handles.iter().any(|handle| handle.has(name))
            }

            $($(#[$meta])*
            pub fn $name(&self) -> Result<$name, $crate::MissingSymbol> {
                const SIGNATURE: &$crate::sys::Signature =
                    $crate::sys::signature::of($table::SIGNATURES, stringify!($name));
                // SAFETY: type and signature come from one declaration, which was compared with
                // the vendor's headers.
                unsafe { self.$name.get(&self.handles, SIGNATURE) }
            })*
        }

        impl std::fmt::Debug for $table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($table)).field("handles", &self.handles).finish_non_exhaustive()
            }
        }
    };
}

/// Declares a table of operators: the type of each first phase, a method that finds both phases,
/// and their [`Signature`]s.
macro_rules! operators {
    ($(#[$table_meta:meta])* $table:ident {
        $($(#[$meta:meta])* $library:ident $since:literal
            fn $name:ident($($arg:ident: $type:ty),* $(,)?);)*
    }) => {
        $($(#[$meta])*
        ///
        /// The first phase, which ends with `workspaceSize` and `executor`.
        pub type $name = unsafe extern "C" fn(
            $($type,)* *mut u64, *mut *mut $crate::sys::aclOpExecutor,
        ) -> $crate::sys::aclnnStatus;)*

        $(#[$table_meta])*
        pub struct $table {
            handles: $crate::library::Handles,
            $($name: $crate::sys::table::Pair<$name>,)*
        }

        impl $table {
            /// The C prototypes of both phases of all operators of the table.
            pub const SIGNATURES: &'static [[$crate::sys::Signature; 2]] = &[$([
                $crate::sys::Signature {
                    name: concat!(stringify!($name), "GetWorkspaceSize"),
                    library: $crate::sys::Library::$library,
                    since: $since,
                    returns: "aclnnStatus",
                    params: &[
                        $((stringify!($arg), stringify!($type)),)*
                        ("workspaceSize", "*mut u64"),
                        ("executor", "*mut *mut aclOpExecutor"),
                    ],
                },
                $crate::sys::Signature {
                    name: stringify!($name),
                    library: $crate::sys::Library::$library,
                    since: $since,
                    returns: "aclnnStatus",
                    params: $crate::sys::aclnn::EXECUTE_PARAMS,
                },
            ]),*];

            pub(crate) fn new(handles: $crate::library::Handles) -> Self {
                Self { handles, $($name: $crate::sys::table::Pair::new(),)* }
            }

            $($(#[$meta])*
            pub fn $name(
                &self,
            ) -> Result<$crate::sys::Operator<$name>, $crate::MissingSymbol> {
                const PHASES: &[$crate::sys::Signature; 2] =
                    $crate::sys::signature::phases_of($table::SIGNATURES, stringify!($name));
                // SAFETY: type and signature come from one declaration, which was compared with
                // the vendor's headers.
                unsafe { self.$name.get(&self.handles, PHASES) }
            })*
        }

        impl std::fmt::Debug for $table {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($table)).field("handles", &self.handles).finish_non_exhaustive()
            }
        }
    };
}

pub(super) use {functions, operators};
