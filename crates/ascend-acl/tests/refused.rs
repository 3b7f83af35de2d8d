//! Folders that must not be loaded. No set is ever complete here, so all tests share one process.

mod make;

use std::fs;
use std::path::Path;
use std::process::Command;

use ascend_acl::codes::Class;
use ascend_acl::{Ascend, Error, PATH_VARIABLE, Part, probe_folder};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn refused(folder: &Path) -> Error {
    Ascend::load_from(folder).expect_err("nothing there can be loaded")
}

#[test]
fn an_empty_folder_names_every_path_and_the_linkers_words() {
    let folder = folder();
    let error = refused(folder.path());
    let Error::NotFound { part: Part::Runtime, attempts } = &error else { panic!("{error:?}") };
    let names: Vec<_> = attempts.iter().filter_map(|a| a.library.file_name()).collect();
    assert_eq!(names, ["libacl_rt.so", "libascendcl.so"]);
    let text = error.to_string();
    assert!(text.contains("libacl_rt.so: cannot open shared object file"), "{text}");
    assert!(text.contains(&folder.path().canonicalize().unwrap().display().to_string()), "{text}");
    assert_eq!(error.class(), Class::Unavailable);
}

#[test]
fn what_is_no_folder_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "text").unwrap();
    for path in [file, folder.path().join("absent")] {
        let error = refused(&path);
        assert!(matches!(&error, Error::NotAFolder { path: named, .. } if *named == path));
        assert!(error.to_string().contains("expected a folder"), "{error}");
    }
}

#[test]
fn files_that_are_no_libraries_are_refused() {
    let elsewhere = {
        let mut elf = fs::read(std::env::current_exe().unwrap()).unwrap();
        elf.truncate(4096);
        // Byte 18 of an ELF file is the machine: one that this is not.
        elf[18] = if cfg!(target_arch = "x86_64") { 0xB7 } else { 0x3E };
        elf
    };
    let cases = [
        (&b""[..], "file too short"),
        (b"not a library\n", "file too short"),
        (&[b'x'; 4096], "invalid ELF header"),
        (&elsewhere, "for another processor"),
    ];
    for (content, words) in cases {
        let folder = folder();
        fs::write(folder.path().join("libascendcl.so"), content).unwrap();
        let error = refused(folder.path());
        let Error::NotFound { attempts, .. } = &error else { panic!("{error:?}") };
        let last = attempts.last().unwrap();
        assert!(last.library.ends_with("libascendcl.so"), "{last:?}");
        // The words are glibc's.
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(last.problem.contains(words), "{last:?}");
        }
    }
}

/// The older library beside a broken newer one must not stand in for it silently.
#[test]
fn a_broken_library_is_not_passed_over() {
    let folder = folder();
    fs::write(folder.path().join("libacl_rt.so"), "broken").unwrap();
    if make::library(folder.path(), "libascendcl.so", make::RUNTIME).is_none() {
        return;
    }
    let Error::NotFound { part, attempts } = refused(folder.path()) else { panic!() };
    assert_eq!((part, attempts.len()), (Part::Runtime, 1));

    let folder = self::folder();
    make::library(folder.path(), "libacl_rt.so", make::RUNTIME).unwrap();
    make::library(folder.path(), "libnnopbase.so", make::EMPTY).unwrap();
    make::library(folder.path(), "libopapi.so", make::EMPTY).unwrap();
    fs::write(folder.path().join("libopapi_nn.so"), "broken").unwrap();
    let Error::NotFound { part, attempts } = refused(folder.path()) else { panic!() };
    assert_eq!(part, Part::Operators);
    assert!(attempts.last().unwrap().library.ends_with("libopapi_nn.so"), "{attempts:?}");
}

#[test]
fn an_incomplete_set_is_refused() {
    let folder = folder();
    if make::library(folder.path(), "libascendcl.so", make::RUNTIME).is_none() {
        return;
    }
    let error = refused(folder.path());
    assert!(matches!(error, Error::NotFound { part: Part::Base, .. }), "{error}");
    make::library(folder.path(), "libnnopbase.so", make::EMPTY).unwrap();
    // Libraries that have operators of the same names, and are not for us.
    for trap in ["libaclnn_math.so", "libaclnn_ops_infer.so", "libcust_opapi.so"] {
        make::library(folder.path(), trap, make::EMPTY).unwrap();
    }
    let error = refused(folder.path());
    assert!(matches!(error, Error::NotFound { part: Part::Operators, .. }), "{error}");
    assert!(error.to_string().contains("libopapi.so"), "{error}");
}

#[test]
fn a_stub_is_recognised() {
    let folder = folder();
    let stub = "int aclrtGetVersion(int *a, int *b, int *c) { return 100039; }";
    for soname in ["libacl_rt.so", "libnnopbase.so", "libopapi.so"] {
        if make::library(folder.path(), soname, stub).is_none() {
            return;
        }
    }
    let error = refused(folder.path());
    assert!(matches!(&error, Error::Stub { library } if library.ends_with("libacl_rt.so")));
    let probe = probe_folder(folder.path());
    assert!(!probe.usable && probe.advice.iter().any(|line| line.contains("devlib")), "{probe:?}");
}

/// The usual state of a machine with CANN and no NPU.
#[test]
fn a_missing_driver_is_named() {
    let folder = folder();
    let Some(driver) = make::library(folder.path(), "libascend_hal.so", make::EMPTY) else {
        return;
    };
    let runtime = folder.path().join("libacl_rt.so");
    let linked = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-o"])
        .arg(&runtime)
        .arg(folder.path().join("libascend_hal.so.c"))
        .arg("-L")
        .arg(folder.path())
        .arg("-lascend_hal")
        .status();
    assert!(linked.unwrap().success());
    fs::remove_file(&driver).unwrap();
    let probe = probe_folder(folder.path());
    let named = |line: &String| line.contains("libascend_hal.so");
    assert!(probe.tried[0].problem.contains("libascend_hal.so"), "{:?}", probe.tried);
    assert!(!probe.usable && probe.advice.iter().any(named), "{:?}", probe.advice);
}

/// What `load` does with its environment, in processes that have another one.
#[test]
fn the_environment_says_where_to_look() {
    let folder = folder();
    let named = folder.path().join("named");
    fs::create_dir(&named).unwrap();
    let here = named.canonicalize().unwrap().display().to_string();
    let home = folder.path().join("home");
    let lib64 = home.join("lib64").display().to_string();

    let only = load_elsewhere(&[(PATH_VARIABLE, named.as_path()), ("ASCEND_HOME_PATH", &home)]);
    assert!(only.contains(&here) && !only.contains(&lib64), "{only}");
    assert!(!only.contains("/usr/local/Ascend"), "{only}");

    let all = load_elsewhere(&[("ASCEND_HOME_PATH", &home), (PATH_VARIABLE, Path::new(""))]);
    let at = |part: &str| all.find(part).unwrap_or_else(|| panic!("no {part} in {all}"));
    let order = [
        "tried libacl_rt.so",
        &lib64,
        "/usr/local/Ascend/cann/lib64",
        "/usr/local/Ascend/ascend-toolkit/latest/lib64",
    ];
    assert!(order.map(at).is_sorted(), "{all}");

    let absent = load_elsewhere(&[(PATH_VARIABLE, &folder.path().join("absent"))]);
    assert!(absent.contains(PATH_VARIABLE) && absent.contains("expected a folder"), "{absent}");
}

const CHILD: &str = "ASCEND_ACL_TEST_CHILD";

fn load_elsewhere(variables: &[(&str, &Path)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "loads_and_prints", "--nocapture"])
        .env_remove(PATH_VARIABLE)
        .env_remove("ASCEND_TOOLKIT_HOME")
        .envs(variables.iter().copied())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// The child of the test above; by itself it does nothing.
#[test]
fn loads_and_prints() {
    if std::env::var_os(CHILD).is_some() {
        match Ascend::load() {
            Ok(ascend) => println!("loaded {ascend:?}"),
            Err(error) => println!("{error}"),
        }
    }
}
