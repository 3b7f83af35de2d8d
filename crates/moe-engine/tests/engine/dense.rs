//! Dense weights in other forms.

use moe_engine::{Activations, Feed, Model, Options, Precision, Repack};
use testkit::{Shape, Tiny};

use crate::models::tokens;

/// A model whose large matrices the forms suit.
fn tiny() -> Tiny {
    Tiny::builder().shape(Shape { hidden: 256, vocab: 1024, ..Shape::tiny() }).build()
}

fn open(tiny: &Tiny, precision: Precision, dense: Option<Repack>) -> Model {
    let options = Options { precision, dense, threads: Some(2), ..Options::default() };
    Model::open(tiny.path(), &options).unwrap()
}

fn logits(model: &Model, count: usize) -> Vec<u32> {
    let mut session = model.session().unwrap();
    let logits = model.evaluate(&mut session, &tokens(count, 1)).unwrap();
    logits.iter().map(|logit| logit.to_bits()).collect()
}

#[test]
fn twelve_bits_change_no_bit_of_the_logits() {
    let tiny = tiny();
    for precision in Precision::ALL {
        let (stored, coded) =
            (open(&tiny, precision, None), open(&tiny, precision, Some(Repack::Coded)));
        for count in [1, 3, 20] {
            assert_eq!(
                logits(&stored, count),
                logits(&coded, count),
                "{precision}, {count} tokens"
            );
        }
    }
}

#[test]
fn eight_bits_are_near() {
    let tiny = tiny();
    let of = |dense| {
        let bits = logits(&open(&tiny, Precision::F32, dense), 20);
        bits.into_iter().map(|bits| f64::from(f32::from_bits(bits))).collect::<Vec<_>>()
    };
    let (stored, int8) = (of(None), of(Some(Repack::Int8)));
    assert_ne!(stored, int8);
    let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    let apart: Vec<f64> = stored.iter().zip(&int8).map(|(a, b)| a - b).collect();
    let distance = (squares(&apart) / squares(&stored)).sqrt();
    assert!(distance < 0.05, "{distance}");
}

#[test]
fn fewer_bytes_are_counted_once_the_form_is_there() {
    let tiny = tiny();
    let bytes = |dense| {
        let model = open(&tiny, Precision::F32, dense);
        let mut session = model.session().unwrap();
        let mut read = 0;
        for token in [[1], [2]] {
            let mut feeds = [Feed::new(&mut session, &token)];
            read = model.forward(&mut feeds, &mut ()).unwrap().weight_bytes;
        }
        read
    };
    let (stored, coded, int8) =
        (bytes(None), bytes(Some(Repack::Coded)), bytes(Some(Repack::Int8)));
    assert!(int8 < coded && coded < stored, "{int8} {coded} {stored}");
}

#[test]
fn sessions_of_eight_bits_are_of_their_own_kind() {
    let tiny = tiny();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let save = |dense| {
        let model = open(&tiny, Precision::F32, dense);
        let mut session = model.session().unwrap();
        model.evaluate(&mut session, &[1, 2, 3]).unwrap();
        model.save_session(&session, &path).unwrap();
    };
    save(None);
    assert!(open(&tiny, Precision::F32, Some(Repack::Coded)).load_session(&path).is_ok());
    assert!(open(&tiny, Precision::F32, Some(Repack::Int8)).load_session(&path).is_err());
}

#[test]
fn sessions_of_activations_of_eight_bits_are_of_their_own_kind() {
    let tiny = tiny();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session");
    let open = |activations| {
        let options = Options { activations, threads: Some(2), ..Options::default() };
        Model::open(tiny.path(), &options).unwrap()
    };
    let model = open(Activations::Int8);
    let mut session = model.session().unwrap();
    let int8 = model.evaluate(&mut session, &[1, 2, 3]).unwrap();
    model.save_session(&session, &path).unwrap();
    assert!(model.load_session(&path).is_ok());
    let exact = open(Activations::Exact);
    assert!(exact.load_session(&path).is_err());
    assert_ne!(int8, exact.evaluate(&mut exact.session().unwrap(), &[1, 2, 3]).unwrap());
}
