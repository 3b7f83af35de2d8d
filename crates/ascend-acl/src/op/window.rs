//! Which keys a query sees.

/// Which keys of its sequence a query sees, the query at position `p` of a sequence of `n` keys being the last one at `p = n - 1`.
///
/// Huawei's `preTokens` counts the keys *before* the query's own, which it sees too: a window of 128 keys is `preTokens` 127. Both vllm-ascend and
/// the vendor's own recipe for gpt-oss pass 128, and so see one key more than the model was trained with.
///
/// ```
/// use ascend_acl::op::Window;
///
/// assert_eq!(Window::keys(128).pre_tokens(), 127);
/// assert_eq!(Window::keys(1).pre_tokens(), 0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Everything,
    Causal,
    Band(u32),
}

/// No limit.
const ALL: i64 = 2_147_483_647;

impl Window {
    /// All keys, later ones too.
    #[must_use]
    pub const fn everything() -> Self {
        Self(Kind::Everything)
    }

    /// All keys up to the query's own.
    #[must_use]
    pub const fn causal() -> Self {
        Self(Kind::Causal)
    }

    /// The query's own key and so many before it that there are `keys` in all; 1 at least.
    #[must_use]
    pub const fn keys(keys: u32) -> Self {
        Self(Kind::Band(keys.saturating_sub(1)))
    }

    /// `preTokens`: how far back a query sees.
    #[must_use]
    pub const fn pre_tokens(self) -> i64 {
        match self.0 {
            Kind::Everything | Kind::Causal => ALL,
            Kind::Band(before) => before as i64,
        }
    }

    /// `nextTokens`: how far ahead.
    #[must_use]
    pub const fn next_tokens(self) -> i64 {
        match self.0 {
            Kind::Everything => ALL,
            Kind::Causal | Kind::Band(_) => 0,
        }
    }

    /// `sparseMode`: 0 no mask, 3 causal from the right end, 4 a band.
    #[must_use]
    pub const fn sparse_mode(self) -> i64 {
        match self.0 {
            Kind::Everything => 0,
            Kind::Causal => 3,
            Kind::Band(_) => 4,
        }
    }

    /// Whether the vendor wants the mask of [`causal_mask`](super::causal_mask).
    #[must_use]
    pub const fn needs_mask(self) -> bool {
        !matches!(self.0, Kind::Everything)
    }
}
