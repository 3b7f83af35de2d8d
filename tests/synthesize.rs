//! `synthesize` and `quickstart` as a user runs them: what they refuse, and what they leave alone.

mod examples;

use std::fs;

use examples::example;
use tempfile::tempdir;

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
