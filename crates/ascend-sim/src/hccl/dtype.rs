//! Element types and reductions, by the numbers of `HcclDataType` and `HcclReduceOp`: not those of `aclDataType`.

use super::problem::{Code, Problem};

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Element {
    I8 = 0,
    I16 = 1,
    I32 = 2,
    F16 = 3,
    F32 = 4,
    I64 = 5,
    U64 = 6,
    U8 = 7,
    U16 = 8,
    U32 = 9,
    F64 = 10,
    Bf16 = 11,
    I128 = 12,
    HiF8 = 14,
    F8E4M3 = 15,
    F8E5M2 = 16,
    E8M0 = 17,
}

const ELEMENTS: [Element; 17] = [
    Element::I8,
    Element::I16,
    Element::I32,
    Element::F16,
    Element::F32,
    Element::I64,
    Element::U64,
    Element::U8,
    Element::U16,
    Element::U32,
    Element::F64,
    Element::Bf16,
    Element::I128,
    Element::HiF8,
    Element::F8E4M3,
    Element::F8E5M2,
    Element::E8M0,
];

impl Element {
    /// The type of this number.
    pub(super) fn of(number: i32) -> Result<Self, Problem> {
        let found = ELEMENTS.into_iter().find(|element| *element as i32 == number);
        found.ok_or_else(|| {
            let message =
                format!("dataType is {number}, expected an HcclDataType: 0 to 12, or 14 to 17");
            Problem::new(Code::NotSupported, message)
        })
    }

    /// Bytes of an element.
    pub(super) fn size(self) -> u64 {
        match self {
            Self::I8 | Self::U8 | Self::HiF8 | Self::F8E4M3 | Self::F8E5M2 | Self::E8M0 => 1,
            Self::I16 | Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
            Self::I128 => 16,
        }
    }

    /// Bytes of so many elements.
    pub(super) fn bytes(self, count: u64) -> Result<u64, Problem> {
        count.checked_mul(self.size()).filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(
            || Problem::parameter(format!("count is {count}, more than addresses reach")),
        )
    }
}

/// How elements of ranks become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Reduction {
    Sum = 0,
    Product = 1,
    Maximum = 2,
    Minimum = 3,
}

impl Reduction {
    /// The reduction of this number, if elements of this type can be reduced: scales and `HiFloat8` cannot.
    pub(super) fn of(number: i32, element: Element) -> Result<Self, Problem> {
        if matches!(element, Element::HiF8 | Element::E8M0) {
            let message = format!("dataType {} cannot be reduced", element as i32);
            return Err(Problem::new(Code::NotSupported, message));
        }
        [Self::Sum, Self::Product, Self::Maximum, Self::Minimum]
            .into_iter()
            .find(|reduction| *reduction as i32 == number)
            .ok_or_else(|| {
                let message = format!("op is {number}, expected SUM 0, PROD 1, MAX 2 or MIN 3");
                Problem::parameter(message)
            })
    }
}
