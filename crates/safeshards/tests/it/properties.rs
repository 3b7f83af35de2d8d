//! Random checkpoints, there and back, by way of the `safetensors` crate.

use std::collections::BTreeMap;
use std::fs;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use safeshards::{
    Checkpoint, DType, OpenOptions, ShardIndex, ShardWriter, TensorSpec, WriterOptions, plan_shards,
};
use safetensors::SafeTensors;

use crate::files::{Tensor, upstream};
use crate::layout::assemble;

fn dtypes() -> impl Strategy<Value = DType> {
    let known: Vec<_> = DType::ALL.into_iter().filter(|&dtype| dtype != DType::C128).collect();
    proptest::sample::select(known)
}

fn tensors() -> impl Strategy<Value = Vec<Tensor>> {
    let one = (dtypes(), vec(0_usize..5, 0..4), any::<u8>());
    let name = prop_oneof!["[a-c.]{0,4}", "\\PC{1,8}"];
    btree_map(name, one, 0..8).prop_map(|map| {
        let build = |(name, (dtype, mut shape, seed)): (String, (DType, Vec<usize>, u8))| {
            // Packed types need whole bytes: four elements of six bits are three.
            if dtype.size().is_none() {
                shape.push(4);
            }
            crate::files::tensor(&name, dtype, &shape, seed)
        };
        map.into_iter().filter(|(name, _)| name != "__metadata__").map(build).collect()
    })
}

fn same(checkpoint: &Checkpoint, tensors: &[Tensor]) -> Result<(), TestCaseError> {
    prop_assert_eq!(checkpoint.len(), tensors.len());
    for (spec, bytes) in tensors {
        let tensor = checkpoint.tensor(&spec.name).unwrap();
        prop_assert_eq!(tensor.dtype(), spec.dtype);
        prop_assert_eq!(tensor.shape(), &spec.shape);
        prop_assert_eq!(&*tensor.to_bytes().unwrap(), &bytes[..]);
    }
    let names: Vec<_> = checkpoint.names().collect();
    prop_assert!(names.is_sorted());
    Ok(())
}

proptest! {
    #[test]
    fn what_upstream_writes_is_read(tensors in tensors(), value in "\\PC*") {
        let file = upstream(&tensors, &[("key", &value)]);
        let checkpoint = Checkpoint::from_bytes("f", file).unwrap();
        prop_assert_eq!(&checkpoint.metadata()["key"], &value);
        same(&checkpoint, &tensors)?;
    }

    #[test]
    fn what_is_laid_out_is_what_upstream_writes(tensors in tensors(), value in "\\PC*") {
        let metadata = BTreeMap::from([("key".to_owned(), value.clone())]);
        let file = assemble(&tensors, &metadata);
        prop_assert_eq!(&file, &upstream(&tensors, &[("key", &value)]));
        let judge = SafeTensors::deserialize(&file).unwrap();
        prop_assert_eq!(judge.len(), tensors.len());
    }

    #[test]
    fn what_is_written_in_shards_is_read(
        tensors in tensors(),
        limit in proptest::option::of(0_u64..200),
        chunk in 1_usize..40,
        mmap: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let specs: Vec<TensorSpec> = tensors.iter().map(|(spec, _)| spec.clone()).collect();
        let options = WriterOptions::new().max_shard_size(limit).sync(false);
        let mut writer = ShardWriter::create(dir.path(), &specs, options).unwrap();
        while let Some(name) = writer.next_tensor().map(|spec| spec.name.clone()) {
            writer.begin(&name).unwrap();
            let (_, bytes) = tensors.iter().find(|(spec, _)| spec.name == name).unwrap();
            for part in bytes.chunks(chunk) {
                writer.write(part).unwrap();
            }
        }
        let written = writer.finish().unwrap();
        let checkpoint = OpenOptions::new().mmap(mmap).open(dir.path()).unwrap();
        prop_assert!(checkpoint.warnings().is_empty());
        prop_assert_eq!(checkpoint.shards().len(), written.shards.len());
        same(&checkpoint, &tensors)?;
        for shard in &written.shards {
            let file = fs::read(shard).unwrap();
            prop_assert!(SafeTensors::deserialize(&file).is_ok());
        }
        if let Some(index) = written.index {
            let index = ShardIndex::read(index).unwrap();
            prop_assert_eq!(index.total_size(), Some(checkpoint.total_bytes()));
            prop_assert_eq!(index.weight_map.len(), tensors.len());
        }
    }

    #[test]
    fn plans_cover_all_tensors_within_the_limit(lens in vec(0_u64..50, 0..40), limit in 0_u64..120) {
        let plan = plan_shards(&lens, Some(limit));
        let mut next = 0;
        for range in &plan {
            prop_assert_eq!(range.start, next);
            prop_assert!(!range.is_empty() || lens.is_empty());
            next = range.end;
            let filled: u64 = lens[range.clone()].iter().sum();
            prop_assert!(filled <= limit || range.len() == 1);
            // Greedy: the tensor after a shard would not have fitted.
            prop_assert!(range.end == lens.len() || filled + lens[range.end] > limit);
        }
        prop_assert_eq!(next, lens.len());
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in vec(any::<u8>(), 0..200), json in "[{}\\[\\]\":,a-c0-9_ ]{0,80}") {
        let _ = Checkpoint::from_bytes("f", bytes.clone());
        let _ = ShardIndex::parse("i", &bytes);
        let _ = ShardIndex::parse("i", json.as_bytes());
        let _ = Checkpoint::from_bytes("f", crate::files::raw(&json, 8));
    }
}
