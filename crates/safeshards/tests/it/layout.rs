//! Layouts, byte for byte against the `safetensors` crate.

use std::collections::BTreeMap;

use safeshards::{DType, Error, ShardLayout, TensorSpec, plan_shards};

use crate::files::{Tensor, tensor, upstream};

/// The file that a layout stands for.
pub(crate) fn assemble(tensors: &[Tensor], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let specs: Vec<_> = tensors.iter().map(|(spec, _)| spec.clone()).collect();
    let layout = ShardLayout::new(&specs, metadata).unwrap();
    let mut file = layout.header().to_vec();
    for entry in layout.entries() {
        assert_eq!(entry.offset, file.len() as u64);
        assert_eq!(entry.len, tensors[entry.spec].1.len() as u64);
        file.extend_from_slice(&tensors[entry.spec].1);
    }
    assert_eq!(layout.total_len(), file.len() as u64);
    file
}

#[test]
fn files_are_upstreams_byte_for_byte() {
    let every_type: Vec<_> = DType::ALL
        .into_iter()
        .filter(|&dtype| dtype != DType::C128)
        .flat_map(|dtype| {
            ["z", "a"].map(|name| tensor(&format!("{name}.{dtype}"), dtype, &[4, 2], 1))
        })
        .collect();
    let pt = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    assert_eq!(assemble(&every_type, &pt), upstream(&every_type, &[("format", "pt")]));
    assert_eq!(assemble(&[], &BTreeMap::new()), upstream(&[], &[]));
    let odd = [
        tensor("quote\" \\ \u{e9} \u{1f600} \n\u{7f}/", DType::U8, &[], 0),
        tensor("", DType::F32, &[0, 3], 0),
    ];
    assert_eq!(assemble(&odd, &BTreeMap::new()), upstream(&odd, &[]));
}

#[test]
fn metadata_keys_are_sorted() {
    let metadata = ["b", "c", "a"].map(|key| (key.to_owned(), "\"".to_owned())).into();
    let layout = ShardLayout::new(&[], &metadata).unwrap();
    let json = br#"{"__metadata__":{"a":"\"","b":"\"","c":"\""}}"#;
    assert_eq!(
        layout.header()[8..],
        [&json[..], &[b' '; 4]].concat()[..json.len().next_multiple_of(8)]
    );
}

#[test]
fn wide_types_come_before_bytes_as_in_released_files() {
    let specs = [
        TensorSpec::new("blocks", DType::U8, [2]),
        TensorSpec::new("z", DType::BF16, [1]),
        TensorSpec::new("a", DType::BF16, [1]),
        TensorSpec::new("f", DType::F32, [1]),
    ];
    let layout = ShardLayout::new(&specs, &BTreeMap::new()).unwrap();
    let order: Vec<_> = layout.entries().iter().map(|entry| entry.spec).collect();
    assert_eq!(order, [3, 2, 1, 0]);
}

#[test]
fn impossible_specs_are_refused() {
    let refused = |specs: &[TensorSpec], says: &str| {
        let error = ShardLayout::new(specs, &BTreeMap::new()).unwrap_err();
        assert!(
            matches!(&error, Error::InvalidSpec { why, .. } if why.contains(says)),
            "{error:?}"
        );
    };
    let bytes = |name: &str, shape: &[usize]| TensorSpec::new(name, DType::U8, shape);
    refused(&[bytes("a", &[1]), bytes("b", &[1]), bytes("a", &[2])], "twice");
    refused(&[bytes("__metadata__", &[1])], "metadata");
    refused(&[bytes("a", &[usize::MAX, 2])], "overflows");
    refused(&[TensorSpec::new("a", DType::F6E2M3, [2])], "whole bytes");
    refused(&[TensorSpec::new("a", DType::C128, [2])], "no such element type");
    // Each fits, all together do not.
    let huge: Vec<_> = (0..9).map(|i| bytes(&i.to_string(), &[usize::MAX / 8])).collect();
    refused(&huge, "the file overflows");
}

#[test]
fn shards_take_whole_tensors() {
    let plan = |lens: &[u64], limit| -> Vec<(usize, usize)> {
        plan_shards(lens, limit).into_iter().map(|range| (range.start, range.end)).collect()
    };
    assert_eq!(plan(&[3, 3, 3], Some(6)), [(0, 2), (2, 3)]);
    assert_eq!(plan(&[9, 1, 1], Some(6)), [(0, 1), (1, 3)]);
    assert_eq!(plan(&[1, 9, 1], Some(6)), [(0, 1), (1, 2), (2, 3)]);
    assert_eq!(plan(&[0, 0, 0], Some(0)), [(0, 3)]);
    assert_eq!(plan(&[1, 0, 1], Some(0)), [(0, 1), (1, 2), (2, 3)]);
    assert_eq!(plan(&[u64::MAX, u64::MAX], None), [(0, 1), (1, 2)]);
    assert_eq!(plan(&[], None), [(0, 0)]);
}
