/// Why parameters or logits cannot be sampled from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// A parameter is outside its range.
    #[error("{name} is {value}: expected {expected}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// The range it should be in.
        expected: &'static str,
    },
    /// A bias that is NaN or +∞.
    #[error("bias of token {id} is {value}: expected a number or -inf")]
    Bias {
        /// The token.
        id: u32,
        /// Its bias.
        value: f32,
    },
    /// A bias for a token that the logits do not have.
    #[error("bias of token {id}: expected an id below the vocabulary's size {vocabulary}")]
    BiasOutOfRange {
        /// The token.
        id: u32,
        /// How many tokens can be chosen.
        vocabulary: usize,
    },
    /// A logit that is NaN or +∞.
    #[error("logit of token {id} is {value} {stage}: expected a number or -inf")]
    Logit {
        /// The token.
        id: u32,
        /// Its logit.
        value: f32,
        /// When it was found: as the model gave it, or after bias and penalties.
        stage: &'static str,
    },
    /// No logits, or all of them -∞: nothing can be chosen.
    #[error("no token can be chosen of {vocabulary}: expected a logit above -inf")]
    NothingToChoose {
        /// How many logits were looked at.
        vocabulary: usize,
    },
}
