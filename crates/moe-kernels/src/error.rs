//! What can go wrong.

use lowfloat::DType;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which argument does not fit, what was expected of it and what was found.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice has the wrong length.
    #[error("{argument}: expected length {expected}, found {found}")]
    Length {
        /// The argument.
        argument: &'static str,
        /// What the other arguments need.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// A matrix has the wrong shape.
    #[error("{argument}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The argument.
        argument: &'static str,
        /// Rows and columns that the other arguments need.
        expected: [usize; 2],
        /// Rows and columns that were given.
        found: [usize; 2],
    },
    /// A view does not hold its rows one after the other without gaps.
    #[error("{argument}: expected contiguous row-major elements, found strides {strides:?}")]
    NotRowMajor {
        /// The argument.
        argument: &'static str,
        /// Elements from one row, and from one column, to the next.
        strides: [isize; 2],
    },
    /// A count or size that cannot be.
    #[error("{argument}: expected {expected}, found {found}")]
    Count {
        /// What was counted.
        argument: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What was given.
        found: usize,
    },
    /// A constant of the model that is not in its range.
    #[error("{argument}: expected {expected}, found {found}")]
    Constant {
        /// The constant.
        argument: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What was given.
        found: f64,
    },
    /// A piece of weights does not hold whole rows.
    #[error(
        "piece {piece} of the weights: expected whole rows of {row_bytes} bytes, found {bytes} bytes"
    )]
    CutRow {
        /// Index of the piece.
        piece: usize,
        /// Bytes of a row.
        row_bytes: usize,
        /// Bytes of the piece.
        bytes: usize,
    },
    /// Weights of a type that there are no kernels for.
    #[error("weights: expected F32, BF16 or F16, found {dtype}")]
    UnsupportedDType {
        /// The type.
        dtype: DType,
    },
    /// Weights that a form of fewer bits cannot hold.
    #[error("row {row}, column {column} of the weights: expected finite numbers")]
    NotFinite {
        /// The row.
        row: usize,
        /// The column.
        column: usize,
    },
    /// A row that the matrix does not have.
    #[error("row {row} of a matrix with {rows} rows")]
    NoSuchRow {
        /// The row asked for.
        row: usize,
        /// Rows of the matrix.
        rows: usize,
    },
    /// Router logits of a token that cannot be ordered, or have no softmax.
    #[error(
        "router logits of row {row}: expected numbers with a finite maximum, found {value} for expert {expert}"
    )]
    Logit {
        /// The row (token) within the call.
        row: usize,
        /// The expert whose logit it is.
        expert: usize,
        /// The logit.
        value: f32,
    },
    /// A token is to be routed to no expert, or to more than there are.
    #[error("experts per token: expected 1 to {experts}, found {k}")]
    ExpertsPerToken {
        /// What was asked for.
        k: usize,
        /// Experts that there are.
        experts: usize,
    },
    /// A token was routed to an expert that does not exist.
    #[error(
        "routing of row {row}, slot {slot}: expected an expert below {experts}, found {expert}"
    )]
    NoSuchExpert {
        /// The row (token) within the call.
        row: usize,
        /// Which of its experts.
        slot: usize,
        /// The expert named.
        expert: u32,
        /// Experts that there are.
        experts: usize,
    },
    /// The spans do not hold a key that a query may see.
    #[error(
        "keys: expected positions {first_needed} to {last_needed}, found {first} and {count} in all"
    )]
    Keys {
        /// The first position that some query needs.
        first_needed: usize,
        /// The last position that some query needs.
        last_needed: usize,
        /// The position of the first key.
        first: usize,
        /// How many keys there are.
        count: usize,
    },
}
