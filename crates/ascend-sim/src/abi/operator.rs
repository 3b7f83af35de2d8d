//! The two phases of every operator.

use super::export::call;
use super::pointer::{Out, Raw};
use super::tensor::inner_null;
use crate::kernel::Reject;
use crate::runtime::executor::{self, Executor, Prepare};
use crate::runtime::registry::{handle, pointer};

/// A row of the table of operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// The library of the split layout that has it: `math`, `nn`, `cv` or `transformer`.
    pub(crate) library: &'static str,
    /// The first release that has it: `8.1`, `8.3`, `8.5`, `9.0` or `head`.
    pub(crate) since: &'static str,
    /// The name of the second phase; the first adds `GetWorkspaceSize`.
    pub(crate) name: &'static str,
    /// Name and C type of each parameter that comes before the workspace size.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

/// Declares the operators: exports both phases of each, and lists them in `OPERATORS`.
///
/// A row is library, first release, name, parameters with their types, and the function that checks them and makes the
/// kernel. A parameter whose C name is a keyword of Rust ends in `_`.
macro_rules! operators {
    ($(
        $library:ident $since:literal $name:ident($($parameter:ident: $type:ty),* $(,)?)
            => $($function:ident)::+;
    )*) => {
        $(const _: () = {
            use $crate::abi::Argument;

            #[allow(unsafe_code, clippy::too_many_arguments, reason = "the vendor's symbol")]
            // SAFETY: a program that loads this library wants this symbol in place of the vendor's.
            #[unsafe(export_name = concat!(stringify!($name), "GetWorkspaceSize"))]
            unsafe extern "C" fn first(
                $($parameter: <$type as Argument>::Raw,)*
                workspace_size: $crate::abi::Out<u64>,
                executor: $crate::abi::Out<$crate::abi::Raw>,
            ) -> i32 {
                $crate::abi::first_phase(stringify!($name), workspace_size, executor, move || {
                    let arguments = ($(
                        <$type as Argument>::from_raw($parameter, stringify!($parameter))?,
                    )*);
                    Ok(Box::new(move |site, visit| {
                        let ($(mut $parameter,)*) = arguments.clone();
                        $(
                            Argument::tensors(&mut $parameter, &mut |index, tensor| {
                                visit(
                                    $crate::runtime::executor::Place {
                                        parameter: stringify!($parameter),
                                        index,
                                        in_list: <$type as Argument>::IS_LIST,
                                    },
                                    tensor,
                                );
                            });
                        )*
                        $($function)::+(site, $($parameter),*)
                    }))
                })
            }

            #[allow(unsafe_code, reason = "the vendor's symbol")]
            // SAFETY: as above.
            #[unsafe(export_name = stringify!($name))]
            unsafe extern "C" fn second(
                workspace: $crate::abi::Raw,
                workspace_size: u64,
                executor: $crate::abi::Raw,
                stream: $crate::abi::Raw,
            ) -> i32 {
                let name = stringify!($name);
                $crate::abi::second_phase(name, workspace, workspace_size, executor, stream)
            }
        };)*

        /// Every operator that the simulator has.
        pub(crate) const OPERATORS: &[$crate::abi::Operator] = &[$($crate::abi::Operator {
            library: stringify!($library),
            since: $since,
            name: stringify!($name),
            parameters: &[$((
                stringify!($parameter),
                <$type as $crate::abi::Argument>::C_TYPE,
            )),*],
        }),*];
    };
}

/// Checks the arguments and makes an executor.
pub(crate) fn first_phase(
    name: &'static str,
    workspace_size: Out<u64>,
    executor: Out<Raw>,
    arguments: impl FnOnce() -> Result<Prepare, Reject>,
) -> i32 {
    let symbol = format!("{name}GetWorkspaceSize");
    call(&symbol, || {
        executor::may_prepare()?;
        workspace_size.check("workspaceSize").map_err(inner_null)?;
        executor.check("executor").map_err(inner_null)?;
        let (made, bytes) = Executor::make(name, arguments()?)?;
        workspace_size.set("workspaceSize", bytes)?;
        executor.set("executor", pointer(made))
    })
}

/// Puts the kernel of an executor on a stream.
pub(crate) fn second_phase(
    name: &'static str,
    workspace: Raw,
    workspace_size: u64,
    executor: Raw,
    stream: Raw,
) -> i32 {
    call(name, || {
        let workspace = (handle(workspace), workspace_size);
        executor::launch(name, workspace, executor, handle(stream))
    })
}
