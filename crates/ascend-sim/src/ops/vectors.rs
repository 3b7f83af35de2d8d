//! Cases that numpy and torch made, read from `tests/vectors`; `tests/judge/vectors.py` writes them.
//!
//! A family is a safetensors file. Each entry of its metadata is a case: the name, and a JSON object with the
//! arguments that are not tensors. Tensors are named `case/in.x` and `case/out.y` and hold values; the member `types` of the
//! object says what the device has them in, where that is not the type of the file: `{"x": "bf16"}`. Outputs are computed
//! in f64 and kept in f32 or an integer type, unrounded otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::access;
use super::testing::Device;
use crate::dtype::DataType;
use crate::scalar::Scalar;
use crate::tensor::Tensor;

/// One call of an operator and what comes of it.
pub(crate) struct Case {
    pub(crate) name: String,
    arguments: Value,
    tensors: BTreeMap<String, Values>,
}

struct Values {
    dtype: DataType,
    shape: Vec<i64>,
    /// Of the type in the file.
    stored: DataType,
    bytes: Vec<u8>,
}

/// The cases of `tests/vectors/<family>.safetensors` whose argument `operator` is this one; at least one.
pub(crate) fn cases(family: &str, operator: &str) -> Vec<Case> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/{family}.safetensors"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut found = Vec::new();
    for (name, arguments) in header.metadata().as_ref().unwrap() {
        let arguments = serde_json::from_str::<Value>(arguments).unwrap();
        if arguments["operator"] != operator {
            continue;
        }
        let tensors = file
            .iter()
            .filter_map(|(full, view)| {
                let key = full.strip_prefix(name)?.strip_prefix('/')?;
                let argument = key.split_once('.').unwrap().1;
                let stored = stored_type(view.dtype());
                let dtype = arguments["types"][argument].as_str().map_or(stored, type_named);
                let shape = view.shape().iter().map(|&extent| extent as i64).collect();
                Some((key.to_owned(), Values { dtype, shape, stored, bytes: view.data().to_vec() }))
            })
            .collect();
        found.push(Case { name: name.clone(), arguments, tensors });
    }
    assert!(!found.is_empty(), "{}: no case of {operator}", path.display());
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

impl Case {
    /// An input in device memory.
    pub(crate) fn input(&self, device: &Device, name: &str) -> Tensor {
        self.optional(device, name).unwrap_or_else(|| panic!("{}: no input {name}", self.name))
    }

    /// An input that the case may leave out.
    pub(crate) fn optional(&self, device: &Device, name: &str) -> Option<Tensor> {
        let values = self.tensors.get(&format!("in.{name}"))?;
        let stored = device.bytes(values.stored, &values.shape, &values.bytes);
        if values.stored == values.dtype {
            return Some(stored);
        }
        let tensor = device.empty(values.dtype, &values.shape);
        if matches!(values.stored, DataType::F32 | DataType::F64) {
            access::write_converted(device, &tensor, &device.read_floats(&stored)).unwrap();
        } else {
            access::write_integers(device, &tensor, &device.read_integers(&stored)).unwrap();
        }
        Some(tensor)
    }

    /// Poisoned memory for an output.
    pub(crate) fn output(&self, device: &Device, name: &str) -> Tensor {
        let values = self.expected(name);
        device.empty(values.dtype, &values.shape)
    }

    /// True where the case expects this output.
    pub(crate) fn has_output(&self, name: &str) -> bool {
        self.tensors.contains_key(&format!("out.{name}"))
    }

    fn expected(&self, name: &str) -> &Values {
        let key = format!("out.{name}");
        self.tensors.get(&key).unwrap_or_else(|| panic!("{}: no output {name}", self.name))
    }

    /// Asserts that a tensor holds the values of this output: integers exactly; floats within one rounding to their type, and
    /// within `tolerance` (2e-6 unless the case says otherwise) of the largest magnitude for what f32 sums lose.
    #[track_caller]
    pub(crate) fn check(&self, device: &Device, name: &str, tensor: &Tensor) {
        let values = self.expected(name);
        assert_eq!(tensor.shape, values.shape, "{}: shape of {name}", self.name);
        let expected = device.bytes(values.stored, &values.shape, &values.bytes);
        if !matches!(values.stored, DataType::F32 | DataType::F64) {
            let got = device.read_integers(tensor);
            assert_eq!(got, device.read_integers(&expected), "{}: {name}", self.name);
            return;
        }
        let got = device.read_floats(tensor);
        let expected = device.read_floats(&expected);
        let finite = expected.iter().filter(|value| value.is_finite());
        let largest = finite.fold(0f32, |largest, value| largest.max(value.abs()));
        let tolerance = self.arguments["tolerance"].as_f64().unwrap_or(2e-6) as f32;
        for (at, (&got, &expected)) in got.iter().zip(&expected).enumerate() {
            let allowed = half_a_step(tensor.dtype, expected) * 1.001 + tolerance * largest;
            assert!(
                (got - expected).abs() <= allowed
                    || got == expected
                    || got.is_nan() && expected.is_nan(),
                "{}: {name}[{at}] is {got}, expected {expected} within {allowed}",
                self.name
            );
        }
    }

    /// An argument that is a number.
    pub(crate) fn float(&self, name: &str) -> f64 {
        self.argument(name).as_f64().unwrap()
    }

    /// An argument that is an integer.
    pub(crate) fn int(&self, name: &str) -> i64 {
        self.argument(name).as_i64().unwrap()
    }

    /// An argument that is a list of integers.
    pub(crate) fn ints(&self, name: &str) -> Vec<i64> {
        let list = self.argument(name).as_array().unwrap();
        list.iter().map(|value| value.as_i64().unwrap()).collect()
    }

    /// An argument that is true or false.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.argument(name).as_bool().unwrap()
    }

    /// An argument that is a string.
    pub(crate) fn text(&self, name: &str) -> String {
        self.argument(name).as_str().unwrap().to_owned()
    }

    /// An argument that is a scalar: i64 or f32, as JSON has it.
    pub(crate) fn scalar(&self, name: &str) -> Scalar {
        let value = self.argument(name);
        if let Some(integer) = value.as_i64() {
            return Scalar { dtype: DataType::I64, real: integer as f64, integer };
        }
        let real = value.as_f64().unwrap();
        Scalar { dtype: DataType::F32, real, integer: real as i64 }
    }

    /// True where the case has this argument.
    pub(crate) fn has_argument(&self, name: &str) -> bool {
        !self.arguments[name].is_null()
    }

    fn argument(&self, name: &str) -> &Value {
        let value = &self.arguments[name];
        assert!(!value.is_null(), "{}: no argument {name}", self.name);
        value
    }
}

/// Half the distance between neighbours of this magnitude: what one rounding may change.
fn half_a_step(dtype: DataType, value: f32) -> f32 {
    let (bits, least) = match dtype {
        DataType::Bf16 => (8, -126),
        DataType::F16 => (11, -14),
        DataType::F32 => (24, -126),
        DataType::F8E4M3 => (4, -6),
        DataType::F8E5M2 => (3, -14),
        _ => return 0.0,
    };
    if !value.is_finite() {
        return 0.0;
    }
    let exponent = if value == 0.0 { least } else { value.abs().log2().floor() as i32 };
    2f32.powi(exponent.max(least) - bits)
}

fn type_named(name: &str) -> DataType {
    match name {
        "f32" => DataType::F32,
        "f16" => DataType::F16,
        "bf16" => DataType::Bf16,
        "f64" => DataType::F64,
        "i4" => DataType::I4,
        "i8" => DataType::I8,
        "i16" => DataType::I16,
        "i32" => DataType::I32,
        "i64" => DataType::I64,
        "u8" => DataType::U8,
        "bool" => DataType::Bool,
        "f8e4m3" => DataType::F8E4M3,
        "f8e5m2" => DataType::F8E5M2,
        "e8m0" => DataType::E8M0,
        "f4e2m1" => DataType::F4E2M1,
        other => panic!("no type {other}"),
    }
}

fn stored_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::F64 => DataType::F64,
        Dtype::F32 => DataType::F32,
        Dtype::F16 => DataType::F16,
        Dtype::BF16 => DataType::Bf16,
        Dtype::I8 => DataType::I8,
        Dtype::I16 => DataType::I16,
        Dtype::I32 => DataType::I32,
        Dtype::I64 => DataType::I64,
        Dtype::U8 => DataType::U8,
        Dtype::BOOL => DataType::Bool,
        other => panic!("no type for {other:?}"),
    }
}
