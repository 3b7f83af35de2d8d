//! One sequence: at once, in chunks, token by token, on any number of threads.

use moe_engine::Precision;
use moe_engine::backend::Backend;

use crate::models::{PAGE, Said, bits, every_kind, open, tokens};

/// Two pages and a bit: across the edges of windows, pages and all chunks.
const LONG: usize = 2 * PAGE + 11;

#[test]
fn decoding_is_prefilling() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let model = open(&tiny, precision, 512, 2);
            let all = tokens(LONG, 1);
            let expected = Said::about(&model, &all);
            assert_eq!(expected.logits.len(), LONG);
            let mut said = Said::default();
            let mut session = model.session().unwrap();
            for token in &all {
                said.add(&model, &mut session, std::slice::from_ref(token));
            }
            said.assert_is(&expected, &format!("{precision}"));
            assert_eq!((session.tokens(), session.evaluated()), (all.as_slice(), LONG));
        }
    }
}

#[test]
fn chunks_do_not_show() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let all = tokens(LONG, 2);
            let expected = Said::about(&open(&tiny, precision, 512, 2), &all);
            for chunk in [1, 3, 7, 64] {
                let said = Said::about(&open(&tiny, precision, chunk, 2), &all);
                said.assert_is(&expected, &format!("{precision}, chunks of {chunk}"));
            }
        }
    }
}

#[test]
fn threads_do_not_show() {
    for tiny in every_kind() {
        for precision in Precision::ALL {
            let all = tokens(LONG, 3);
            let expected = Said::about(&open(&tiny, precision, 64, 1), &all);
            for threads in [2, 3, 5] {
                let model = open(&tiny, precision, 64, threads);
                assert_eq!(model.backend().capabilities().threads, threads);
                let said = Said::about(&model, &all);
                said.assert_is(&expected, &format!("{precision}, {threads} threads"));
                // One token is computed in another way than many.
                let mut said = Said::default();
                let mut session = model.session().unwrap();
                said.add(&model, &mut session, &all[..LONG - 5]);
                for token in &all[LONG - 5..] {
                    said.add(&model, &mut session, std::slice::from_ref(token));
                }
                said.assert_is(&expected, &format!("{precision}, {threads} threads, decoded"));
            }
        }
    }
}

/// `evaluate` gives the last of them, and asks for no others.
#[test]
fn the_last_logits_are_those_of_the_last_token() {
    for tiny in every_kind() {
        let model = open(&tiny, Precision::F32, 7, 2);
        let all = tokens(LONG, 4);
        let expected = Said::about(&model, &all);
        for len in [1, 2, 7, 8, 14, PAGE, LONG] {
            let last = model.evaluate(&mut model.session().unwrap(), &all[..len]).unwrap();
            assert!(bits(&last) == expected.logits[&(0, len - 1)], "{len} tokens");
        }
    }
}

/// More rows of logits than are computed at once.
#[test]
fn many_logits() {
    let tiny = &every_kind()[0];
    let all = tokens(300, 5);
    let expected = Said::about(&open(tiny, Precision::F32, 512, 2), &all);
    Said::about(&open(tiny, Precision::F32, 50, 2), &all).assert_is(&expected, "300 tokens");
    assert_eq!(expected.logits.len(), 300);
}
