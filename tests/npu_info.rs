//! The `npu_info` and `acl_signatures` examples, run as a user runs them: without Ascend, and with simulated devices.

mod examples;

use std::path::Path;
use std::process::{Command, Output};

use ascend_sim::layout::{Cann, Layout, lay_out};
use examples::example;
use serde_json::Value;

const VARIABLES: [&str; 4] =
    ["ASCEND_ACL_PATH", "ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME", "LD_LIBRARY_PATH"];

fn npu_info() -> Command {
    let mut command = example("npu_info");
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

fn text(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(command: &mut Command) -> (Option<i32>, Value) {
    let output = command.arg("--json").output().unwrap();
    (output.status.code(), serde_json::from_str(&text(&output)).unwrap())
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn without_ascend_it_says_what_to_install() {
    if Path::new("/usr/local/Ascend").exists() {
        eprintln!("skipped: CANN is installed here");
        return;
    }
    let output = npu_info().output().unwrap();
    let shown = text(&output);
    assert_eq!(output.status.code(), Some(2));
    for part in ["libacl_rt.so", "No Ascend device", "install CANN", "/dev/davinci"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, probe) = json(&mut npu_info());
    assert_eq!((code, &probe["usable"]), (Some(2), &Value::Bool(false)));
    assert_eq!(probe["tried"].as_array().unwrap().len(), 6);
    assert_eq!(probe["devices"].as_array().unwrap().len(), 0);
}

#[test]
fn simulated_devices_of_both_releases_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (Cann::V8_3, "libascendcl.so", "libopapi.so", false),
        (Cann::V8_5, "libacl_rt.so", "libopapi_math.so", true),
    ];
    for (cann, runtime, operators, clipped) in cases {
        let libraries = lay_out(folder.path(), cann).unwrap();
        let mut command = npu_info();
        command.env("ASCEND_ACL_PATH", &libraries).env("ASCEND_SIM_DEVICES", "2");
        let (code, probe) = json(&mut command);
        assert_eq!((code, &probe["origin"]), (Some(0), &"ascend_acl_path".into()), "{probe}");
        assert_eq!((&probe["usable"], &probe["simulated"]), (&true.into(), &true.into()));
        assert_eq!(probe["soc"], "Ascend910B3");
        assert_eq!(strings(&probe["problems"]), Vec::<&str>::new());
        let loaded: Vec<_> = probe["libraries"].as_array().unwrap().iter().collect();
        assert_eq!(
            (&loaded[0]["soname"], &loaded[2]["soname"]),
            (&runtime.into(), &operators.into())
        );

        let devices = probe["devices"].as_array().unwrap();
        assert_eq!(devices.len(), 2);
        for (id, device) in devices.iter().enumerate() {
            assert_eq!((&device["id"], &device["health"]), (&id.into(), &"OK".into()));
            let [total, free] = ["total", "free"].map(|key| device["hbm"][key].as_u64().unwrap());
            assert!(total > 60_000_000_000 && free <= total, "{device}");
            assert!(device["power_w"].as_f64().is_some() && device["temperature_c"].is_i64());
            assert_eq!(strings(&device["problems"]), Vec::<&str>::new());
        }

        let steps = probe["steps"].as_array().unwrap();
        assert!(steps.iter().all(|step| step["uses"].is_u64()), "{steps:?}");
        let activation = steps.iter().find(|step| step["name"] == "expert activation").unwrap();
        assert_eq!(activation["uses"], i32::from(!clipped));
        let operators = probe["operators"].as_array().unwrap();
        let swiglu = operators.iter().find(|one| one["name"] == "aclnnClippedSwiglu").unwrap();
        assert_eq!(swiglu["available"], clipped);

        let output = npu_info().arg(&libraries).output().unwrap();
        let shown = text(&output);
        let head = "NPU  Name         Health  Power(W)  Temp(C)  AICore(%)  HBM-Usage(MB)";
        assert!(output.status.success() && shown.contains(head), "{shown}");
        assert!(shown.starts_with("Simulated"), "{shown}");
    }
}

#[test]
fn stubs_and_missing_functions_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let stub = Layout::new(Cann::V8_5).stub().write(folder.path()).unwrap();
    let (code, probe) = json(npu_info().arg(stub));
    assert_eq!(code, Some(2));
    assert!(strings(&probe["problems"])[0].contains("stub"), "{probe}");
    assert!(strings(&probe["advice"])[0].contains("devlib"), "{probe}");

    let folder = tempfile::tempdir().unwrap();
    let layout =
        Layout::new(Cann::V8_5).missing("aclrtGetMemInfo").missing("aclnnMoeInitRoutingV3");
    let (code, probe) = json(npu_info().arg(layout.write(folder.path()).unwrap()));
    assert_eq!(code, Some(0));
    assert!(probe["devices"][0]["hbm"]["total"].is_null());
    assert!(strings(&probe["devices"][0]["problems"])[0].contains("aclrtGetMemInfo"), "{probe}");
    let missing = probe["missing_functions"].as_array().unwrap();
    assert!(missing.iter().any(|function| function["name"] == "aclrtGetMemInfo"));
    let steps = probe["steps"].as_array().unwrap();
    let routing = steps.iter().find(|step| step["name"] == "routing").unwrap();
    assert_eq!(
        (&routing["uses"], &routing["choices"][0]["missing"][0]),
        (&1.into(), &"aclnnMoeInitRoutingV3".into())
    );
}

#[test]
fn every_signature_is_listed() {
    let output = example("acl_signatures").arg("--json").output().unwrap();
    let all: Vec<Value> = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(all.len(), 405);
    for one in &all {
        let [types, names] = ["params", "param_names"].map(|key| strings(&one[key]).len());
        assert_eq!(types, names, "{one}");
    }
    let find = |name: &str| all.iter().find(|one| one["name"] == name).unwrap();
    let memcpy = find("aclrtMemcpy");
    assert_eq!(memcpy["library"], "libacl_rt.so");
    assert_eq!((&memcpy["returns"], &memcpy["since"]), (&"aclError".into(), &"8.1".into()));
    let types = ["void *", "size_t", "const void *", "size_t", "aclrtMemcpyKind"];
    assert_eq!(strings(&memcpy["params"]), types);
    let cast = find("aclnnCastGetWorkspaceSize");
    let types =
        ["const aclTensor *", "aclDataType", "aclTensor *", "uint64_t *", "aclOpExecutor **"];
    assert_eq!(strings(&cast["params"]), types);
    assert_eq!(cast["library_before_8_5"], "libopapi.so");

    let table = text(&example("acl_signatures").output().unwrap());
    assert_eq!(table.lines().count(), 405);
    let line = "libacl_rt.so             8.1  aclError aclrtFree(void *devPtr);";
    assert!(table.lines().any(|row| row == line), "{table}");
}
