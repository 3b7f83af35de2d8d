//! The operators, from their own table.

use std::sync::OnceLock;

use super::since::Since;
use super::symbols::{Home, Symbol};
use crate::abi::Operator;
use crate::ops::table::OPERATORS;

/// Both phases of every operator.
pub(super) fn all() -> &'static [Symbol] {
    static FIRST: OnceLock<Vec<String>> = OnceLock::new();
    static ALL: OnceLock<Vec<Symbol>> = OnceLock::new();
    let first = |operator: &Operator| format!("{}GetWorkspaceSize", operator.name);
    let first = FIRST.get_or_init(|| OPERATORS.iter().map(first).collect());
    ALL.get_or_init(|| {
        let both = first.iter().zip(OPERATORS).flat_map(|(first, operator)| {
            let (home, since) = (home(operator.library), Since::named(operator.since));
            [first.as_str(), operator.name].map(|name| Symbol { name, home, since })
        });
        both.collect()
    })
}

/// The library of the split layout: `math`, `nn` and `cv` by name, else `transformer`.
fn home(library: &str) -> Home {
    match library {
        "math" => Home::Math,
        "nn" => Home::Nn,
        "cv" => Home::Cv,
        _ => Home::Transformer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_names_that_are_known() {
        for operator in OPERATORS {
            assert!(
                ["math", "nn", "cv", "transformer"].contains(&operator.library),
                "{operator:?}"
            );
            assert!(["8.1", "8.3", "8.5", "9.0", "head"].contains(&operator.since), "{operator:?}");
            assert!(operator.name.starts_with("aclnn"), "{operator:?}");
        }
        assert_eq!(all().len(), 2 * OPERATORS.len());
    }
}
