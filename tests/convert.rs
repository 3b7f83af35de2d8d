//! `convert` as a user runs it: the output folder, what is printed, the memory it takes.

mod examples;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;

use examples::example;
use lowfloat::DType;
use serde_json::Value;
use tempfile::tempdir;
use testkit::Tiny;

fn convert(arguments: &[&str]) -> Output {
    example("convert").args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn leaves_what_the_recipe_left_and_more() {
    let tiny = Tiny::builder().build();
    let folder = tempdir().unwrap();
    let out = folder.path().join("new/out");
    let stdout = succeeded(&convert(&[text(tiny.path()), text(&out)]));
    let names: Vec<_> = tiny.tensors().keys().collect();

    let config = json(&out.join("model_config.json"));
    assert_eq!(config["model_name"], "gpt-oss-534k");
    assert_eq!(config["model_type"], "gpt_oss");
    assert_eq!(config["total_params"], "534.14K");
    assert_eq!(config["num_parameters"], 534_144);
    assert_eq!(config["num_tensors"], names.len());
    assert_eq!(config["source_format"], "safetensors");
    assert_eq!(config["target_format"], "mindspore_ckpt");
    let info = &config["conversion_info"];
    assert_eq!(info["source_files"].as_array().unwrap().len(), 3);
    assert_eq!(info["output_file"], "gpt_oss_534k.ckpt");
    assert_eq!((&info["framework"], &info["device"]), (&"MindSpore".into(), &"Ascend NPU".into()));

    let listed = fs::read_to_string(out.join("parameter_names.txt")).unwrap();
    let reader = mindspore_ckpt::Reader::open(out.join("gpt_oss_534k.ckpt")).unwrap();
    let stored: Vec<_> = reader.entries().iter().map(mindspore_ckpt::Entry::name).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), stored, "in file order");
    let manifest = json(&out.join("manifest.json"));
    assert_eq!(manifest["tensors"].as_array().unwrap().len(), names.len());
    assert!(manifest["tensors"][0]["sha256"].as_str().is_some_and(|digest| digest.len() == 64));

    let first_ten = stored[..10].iter().all(|name| stdout.contains(name));
    assert!(first_ten && !stdout.contains(&format!("{} F32", stored[10])), "{stdout}");
    for part in ["[1/4]", "[4/4] read back and equal", "└── parameter_names.txt"] {
        assert!(stdout.contains(part), "{part} in {stdout}");
    }
    let left: Vec<_> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 6, "no temporary files: {left:?}");
}

#[test]
fn without_arguments_it_shows_itself() {
    let folder = tempdir().unwrap();
    let output = example("convert").env("TMPDIR", folder.path()).output().unwrap();
    let stdout = succeeded(&output);
    assert!(stdout.contains("a tiny synthetic model"), "{stdout}");
    assert!(stdout.contains("read back and equal"), "{stdout}");
}

#[test]
fn a_dry_run_is_the_plan_and_nothing_else() {
    let tiny = Tiny::builder().build();
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let arguments = [text(tiny.path()), text(&out), "--dtype", "bf16", "--max-file-size", "100kB"];
    let plan = convert(&[&arguments[..], &["--dry-run", "--json"]].concat());
    let plan: Value = serde_json::from_str(&succeeded(&plan)).unwrap();
    assert!(!out.exists());

    let report = folder.path().join("report.json");
    let printed = convert(&[&arguments[..], &["--json", "--report", text(&report)]].concat());
    let printed: Value = serde_json::from_str(&succeeded(&printed)).unwrap();
    assert_eq!(json(&report), printed);
    let files = plan["files"].as_array().unwrap();
    assert!(files.len() > 3);
    assert_eq!(plan["files"], printed["files"]);
    for file in files {
        let len = fs::metadata(out.join(file["name"].as_str().unwrap())).unwrap().len();
        assert_eq!(file["bytes"], len, "the plan says every size");
    }
    let index = json(&out.join(plan["index"].as_str().unwrap()));
    let tensors = plan["tensors"].as_array().unwrap();
    assert_eq!(index["weight_map"].as_object().unwrap().len(), tensors.len());
    for tensor in tensors {
        assert_eq!(index["weight_map"][tensor["name"].as_str().unwrap()], tensor["file"]);
        assert_eq!(tensor["from"][0], tensor["name"]);
    }
}

#[test]
fn rules_come_from_options_and_files() {
    let tiny = Tiny::builder().build();
    let folder = tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    fs::write(
        &rules,
        "drop = ['bias$']\nrename = [{ pattern = '^model\\.', replacement = 'net.' }]\n",
    )
    .unwrap();
    let arguments = [text(tiny.path()), "--dry-run", "--json", "--rules", text(&rules)];
    let options =
        ["--dtype-rule", "norm=keep", "--rename", r"layers\.(\d+)=block_\1", "--drop", "sinks"];
    let plan: Value =
        serde_json::from_str(&succeeded(&convert(&[arguments.as_slice(), &options].concat())))
            .unwrap();
    let tensor = |name: &str| {
        plan["tensors"].as_array().unwrap().iter().find(|tensor| tensor["name"] == name).cloned()
    };
    assert_eq!(tensor("net.block_0.input_layernorm.weight").unwrap()["dtype"], "BF16");
    assert_eq!(tensor("net.block_0.mlp.router.weight").unwrap()["dtype"], "F32");
    assert!(tensor("net.block_0.self_attn.sinks").is_none());
    let dropped = plan["dropped"].as_array().unwrap();
    assert!(dropped.contains(&"model.layers.3.mlp.router.bias".into()), "{dropped:?}");
}

/// The promise is about anonymous memory: mapped files and the page cache are the system's.
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_within_the_budget() {
    use std::time::Duration;

    const MIB: u64 = 1 << 20;
    let folder = tempdir().unwrap();
    let weights = folder.path().join("weights");
    fs::create_dir(&weights).unwrap();
    // 350 MB of zeros, which take no room on the disk.
    let spec = |name: &str, dtype, shape: &[usize]| safeshards::TensorSpec {
        name: name.to_owned(),
        dtype,
        shape: shape.to_vec(),
    };
    let specs = [
        spec("model.embed_tokens.weight", DType::BF16, &[40_000, 2880]),
        spec("model.layers.0.mlp.experts.gate_up_proj_blocks", DType::U8, &[14, 5760, 90, 16]),
        spec("model.layers.0.mlp.experts.gate_up_proj_scales", DType::U8, &[14, 5760, 90]),
    ];
    let layout = safeshards::ShardLayout::new(&specs, &BTreeMap::new()).unwrap();
    let mut file = fs::File::create(weights.join("model.safetensors")).unwrap();
    file.write_all(layout.header()).unwrap();
    file.set_len(layout.total_len()).unwrap();
    for (index, case) in
        [vec!["--dtype", "f32"], vec!["--dtype", "keep", "--experts", "dequantize"]]
            .iter()
            .enumerate()
    {
        let out = folder.path().join(format!("out{index}"));
        let mut child = example("convert")
            .args([text(&weights), text(&out), "--memory", "8MiB", "--threads", "2", "--json"])
            .args(case)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let status =
                fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kib =
                anonymous.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(child.wait().unwrap().success());
        assert!(peak > 0 && peak <= (8 + 64) * MIB, "{case:?}: {} MiB", peak / MIB);
    }
}

/// `convert … | head -1`: what it prints goes nowhere from the start.
#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let tiny = Tiny::builder().build();
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let made = folder.path().join("made");
    for (name, arguments) in [
        ("convert", vec![text(tiny.path()), text(&out), "--dry-run"]),
        ("convert", vec![text(tiny.path()), text(&out)]),
        ("synthesize", vec![text(&made)]),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = example(name).args(&arguments).stdout(writer).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{name} {arguments:?}");
    }
    let checked = example("verify").args([text(&out), "--against", text(tiny.path())]).output();
    succeeded(&checked.unwrap());
    assert!(made.join("model.safetensors.index.json").is_file());

    // Nor does one of the errors.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = example("convert").arg("/nowhere").stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let tiny = Tiny::builder().build();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        example("convert").args([text(tiny.path()), "--dry-run"]).stdout(full).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: cannot write to standard output: "), "{stderr}");
}

#[test]
fn the_original_layout_is_known_as_gpt_oss() {
    let tiny = Tiny::builder().layout(testkit::Layout::Original).build();
    let out = tempdir().unwrap();
    succeeded(&convert(&[text(tiny.path()), text(out.path())]));
    assert_eq!(json(&out.path().join("model_config.json"))["model_type"], "gpt_oss");
}

#[test]
fn dtype_rules_leave_integers_alone() {
    let tiny = Tiny::builder().build();
    let plan = convert(&[text(tiny.path()), "--dry-run", "--json", "--dtype-rule", "_blocks$=f32"]);
    let plan: Value = serde_json::from_str(&succeeded(&plan)).unwrap();
    let blocks = |tensor: &&Value| tensor["name"].as_str().unwrap().ends_with("_blocks");
    let mut blocks = plan["tensors"].as_array().unwrap().iter().filter(blocks).peekable();
    assert!(blocks.peek().is_some() && blocks.all(|tensor| tensor["dtype"] == "U8"));
}
