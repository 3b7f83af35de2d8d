//! What the host does for a token that an NPU decodes, on the simulator: simulated, and so is what the vendor's libraries do in it.
//! `host/eager/SEQUENCES` queues every operator, `host/replay/SEQUENCES` runs a graph; the device is waited for outside of the time.

use std::time::{Duration, Instant};

use ascend_acl::Ascend;
use ascend_sim::layout::{Cann, lay_out};
use criterion::{Criterion, criterion_group, criterion_main};
use moe_engine::backend::{Npu, NpuOptions};
use moe_engine::{Feed, Model, Options, Precision, Session, Wanted};
use testkit::{Shape, Tiny};

/// The layers of gpt-oss-20b, as narrow as the device takes them: what computing costs is not the question.
fn narrow() -> Tiny {
    Tiny::builder().shape(Shape { layers: 24, ..Shape::tiny() }).build()
}

fn open(ascend: Ascend, model: &Tiny, graphs: bool) -> Model<Npu> {
    let options = Options { precision: Precision::Bf16, chunk: 64, ..Options::default() };
    let mut npu = NpuOptions::default();
    (npu.kv_positions, npu.sequences, npu.graphs) = (Some(8192), 8, graphs);
    Model::open_npu(model.path(), &ascend, &options, &npu, None).expect("a model on the simulator")
}

/// Queues a token of each sequence and takes the time of that.
fn queued(model: &Model<Npu>, sessions: &mut [Session<Npu>]) -> Duration {
    let mut feeds: Vec<_> = sessions
        .iter_mut()
        .map(|session| Feed::new(session, &[1]).wanted(Wanted::Nothing))
        .collect();
    let begin = Instant::now();
    model.forward(&mut feeds, &mut ()).expect("a token");
    let took = begin.elapsed();
    model.backend().device().synchronise().expect("an idle device");
    took
}

fn host(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let libraries = lay_out(folder.path(), Cann::V8_5).expect("the simulator");
    let ascend = Ascend::load_from(libraries).expect("its libraries");
    let model = narrow();
    let mut group = criterion.benchmark_group("npu");
    group.sample_size(20);
    for (name, graphs) in [("eager", false), ("replay", true)] {
        let model = open(ascend, &model, graphs);
        for batch in [1, 8] {
            group.bench_function(format!("host/{name}/{batch}"), |bencher| {
                bencher.iter_custom(|count| {
                    let new = || model.session().expect("a session");
                    let mut sessions: Vec<_> = (0..batch).map(|_| new()).collect();
                    // The first one as it is, the second one captured.
                    for _ in 0..3 {
                        queued(&model, &mut sessions);
                    }
                    (0..count).map(|_| queued(&model, &mut sessions)).sum()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, host);
criterion_main!(benches);
