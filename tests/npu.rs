//! The examples on simulated NPUs, as a user runs them.

mod examples;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use ascend_sim::layout::{Cann, Layout, lay_out};
use examples::example;
use serde_json::Value;
use tempfile::TempDir;

/// The libraries of the simulator, laid out once.
fn libraries() -> PathBuf {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let libraries = lay_out(folder.path(), Cann::V8_5).unwrap();
        (folder, libraries)
    });
    made.1.clone()
}

/// An example on a machine with two simulated NPUs.
fn simulated(name: &str, args: &[&str]) -> Command {
    let mut command = example(name);
    command.args(args).env("ASCEND_ACL_PATH", libraries()).env("ASCEND_SIM_DEVICES", "2");
    command
}

#[track_caller]
fn done(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn refused(mut command: Command, reason: &str) {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(reason), "{reason}: {errors}");
    assert!(output.stdout.is_empty());
}

const GENERATE: [&str; 5] = ["--tokens", "5,6,7", "--max-new", "6", "--json"];

#[track_caller]
fn generated(args: &[&str]) -> Value {
    let output = simulated("generate", &[&GENERATE[..], args].concat()).output().unwrap();
    let object: Value = serde_json::from_str(&done(&output)).unwrap();
    assert_eq!(object["tokens"].as_array().unwrap().len(), 6);
    object["tokens"].clone()
}

#[test]
fn one_npu_and_two_give_the_same_tokens() {
    let one = generated(&["--device", "npu"]);
    assert_eq!(generated(&["--device", "npu:1", "--no-graphs"]), one);
    assert_eq!(generated(&["--device", "auto"]), one);
    assert_eq!(generated(&["--devices", "0,1"]), one);
    assert_eq!(generated(&["--devices", "1,0", "--tensor-parallel"]), one);
}

#[test]
fn two_processes_share_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root");
    let file = file.to_str().unwrap();
    let rank = |rank: &str| {
        let device = format!("npu:{rank}");
        let args = ["--device", &device, "--ranks", "2", "--rank", rank, "--root-info", file];
        let mut command = simulated("generate", &[&GENERATE[..], &args].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let [one, other] = ["1", "0"].map(rank).map(|rank| rank.wait_with_output().unwrap());
    assert_eq!(done(&one).split("metrics").next(), done(&other).split("metrics").next());
}

#[test]
fn where_it_runs_is_said() {
    let run = |args: &[&str]| {
        let output = simulated("generate", &[&GENERATE[..], args].concat()).output().unwrap();
        done(&output);
        String::from_utf8(output.stderr).unwrap()
    };
    let on_npu = run(&["--device", "npu:1", "--experts", "int8"]);
    assert!(on_npu.contains("on npu:1, simulated Ascend910B3, experts in int8"), "{on_npu}");
    assert!(on_npu.contains("% from exact (RMS) in int8"), "{on_npu}");
    let mut command = example("generate");
    command.args(GENERATE).args(["--device", "auto"]);
    let output = command.env("ASCEND_ACL_PATH", "nowhere").output().unwrap();
    done(&output);
    let elsewhere = String::from_utf8(output.stderr).unwrap();
    assert!(elsewhere.contains("on the processor: no NPU can be used here"), "{elsewhere}");
}

#[test]
fn plans_name_operators_and_bytes() {
    for name in ["generate", "bench"] {
        let output = simulated(name, &["--device", "npu", "--plan"]).output().unwrap();
        let plan = done(&output);
        for part in ["attention with sinks", "aclnnFusedInferAttentionScoreV4", "free", " GB"] {
            assert!(plan.contains(part), "{name} {part}: {plan}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let npu = |args: &[&str]| simulated("generate", &[&["--device", "npu"], args].concat());
    refused(npu(&["--precision", "f32"]), "expected bf16");
    refused(npu(&["--experts", "mxfp4"]), "does not multiply MXFP4");
    refused(npu(&["--dense", "int8"]), "is for the processor");
    refused(simulated("generate", &["--device", "npu:7"]), "deviceId is 7");
    refused(simulated("generate", &["--plan"]), "of which NPU");
    refused(simulated("chat", &["--devices", "0,1"]), "one device");
    refused(simulated("bench", &["--roofline"]), "of which NPU");
    let mut small = npu(&[]);
    small.env("ASCEND_SIM_HBM", "1000000");
    refused(small, "bytes on the device");
    let mut none = example("generate");
    none.args(["--device", "npu"]).env("ASCEND_ACL_PATH", "nowhere");
    refused(none, "nowhere");
}

#[test]
fn bench_measures_an_npu_against_its_data_sheet() {
    let model = testkit::Tiny::builder().build();
    let model = model.path().to_str().unwrap();
    let args = ["--model", model, "--device", "npu", "--roofline", "--batch", "1,2"];
    let short = ["--seq", "4", "--generate", "3", "--runs", "2", "--warmup", "1"];
    let output = simulated("bench", &[&args[..], &short].concat()).output().unwrap();
    let text = done(&output);
    for part in ["simulated Ascend910B3", "by its data sheet", "NPU Mem", "batch 2:", "910B4"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// One short case of a tiny model on simulated NPUs, as JSON, and the tables.
fn benched(command: &dyn Fn(&[&str]) -> Command, device: &[&str]) -> (Value, String) {
    let model = testkit::Tiny::builder().build();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let model = ["--model", model.path().to_str().unwrap(), "--json", json.to_str().unwrap()];
    let short = ["--batch", "1", "--seq", "4", "--generate", "4", "--runs", "2", "--warmup", "1"];
    let text = done(&command(&[device, &model, &short].concat()).output().unwrap());
    (serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap(), text)
}

#[test]
fn bench_reads_the_sensors_of_every_npu() {
    let bench = |args: &[&str]| simulated("bench", args);
    for (device, npus) in
        [(&["--device", "npu:1"][..], &["npu:1"][..]), (&["--devices", "0,1"], &["npu:0", "npu:1"])]
    {
        let (report, text) = benched(&bench, device);
        assert_eq!(report["sensors"]["source"], "simulated DCMI");
        assert_eq!(report["sensors"]["missing"], serde_json::json!([]));
        assert!(
            text.contains("energy   NPU: simulated DCMI, power sampled every 100 ms"),
            "{text}"
        );
        let cell = &report["cells"][0];
        let sensed = cell["sensed"].as_array().unwrap();
        let names: Vec<_> = sensed.iter().map(|one| one["device"].as_str().unwrap()).collect();
        assert_eq!(names, npus);
        for run in 0..2 {
            let mut seconds = cell["runs"][run]["first_token"].as_f64().unwrap();
            let steps = cell["runs"][run]["steps"].as_array().unwrap();
            seconds += steps.iter().map(|step| step.as_f64().unwrap()).sum::<f64>();
            let joules = cell["runs"][run]["device_joules"].as_f64().unwrap();
            // The simulator's card takes 90 W when idle and 300 W when busy.
            let least = 90.0 * seconds * npus.len() as f64;
            assert!(joules >= least && joules <= 4.0 * least + 30.0, "{joules} J in {seconds} s");
        }
        for one in sensed {
            let watts = &one["sensed"]["power_w"];
            assert!(watts["samples"].as_u64().unwrap() >= 2, "{one}");
            let [least, most] = ["min", "max"].map(|key| watts[key].as_f64().unwrap());
            assert!(90.0 <= least && least <= most && most <= 300.0, "{one}");
            assert_eq!(one["sensed"]["hbm_mhz"]["median"], 1600.0);
        }
    }
}

#[test]
fn bench_goes_on_without_telemetry_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let without = Layout::new(Cann::V8_5).without("libdcmi.so").write(folder.path()).unwrap();
    let bench = |libraries: PathBuf| {
        move |args: &[&str]| {
            let mut command = simulated("bench", args);
            command.env("ASCEND_ACL_PATH", &libraries);
            command
        }
    };
    let (report, text) = benched(&bench(without), &["--device", "npu"]);
    assert_eq!(report["sensors"]["source"], "simulated ACL");
    assert_eq!(text.matches("libdcmi.so) not found").count(), 1, "{text}");
    let cell = &report["cells"][0];
    let sensed = &cell["sensed"][0]["sensed"];
    assert!(sensed["ai_core_percent"]["median"].is_f64() && sensed["power_w"].is_null(), "{cell}");
    assert!(cell["runs"][0]["device_joules"].is_null() && !text.contains("energy "), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(Cann::V8_5).missing("dcmi_get_device_power_info");
    let (report, text) =
        benched(&bench(layout.write(folder.path()).unwrap()), &["--devices", "0,1"]);
    assert_eq!(report["sensors"]["source"], "simulated DCMI");
    // Once, not for each device.
    assert_eq!(text.matches("dcmi_get_device_power_info").count(), 1, "{text}");
    let sensed = &report["cells"][0]["sensed"][1];
    assert!(sensed["sensed"]["temperature_c"]["median"].is_f64(), "{sensed}");
    assert_eq!(sensed["joules"], serde_json::json!([]));
}

#[test]
fn a_conversation_goes_on_there() {
    let args = ["--device", "npu", "--json", "--temperature", "0.7", "--max-new", "6"];
    let mut command = simulated("chat", &args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"the sea\nand the wind\n").unwrap();
    let turns = done(&child.wait_with_output().unwrap());
    let turns: Vec<Value> = turns.lines().map(|turn| serde_json::from_str(turn).unwrap()).collect();
    assert_eq!(turns.len(), 2);
    assert_eq!((&turns[0]["user"], &turns[1]["user"]), (&"the sea".into(), &"and the wind".into()));
}

#[test]
fn logits_come_from_the_npu() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("logits.safetensors");
    let out = out.to_str().unwrap();
    let args = ["--tokens", "1,2,3", "--out", out, "--hidden", "--device", "npu", "--json"];
    let output = simulated("logits", &args).output().unwrap();
    let object: Value = serde_json::from_str(&done(&output)).unwrap();
    assert_eq!((&object["tokens"], &object["precision"]), (&3.into(), &"bf16".into()));
}
