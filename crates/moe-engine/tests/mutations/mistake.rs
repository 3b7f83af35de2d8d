//! What an implementation of gpt-oss can get wrong.

macro_rules! mistakes {
    ($($(#[doc = $doc:literal])* $name:ident),* $(,)?) => {
        /// One thing done wrong, everything else right.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mistake {
            $($(#[doc = $doc])* $name),*
        }

        impl Mistake {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

mistakes! {
    /// Attention without sinks.
    SinksDropped,
    /// Sinks multiplied by the scale of the scores.
    SinksScaled,
    /// Layers with full attention have no sinks.
    SinksInSlidingLayersOnly,
    /// The window does not count the token itself.
    WindowOneTooLong,
    /// The window ends before the token that is exactly as far away as it is long.
    WindowOneTooShort,
    /// The first layer has full attention.
    SlidingOnOddLayers,
    /// Every layer slides.
    SlidingEverywhere,
    /// No layer slides.
    SlidingNowhere,
    /// Scores are not divided by the root of the head's length.
    ScoresNotScaled,
    /// Tokens see those after them, in layers with full attention.
    FutureSeen,
    /// Query head `h` uses key head `h mod kv_heads`.
    KeyHeadIsRemainder,
    /// No bias of the projection.
    QueryBiasDropped,
    /// No bias of the projection.
    KeyBiasDropped,
    /// No bias of the projection.
    ValueBiasDropped,
    /// No bias of the projection.
    OutputBiasDropped,

    /// The ends of the `YaRN` ramp rounded to whole dimensions: the default of libraries.
    YarnTruncated,
    /// Neither queries nor keys are lengthened.
    ConcentrationDropped,
    /// Queries are lengthened, keys are not.
    ConcentrationOnQueriesOnly,
    /// Plain rotary embedding.
    YarnDropped,
    /// Every frequency divided by the factor.
    EveryFrequencyDivided,
    /// Elements `2i` and `2i + 1` are a pair.
    PairsInterleaved,
    /// The ramp computed of `max_position_embeddings`.
    OriginalContextIsMaximum,
    /// The constants of the released models, whatever the configuration says.
    RopeConstantsHardCoded,
    /// Queries are rotated, keys are not.
    KeysNotRotated,

    /// 1e-6, as in other models.
    EpsTooSmall,
    /// Added to the root, not under it.
    EpsOutsideRoot,
    /// The two norms of a layer exchanged.
    NormsExchanged,
    /// The head sees the output of the last layer as it is.
    FinalNormDropped,

    /// Weights are the softmax over all experts, not brought to a sum of 1.
    SoftmaxOverAllExperts,
    /// One expert less per token.
    OneExpertTooFew,
    /// One expert more per token.
    OneExpertTooMany,
    /// All chosen experts count the same.
    ExpertsNotWeighted,
    /// No bias of the router.
    RouterBiasDropped,
    /// The router sees what the norm sees.
    RouterBeforeNorm,

    /// The first half of the rows is gate, the second up.
    GateAndUpAreHalves,
    /// Odd rows are gate.
    GateAndUpSwapped,
    /// Nothing is clamped.
    ClampDropped,
    /// Up is clamped, gate is not.
    GateClampDropped,
    /// Gate is clamped, up is not.
    UpClampDropped,
    /// Up may be below minus the limit.
    UpClampedAboveOnly,
    /// `up` instead of `up + 1`.
    UpNotIncremented,
    /// The plain `SiLU` that `hidden_act` names.
    AlphaIsOne,
    /// No bias of the projection.
    GateUpBiasDropped,
    /// No bias of the projection.
    DownBiasDropped,
    /// The bias counts fully, whatever the weight of its expert.
    DownBiasOutsideWeighting,
    /// `[in, out]`, where that has the same shape.
    DownTransposed,

    /// The high nibble first.
    NibblesSwapped,
    /// Scales have the bias 126.
    ScalesTwiceTooLarge,
    /// Scales have the bias 128.
    ScalesTwiceTooSmall,

    /// Logits by the embedding.
    HeadTied,

    /// Gate is clamped below too. Harmless: there the sigmoid has left nothing of it.
    GateClampedBelow,
}
