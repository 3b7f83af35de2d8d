//! What the result of a conversion is called.

use crate::presets::gpt_oss::{Shape, model_name};
use crate::{Source, SourceKind};

/// The common name of the files made from `source`, without an extension.
///
/// A gpt-oss model is named by its size (`gpt_oss_20b`), another model by its `model_type` and the
/// folder or file it came from, in letters, digits and underscores.
#[must_use]
pub fn stem_for(source: &Source) -> String {
    let model_type = source.config().and_then(|config| config.get("model_type")?.as_str());
    let gpt_oss = model_type.is_none_or(|model_type| model_type == "gpt_oss");
    if let Some(shape) = source.config().and_then(Shape::from_config).filter(|_| gpt_oss) {
        return model_name(&shape, source.parameters());
    }
    let path = source.root();
    let named = if source.kind() == SourceKind::MindSpore && path.is_file() {
        path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
    } else {
        let folder = path.is_dir().then_some(path).or(path.parent());
        let folder = folder.and_then(|folder| folder.canonicalize().ok());
        folder.and_then(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
    };
    let named: String = named
        .unwrap_or_default()
        .chars()
        .map(|char| if char.is_ascii_alphanumeric() { char } else { '_' })
        .collect();
    match (named.trim_matches('_'), model_type) {
        ("", None) => "model".to_owned(),
        ("", Some(model_type)) => model_type.to_owned(),
        (name, _) => name.to_owned(),
    }
}
