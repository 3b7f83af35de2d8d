//! `synthesize` and `quickstart` as a user runs them: what they refuse, and what they leave alone.

mod examples;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use examples::example;
use tempfile::tempdir;
use testkit::Tiny;
use testkit::hub::{Hub, Running};

#[test]
fn layers_have_bounds() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    for layers in ["0", "10001", "18446744073709551615", "-1", "many"] {
        let output =
            example("synthesize").arg(&out).arg(format!("--layers={layers}")).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("for '--layers <LAYERS>'"), "{stderr}");
        assert!(!out.exists());
    }
}

#[test]
fn quickstart_replaces_nothing_in_a_folder_to_keep() {
    for name in ["tiny", "tiny-mindspore"] {
        let folder = tempdir().unwrap();
        let mine = folder.path().join(name);
        fs::create_dir(&mine).unwrap();
        fs::write(mine.join("config.json"), "mine").unwrap();
        let output = example("quickstart").arg("--keep").arg(folder.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(name) && stderr.contains("is already there"), "{stderr}");
        assert_eq!(fs::read_to_string(mine.join("config.json")).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

/// The whole way with a model that is given: it is left as it was, and what is made is a checkpoint and a page.
#[test]
fn quickstart_with_a_model() {
    let model = Tiny::builder().build();
    let before = fs::read_dir(model.path()).unwrap().count();
    let folder = tempdir().unwrap();
    let (kept, page) = (folder.path().join("kept"), folder.path().join("page.html"));
    fs::create_dir(&kept).unwrap();
    fs::write(&page, "an older one").unwrap();
    let mut command = example("quickstart");
    command.arg("--model").arg(model.path()).arg("--keep").arg(&kept).arg("--page").arg(&page);
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    for step in ["1. open", "2. inspect", "3. convert", "4. verify", "5. run", "6. measure"] {
        assert!(text.lines().any(|line| line.starts_with(step)), "{step}: {text}");
    }
    assert!(text.contains("tensors right, every value compared"), "{text}");
    assert!(text.contains(&format!("page of charts: {}\n", page.display())), "{text}");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));

    let made: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let verified = example("verify").arg(&made[0]).arg("--against").arg(model.path()).output();
    assert_eq!(verified.unwrap().status.code(), Some(0));
    assert_eq!(fs::read_dir(model.path()).unwrap().count(), before);
}

const REPO: &str = "openai/tiny-oss";

/// A repository with the files of a tiny model, and one that no engine needs.
fn repository(model: &Tiny) -> Hub {
    let mut hub = Hub::new(REPO).small("README.md", "# mine");
    for entry in fs::read_dir(model.path()).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name(), fs::read(entry.path()).unwrap());
        let name = name.to_str().unwrap();
        let large = name.ends_with(".safetensors");
        hub = if large { hub.large(name, bytes) } else { hub.small(name, bytes) };
    }
    hub
}

/// `quickstart --model openai/tiny-oss` in a folder, with nothing of the environment of whoever runs the tests.
fn from_hub(endpoint: &str, folder: &Path) -> Command {
    let mut command = example("quickstart");
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_ascii_uppercase();
        if upper.starts_with("HF_") || upper.ends_with("_PROXY") || upper.starts_with("HUGGING") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", folder).env_remove("XDG_CACHE_HOME").env("HF_ENDPOINT", endpoint);
    command.stdin(Stdio::null()).current_dir(folder).args(["--model", REPO, "--page", "page.html"]);
    command
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fails(output: &Output) -> String {
    let errors = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(last.starts_with("error: "), "{errors}");
    last.to_owned()
}

#[test]
fn quickstart_downloads_a_repository_and_goes_on_after_an_interruption() {
    let model = Tiny::builder().build();
    let refusing = Arc::new(AtomicBool::new(true));
    let refuses = Arc::clone(&refusing);
    let server: Running = repository(&model).start(move |request, reply| {
        if refuses.load(SeqCst) && request.path.ends_with(".safetensors") {
            reply.set(403, "");
        }
    });
    let folder = tempdir().unwrap();
    let kept = folder.path().join("kept");
    let run = || from_hub(&server.url(), folder.path()).args(["--keep", "kept"]).output().unwrap();
    let error = fails(&run());
    assert!(error.contains("cannot download openai/tiny-oss"), "{error}");
    assert!(!kept.join("tiny-oss-mindspore").exists() && !folder.path().join("page.html").exists());

    refusing.store(false, SeqCst);
    let text = succeeds(&run());
    assert!(text.starts_with("1. download    openai/tiny-oss, since there is no folder"), "{text}");
    assert!(text.contains("tensors right, every value compared"), "{text}");
    assert!(text.contains("model    tiny-oss:"), "{text}");
    let download = kept.join("tiny-oss");
    for entry in fs::read_dir(model.path()).unwrap() {
        let path = entry.unwrap().path();
        let came = fs::read(download.join(path.file_name().unwrap())).unwrap();
        testkit::assert_bytes("a file of the hub", &came, &fs::read(&path).unwrap());
    }
    assert!(!download.join("README.md").exists());
    let made: Vec<_> = fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 2, "{made:?}");

    // The conversion is not replaced, and that is said before the hub is asked.
    let asked = server.requests().len();
    let error = fails(&run());
    assert!(error.contains("tiny-oss-mindspore is already there"), "{error}");
    assert_eq!(server.requests().len(), asked);

    // What is complete needs no network.
    fs::remove_dir_all(kept.join("tiny-oss-mindspore")).unwrap();
    let offline = || {
        let mut command = from_hub(&server.url(), folder.path());
        command.args(["--keep", "kept"]).env("HF_HUB_OFFLINE", "1").output().unwrap()
    };
    succeeds(&offline());
    fs::remove_dir_all(kept.join("tiny-oss-mindspore")).unwrap();
    fs::write(download.join("config.json"), "{}").unwrap();
    let error = fails(&offline());
    assert!(error.contains("HF_HUB_OFFLINE") && error.contains("config.json"), "{error}");
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn quickstart_downloads_beside_itself_and_prefers_a_folder() {
    let model = Tiny::builder().build();
    let server = repository(&model).start(|_, _| {});
    let folder = tempdir().unwrap();
    succeeds(&from_hub(&server.url(), folder.path()).output().unwrap());
    assert!(folder.path().join("tiny-oss/config.json").is_file());
    assert!(!folder.path().join("tiny-oss-mindspore").exists());

    let asked = server.requests().len();
    let other = tempdir().unwrap();
    drop(Tiny::builder().build_in(other.path().join(REPO)));
    let text = succeeds(&from_hub(&server.url(), other.path()).output().unwrap());
    assert!(text.starts_with("1. open        "), "{text}");
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn quickstart_says_what_keeps_it_from_downloading() {
    let model = Tiny::builder().build();
    let folder = tempdir().unwrap();
    let closed = repository(&model).start(|_, reply| reply.set(401, ""));
    let error = fails(&from_hub(&closed.url(), folder.path()).output().unwrap());
    assert!(error.contains("set HF_TOKEN"), "{error}");
    // Nobody listens there: a port that was free a moment ago.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fails(&from_hub(&format!("http://{nobody}"), folder.path()).output().unwrap());
    assert!(error.contains("cannot download openai/tiny-oss (--model takes a folder"), "{error}");
    assert!(error.contains(&nobody.to_string()), "{error}");
    assert!(!folder.path().join("tiny-oss").exists());
}

#[test]
fn quickstart_refuses_at_once_what_it_cannot_do() {
    let folder = tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let page = nowhere.join("page.html");
    for (option, path, reason) in
        [("--model", &nowhere, "cannot open"), ("--page", &page, "there is no such folder")]
    {
        let output = example("quickstart").arg(option).arg(path).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(reason), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    assert!(!nowhere.exists());
}
