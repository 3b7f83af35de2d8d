//! Arguments of operators: from what C passes to what the operator's function takes.

use super::pointer::{Raw, Text};
use crate::dtype::DataType;
use crate::kernel::{NULL_POINTER, Reject};
use crate::runtime::handles::{self, handles};
use crate::runtime::registry::{Kind, Registry, handle};
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// A type that a parameter of an operator may have.
pub(crate) trait Argument: Clone + Send + Sync + 'static {
    /// How C passes it.
    type Raw: Copy;
    /// Its type in a C prototype.
    const C_TYPE: &'static str;

    /// The value; a handle that is null or dead is refused, by the name of the parameter.
    fn from_raw(raw: Self::Raw, parameter: &'static str) -> Result<Self, Reject>;

    /// Shows each tensor inside, with its place in its list.
    fn tensors(&mut self, _visit: &mut dyn FnMut(usize, &mut Tensor)) {}

    /// Whether this is a list of tensors.
    const IS_LIST: bool = false;
}

fn null(parameter: &str) -> Reject {
    Reject {
        status: NULL_POINTER,
        message: format!("{parameter} is null, which this parameter cannot be"),
    }
}

fn find<T>(registry: &Registry<T>, raw: Raw, parameter: &str) -> Result<std::sync::Arc<T>, Reject> {
    if raw.is_null() {
        return Err(null(parameter));
    }
    registry
        .get(handle(raw))
        .ok_or_else(|| Reject::parameter(format!("{parameter} is {}", Kind::describe(raw))))
}

impl Argument for Tensor {
    type Raw = Raw;
    const C_TYPE: &'static str = "const aclTensor *";

    fn from_raw(raw: Raw, parameter: &'static str) -> Result<Self, Reject> {
        find(&handles().tensors, raw, parameter)?.tensor(parameter)
    }

    fn tensors(&mut self, visit: &mut dyn FnMut(usize, &mut Tensor)) {
        visit(0, self);
    }
}

impl Argument for Vec<Tensor> {
    type Raw = Raw;
    const C_TYPE: &'static str = "const aclTensorList *";
    const IS_LIST: bool = true;

    fn from_raw(raw: Raw, parameter: &'static str) -> Result<Self, Reject> {
        let list = find(&handles().tensor_lists, raw, parameter)?;
        let member = |(index, member): (usize, &u64)| {
            let parameter = format!("{parameter}[{index}]");
            handles::tensor(*member, &parameter)
        };
        list.iter().enumerate().map(member).collect()
    }

    fn tensors(&mut self, visit: &mut dyn FnMut(usize, &mut Tensor)) {
        for (index, tensor) in self.iter_mut().enumerate() {
            visit(index, tensor);
        }
    }
}

impl Argument for Scalar {
    type Raw = Raw;
    const C_TYPE: &'static str = "const aclScalar *";

    fn from_raw(raw: Raw, parameter: &'static str) -> Result<Self, Reject> {
        Ok(*find(&handles().scalars, raw, parameter)?)
    }
}

impl Argument for Vec<i64> {
    type Raw = Raw;
    const C_TYPE: &'static str = "const aclIntArray *";

    fn from_raw(raw: Raw, parameter: &'static str) -> Result<Self, Reject> {
        Ok(find(&handles().int_arrays, raw, parameter)?.as_ref().clone())
    }
}

/// A parameter that may be null.
macro_rules! optional {
    ($($type:ty),*) => {$(
        impl Argument for Option<$type> {
            type Raw = Raw;
            const C_TYPE: &'static str = <$type as Argument>::C_TYPE;
            const IS_LIST: bool = <$type as Argument>::IS_LIST;

            fn from_raw(raw: Raw, parameter: &'static str) -> Result<Self, Reject> {
                if raw.is_null() {
                    return Ok(None);
                }
                <$type as Argument>::from_raw(raw, parameter).map(Some)
            }

            fn tensors(&mut self, visit: &mut dyn FnMut(usize, &mut Tensor)) {
                if let Some(argument) = self {
                    argument.tensors(visit);
                }
            }
        }
    )*};
}

optional!(Tensor, Vec<Tensor>, Scalar, Vec<i64>);

impl Argument for String {
    type Raw = Text;
    const C_TYPE: &'static str = "char *";

    fn from_raw(raw: Text, parameter: &'static str) -> Result<Self, Reject> {
        raw.get().ok_or_else(|| null(parameter))
    }
}

impl Argument for Option<String> {
    type Raw = Text;
    const C_TYPE: &'static str = "char *";

    fn from_raw(raw: Text, _parameter: &'static str) -> Result<Self, Reject> {
        Ok(raw.get())
    }
}

impl Argument for bool {
    /// The byte of a C `bool`; any but 0 is true.
    type Raw = u8;
    const C_TYPE: &'static str = "bool";

    fn from_raw(raw: u8, _parameter: &'static str) -> Result<Self, Reject> {
        Ok(raw != 0)
    }
}

impl Argument for DataType {
    type Raw = i32;
    const C_TYPE: &'static str = "aclDataType";

    fn from_raw(raw: i32, parameter: &'static str) -> Result<Self, Reject> {
        DataType::of(raw).ok_or_else(|| {
            Reject::parameter(format!(
                "{parameter} is {raw}, expected the number of an element type that the device computes with"
            ))
        })
    }
}

/// A parameter that is passed as it is.
macro_rules! by_value {
    ($($type:ty = $name:literal),*) => {$(
        impl Argument for $type {
            type Raw = $type;
            const C_TYPE: &'static str = $name;

            fn from_raw(raw: $type, _parameter: &'static str) -> Result<Self, Reject> {
                Ok(raw)
            }
        }
    )*};
}

by_value!(f64 = "double", i64 = "int64_t", i32 = "int", i8 = "int8_t");
