//! The chips that can be simulated.

/// A chip, as its limits and its operators go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soc {
    /// Atlas A2, 64 GB.
    Ascend910B3,
    /// Atlas A2, 32 GB.
    Ascend910B4,
    /// Atlas A3, a die of 64 GB.
    Ascend910_93,
    /// The generation with MX formats.
    Ascend950,
}

/// Which release of CANN the libraries look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cann {
    /// 8.3.RC1: `libascendcl`, `libopapi`; device-to-device copies cannot be captured.
    V8_3,
    /// 8.5: `libacl_rt`, `libopapi_*`.
    V8_5,
}

/// Where an operator is prepared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) soc: Soc,
    pub(crate) cann: Cann,
}
