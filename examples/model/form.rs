//! The form of weights and activations on the processor.

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use moe_engine::{Activations, Options, Repack};

/// In which form the processor has weights and activations.
#[derive(Args, Clone, Debug)]
pub struct FormArgs {
    /// The form of the attention's projections and the head: stored, coded (twelve bits a weight instead of
    /// sixteen, without loss) or int8
    #[arg(long, default_value = "stored")]
    dense: Dense,
    /// The same as --dense coded
    #[arg(long, conflicts_with = "dense")]
    repack: bool,
    /// How activations meet the experts' MXFP4 weights: exact (as --precision has them) or int8 (eight bits,
    /// as other engines round them: faster without instructions for bf16, less accurate)
    #[arg(long, default_value = "exact")]
    activations: ActivationForm,
    /// Keep the weights in that form in a file: made if it is not there, used at once if it is
    #[arg(long, value_name = "FILE")]
    repack_file: Option<PathBuf>,
}

/// The form of dense weights.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Dense {
    Stored,
    Coded,
    Int8,
}

/// The form of activations.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ActivationForm {
    Exact,
    Int8,
}

impl FormArgs {
    /// Puts these into options.
    pub fn apply(&self, options: &mut Options) -> Result<(), Box<dyn Error>> {
        let dense = self.dense();
        if self.repack_file.is_some() && dense.is_none() {
            return Err(
                "--repack-file: in which form? give --repack, --dense coded or --dense int8".into(),
            );
        }
        options.activations = match self.activations {
            ActivationForm::Exact => Activations::Exact,
            ActivationForm::Int8 => Activations::Int8,
        };
        options.dense = dense;
        options.repack_file.clone_from(&self.repack_file);
        Ok(())
    }

    fn dense(&self) -> Option<Repack> {
        match self.dense {
            Dense::Coded => Some(Repack::Coded),
            Dense::Int8 => Some(Repack::Int8),
            Dense::Stored => self.repack.then_some(Repack::Coded),
        }
    }
}
