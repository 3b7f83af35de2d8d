//! A conversion as data: what every file and tensor of the result will be.

mod build;
mod identity;

use serde::Serialize;

use lowfloat::DType;

use crate::sink::FileLayout;
use crate::transform::Transform;
use crate::{Policy, Result, Sink, Source};

/// What a conversion will write, down to the last byte of every header, before anything is
/// written.
///
/// The dry run of a conversion *is* its plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The output format's name.
    pub format: String,
    /// The files, in writing order.
    pub files: Vec<PlanFile>,
    /// The tensors, in file order.
    pub tensors: Vec<PlanTensor>,
    /// The file that lists which tensor is in which part, where there is more than one.
    pub index: Option<String>,
    /// Source tensors that the rules leave out, and text, which no other format has a place for.
    pub dropped: Vec<String>,
    /// What the user should know, though nothing is wrong.
    pub warnings: Vec<String>,
    pub(crate) identity: String,
    pub(crate) policy: Vec<String>,
}

/// One file of the result.
#[derive(Clone, Debug, Serialize)]
pub struct PlanFile {
    /// Its name in the output folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Which of [`Plan::tensors`] it holds.
    #[serde(skip)]
    pub tensors: std::ops::Range<usize>,
    #[serde(skip)]
    pub(crate) layout: FileLayout,
}

/// One tensor of the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanTensor {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    #[serde(serialize_with = "crate::manifest::dtype_name")]
    pub dtype: DType,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Bytes of its content.
    pub bytes: u64,
    /// How it is made.
    #[serde(flatten)]
    pub transform: Transform,
}

/// Choices about the result that are not about its values.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// The files' common name; from the model when `None` (see [`stem_for`](crate::stem_for)).
    pub stem: Option<String>,
    /// The most bytes a file may have; tensors stay whole, so one that is larger gets a file of its
    /// own. No limit when `None`.
    pub max_file_size: Option<u64>,
    /// The files by name, and how many tensors each takes, instead of the two above.
    pub files: Option<Vec<(String, usize)>>,
}

impl Plan {
    /// Plans to bring `source` into the form of `sink` by `policy`.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) with every reason why it cannot be done.
    pub fn new(
        source: &Source,
        policy: &Policy,
        sink: &dyn Sink,
        options: &PlanOptions,
    ) -> Result<Self> {
        build::plan(source, policy, sink, options)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// A digest of everything that decides the result: the source files with their lengths and
    /// times, the policy, the layout. An interrupted conversion is resumed only if it is the same.
    #[must_use]
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// True while the source's files are those that the plan was made from.
    pub(crate) fn is_of(&self, source: &Source) -> Result<bool> {
        Ok(identity::of(self, source)? == self.identity)
    }

    /// The file that holds tensor `tensor`.
    #[must_use]
    pub fn file_of(&self, tensor: usize) -> Option<&PlanFile> {
        self.files.iter().find(|file| file.tensors.contains(&tensor))
    }

    /// The plan as one JSON object: `files` with name and bytes, `tensors` with name, dtype, shape,
    /// bytes, file, transform and the source tensors it is made `from`; totals; what is dropped.
    #[must_use]
    pub fn to_json(&self, source: &Source) -> serde_json::Value {
        let tensors = self.files.iter().flat_map(|file| {
            self.tensors[file.tensors.clone()].iter().map(|tensor| {
                let inputs = tensor.transform.inputs().into_iter();
                let from: Vec<_> = inputs.map(|input| &source.tensors()[input].name).collect();
                let mut value = serde_json::json!(tensor);
                value["file"] = file.name.as_str().into();
                value["from"] = serde_json::json!(from);
                value
            })
        });
        serde_json::json!({
            "format": self.format,
            "total_bytes": self.total_bytes(),
            "num_tensors": self.tensors.len(),
            "parameters": source.parameters(),
            "files": self.files,
            "index": self.index,
            "tensors": tensors.collect::<Vec<_>>(),
            "dropped": self.dropped,
            "warnings": self.warnings,
            "identity": self.identity,
        })
    }
}
