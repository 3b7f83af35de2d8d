//! Element types and formats of tensors, by the numbers of `aclDataType` and `aclFormat`.

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub(crate) enum DataType {
    F32 = 0,
    F16 = 1,
    I8 = 2,
    I32 = 3,
    U8 = 4,
    I16 = 6,
    U16 = 7,
    U32 = 8,
    I64 = 9,
    U64 = 10,
    F64 = 11,
    Bool = 12,
    Bf16 = 27,
    I4 = 29,
    F8E5M2 = 35,
    F8E4M3 = 36,
    E8M0 = 37,
    F4E2M1 = 40,
}

impl DataType {
    /// The type of this number, if the simulator computes with it.
    pub(crate) fn of(number: i32) -> Option<Self> {
        const ALL: [DataType; 18] = [
            DataType::F32,
            DataType::F16,
            DataType::I8,
            DataType::I32,
            DataType::U8,
            DataType::I16,
            DataType::U16,
            DataType::U32,
            DataType::I64,
            DataType::U64,
            DataType::F64,
            DataType::Bool,
            DataType::Bf16,
            DataType::I4,
            DataType::F8E5M2,
            DataType::F8E4M3,
            DataType::E8M0,
            DataType::F4E2M1,
        ];
        ALL.into_iter().find(|dtype| *dtype as i32 == number)
    }

    /// Bits of an element: two elements of four bits share a byte, the even one in the low half.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::I4 | Self::F4E2M1 => 4,
            Self::I8 | Self::U8 | Self::Bool | Self::F8E5M2 | Self::F8E4M3 | Self::E8M0 => 8,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 16,
            Self::F32 | Self::I32 | Self::U32 => 32,
            Self::F64 | Self::I64 | Self::U64 => 64,
        }
    }
}
