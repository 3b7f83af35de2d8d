//! `synthesize` and `quickstart` as a user runs them: what they refuse, and what they leave alone.

mod examples;

use std::fs;

use examples::example;
use tempfile::tempdir;
use testkit::Tiny;

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
