//! The folders of libraries: what is in them, what loads, what each exports.

#![allow(unsafe_code, reason = "libraries are loaded and their functions called")]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use ascend_sim::layout::{Cann, Layout, LayoutError, find_library, lay_out};

const RELEASES: [(Cann, &str, &[&str]); 2] = [
    (
        Cann::V8_3,
        "8.3",
        &[
            "libaclnn_math.so",
            "libascend_sim.so",
            "libascendcl.so",
            "libdcmi.so",
            "libhccl.so",
            "libnnopbase.so",
            "libopapi.so",
        ],
    ),
    (
        Cann::V8_5,
        "8.5",
        &[
            "libacl_rt.so",
            "libascend_sim.so",
            "libascendcl.so",
            "libdcmi.so",
            "libhccl.so",
            "libhcomm.so",
            "libnnopbase.so",
            "libopapi.so",
            "libopapi_cv.so",
            "libopapi_legacy.so",
            "libopapi_math.so",
            "libopapi_nn.so",
            "libopapi_transformer.so",
        ],
    ),
];

#[test]
fn a_folder_has_the_libraries_of_its_release() {
    let dir = tempfile::tempdir().unwrap();
    for (cann, name, files) in RELEASES {
        let folder = lay_out(dir.path(), cann).unwrap();
        assert!(folder.is_absolute());
        assert!(folder.ends_with(name));
        let mut found: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, files);
    }
}

/// What a library's dynamic symbol table defines.
fn exported(path: &Path) -> BTreeSet<String> {
    let file = std::fs::read(path).unwrap();
    let half = |at: usize| u16::from_le_bytes(file[at..at + 2].try_into().unwrap());
    let int = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize;
    let section = |index: usize| word(40) + 64 * index;
    let text = |table: usize, at: usize| {
        let start = word(table + 24) + at;
        CStr::from_bytes_until_nul(&file[start..]).unwrap().to_str().unwrap().to_owned()
    };
    let sections = 0..usize::from(half(60));
    let table = sections.map(section).find(|&at| int(at + 4) == 11).expect("a .dynsym section");
    let strings = section(int(table + 40) as usize);
    let entries = (0..word(table + 32) / 24).map(|entry| word(table + 24) + 24 * entry);
    entries.filter(|&at| half(at + 6) != 0).map(|at| text(strings, int(at) as usize)).collect()
}

#[test]
fn a_library_exports_what_the_table_says() {
    let dir = tempfile::tempdir().unwrap();
    for (cann, ..) in RELEASES {
        let folder = lay_out(dir.path(), cann).unwrap();
        for (soname, names) in Layout::new(cann).exports() {
            let names: BTreeSet<_> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(exported(&folder.join(soname)), names, "{soname}");
        }
    }
}

/// `acl*`, `Hccl*` and `dcmi*` of the core: each is in some library, and what is in one is there.
#[test]
fn the_core_and_its_fronts_have_the_same_functions() {
    let core: BTreeSet<_> = exported(&find_library().unwrap())
        .into_iter()
        .filter(|name| ["acl", "Hccl", "dcmi"].iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !name.starts_with("ascendSim"))
        .collect();
    let fronts = |cann| Layout::new(cann).exports().into_iter().flat_map(|(_, names)| names);
    let newest: BTreeSet<_> = fronts(Cann::V8_5).map(str::to_owned).collect();
    let lost: Vec<_> = core.difference(&newest).collect();
    assert!(lost.is_empty(), "in no library: {lost:?}");
    let empty: Vec<_> = newest.difference(&core).collect();
    assert!(empty.is_empty(), "with nothing behind: {empty:?}");
    assert!(fronts(Cann::V8_3).all(|name| newest.contains(name)));
}

/// Names and first releases of the runtime's and libnnopbase's functions, as the vendor's headers have them.
#[test]
fn what_the_vendors_headers_have_is_there() {
    let [old, new] = [Cann::V8_3, Cann::V8_5].map(|cann| Layout::new(cann).exports());
    for line in include_str!("loaded/prototypes.txt").lines() {
        let [library, since, name] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let libraries = match library {
            "nnopbase" => [&["libnnopbase.so"][..]; 2],
            _ => [&["libascendcl.so"][..], &["libacl_rt.so", "libascendcl.so"]],
        };
        let has = |exports: &[(&str, Vec<&str>)], sonames: &[&str]| {
            let listed = |soname| {
                exports.iter().find(|(name, _)| *name == soname).unwrap().1.contains(&name)
            };
            sonames.iter().all(|soname| listed(*soname))
        };
        assert!(has(&new, libraries[1]), "{line}");
        assert_eq!(has(&old, libraries[0]), since == "8.1", "{line}");
    }
}

/// A library opened as programs open the vendor's; never closed.
struct Library(*mut c_void);

impl Library {
    fn open(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the libraries opened here are the simulator's, whose constructors only load and bind.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        assert!(!handle.is_null(), "{}: {}", path.display(), error());
        Self(handle)
    }

    fn find(&self, name: &str) -> Option<*mut c_void> {
        let name = CString::new(name).unwrap();
        // SAFETY: the handle is open and the name is a C string.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!function.is_null()).then_some(function)
    }

    /// Calls a function whose first argument, if any, is null or 0.
    fn call(&self, name: &str) -> i32 {
        let function = self.find(name).unwrap_or_else(|| panic!("no {name}"));
        // SAFETY: a C function called with more arguments than it has ignores them on both ABIs; those that it has may be 0 here.
        let function: extern "C" fn(*const c_void, u64) -> i32 =
            unsafe { std::mem::transmute(function) };
        function(std::ptr::null(), 0)
    }

    fn text(&self, name: &str) -> Option<String> {
        let function = self.find(name).unwrap_or_else(|| panic!("no {name}"));
        // SAFETY: the functions asked for here return a C string or null.
        let function: extern "C" fn(u64) -> *const libc::c_char =
            unsafe { std::mem::transmute(function) };
        let text = function(0);
        // SAFETY: as above, and it is not null.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    }
}

fn error() -> String {
    // SAFETY: gives a C string or null.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "no error".to_owned();
    }
    // SAFETY: not null, and good until the next call of this thread.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[test]
fn a_front_finds_what_is_behind_it_and_shows_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_5).unwrap();
    let runtime = Library::open(&folder.join("libacl_rt.so"));
    let math = Library::open(&folder.join("libopapi_math.so"));
    assert_eq!(runtime.text("aclrtGetSocName").as_deref(), Some("Ascend910B3"));
    assert!(runtime.find("aclnnAdd").is_none());
    assert!(runtime.find("ascendSimAttach").is_none());
    assert!(math.find("aclInit").is_none());
    assert!(math.find("aclnnRmsNorm").is_none());
    // What came after 8.5 is taken away on this chip.
    let newer = Layout::new(Cann::V8_5).newer();
    assert!(
        newer.contains(&"aclnnFusedInferAttentionScoreV5") && newer.contains(&"HcclGroupStart")
    );
    assert!(Layout::new(Cann::V8_3).newer().is_empty());
    for (soname, names) in Layout::new(Cann::V8_5).exports() {
        let library = Library::open(&folder.join(soname));
        for name in names {
            assert_eq!(library.find(name).is_none(), newer.contains(&name), "{name} in {soname}");
        }
    }
}

#[test]
fn the_old_mathematics_library_is_a_trap() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_3).unwrap();
    let trap = Library::open(&folder.join("libaclnn_math.so"));
    assert_eq!(trap.call("aclnnMulGetWorkspaceSize"), 561_000);
    assert_eq!(trap.call("aclnnMul"), 561_000);
    assert!(trap.find("aclnnAdd").is_none());
}

#[test]
fn a_stub_answers_that_it_is_one() {
    let dir = tempfile::tempdir().unwrap();
    for (cann, ..) in RELEASES {
        let layout = Layout::new(cann).stub();
        let folder = layout.write(dir.path()).unwrap();
        assert!(!folder.join("libascend_sim.so").exists());
        for (soname, names) in layout.exports() {
            let library = Library::open(&folder.join(soname));
            for name in names {
                let pointer = name.starts_with("aclCreate")
                    || ["aclGetRecentErrMsg", "aclrtGetSocName", "HcclGetErrorString"]
                        .contains(&name);
                if pointer {
                    assert_eq!(library.text(name), None, "{name}");
                } else {
                    assert_eq!(library.call(name), 100_039, "{name}");
                }
            }
        }
    }
}

#[test]
fn what_is_left_out_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_5).unwrap();
    assert!(folder.join("libhccl.so").exists());
    let broken = Layout::new(Cann::V8_5).without("libhccl.so").missing("aclrtMemset");
    let again = broken.write(dir.path()).unwrap();
    assert_eq!(folder, again);
    assert!(!folder.join("libhccl.so").exists());
    assert!(!exported(&folder.join("libacl_rt.so")).contains("aclrtMemset"));
    assert!(!exported(&folder.join("libascendcl.so")).contains("aclrtMemset"));
    assert!(exported(&folder.join("libacl_rt.so")).contains("aclrtMemsetAsync"));
}

#[test]
fn names_that_are_not_there_cannot_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let error = Layout::new(Cann::V8_3).without("libhcomm.so").write(dir.path()).unwrap_err();
    assert!(matches!(&error, LayoutError::NoLibrary { name, .. } if name == "libhcomm.so"));
    assert!(error.to_string().contains("libopapi.so"), "{error}");
    let error = Layout::new(Cann::V8_3).missing("aclrtMemcet").write(dir.path()).unwrap_err();
    assert!(matches!(&error, LayoutError::NoSymbol { name } if name == "aclrtMemcet"));
    let error = Layout::new(Cann::V8_3).core("/no/such.so").write(dir.path()).unwrap_err();
    assert!(error.to_string().contains("libascend_sim.so"), "{error}");
    let error = lay_out("/dev/null/sim", Cann::V8_3).unwrap_err();
    assert!(error.to_string().contains("/dev/null/sim"), "{error}");
}

/// In a process of its own, since a library is loaded once: without its core, a front is as a stub is.
#[test]
fn what_depends_on_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_5).unwrap();
    let old = lay_out(dir.path(), Cann::V8_3).unwrap();
    run("newer_functions_are_there_on_950", &folder, &[("ASCEND_SIM_SOC", "Ascend950PR")]);
    run(
        "named_functions_are_missing",
        &folder,
        &[("ASCEND_SIM_FAULTS", "malloc:5,missing:aclrtMemset+aclnnAdd")],
    );
    let moved = dir.path().join("moved");
    std::fs::rename(&folder, &moved).unwrap();
    run("a_moved_folder_works", &moved, &[]);
    std::fs::remove_file(old.join("libascend_sim.so")).unwrap();
    run("without_its_core_a_front_is_a_stub", &old, &[]);
}

fn run(name: &str, folder: &Path, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", name]).env("FOLDER", folder);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{name}: {text}");
}

fn front(name: &str) -> Library {
    Library::open(&Path::new(&std::env::var_os("FOLDER").unwrap()).join(name))
}

#[test]
#[ignore = "run by `what_depends_on_the_process`"]
fn newer_functions_are_there_on_950() {
    let transformer = front("libopapi_transformer.so");
    assert!(transformer.find("aclnnFusedInferAttentionScoreV5").is_some());
    assert!(front("libhcomm.so").find("HcclGroupStart").is_some());
}

#[test]
#[ignore = "run by `what_depends_on_the_process`"]
fn named_functions_are_missing() {
    assert!(front("libacl_rt.so").find("aclrtMemset").is_none());
    assert!(front("libacl_rt.so").find("aclrtMemsetAsync").is_some());
    let math = front("libopapi_math.so");
    assert!(math.find("aclnnAdd").is_none());
    assert!(math.find("aclnnAddGetWorkspaceSize").is_some());
}

#[test]
#[ignore = "run by `what_depends_on_the_process`"]
fn a_moved_folder_works() {
    assert_eq!(front("libacl_rt.so").text("aclrtGetSocName").as_deref(), Some("Ascend910B3"));
}

#[test]
#[ignore = "run by `what_depends_on_the_process`"]
fn without_its_core_a_front_is_a_stub() {
    assert_eq!(front("libascendcl.so").call("aclInit"), 100_039);
}

/// `nm` and the linker read section headers, which the loader does not.
#[test]
fn binary_tools_read_the_libraries() {
    let dir = tempfile::tempdir().unwrap();
    let folder = lay_out(dir.path(), Cann::V8_5).unwrap();
    let Ok(output) = Command::new("nm").arg("-D").arg(folder.join("libdcmi.so")).output() else {
        eprintln!("skipped: no nm on this machine");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("T dcmi_init"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("U dlopen"), "{text}");
}

#[test]
fn the_program_lays_out_both_folders() {
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_ascend-sim-layout");
    let output = Command::new(program).arg(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(dir.path().join("8.3/libopapi.so").exists());
    assert!(dir.path().join("8.5/libopapi_nn.so").exists());
    let output = Command::new(program).args(["--cann", "9"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = Command::new(program).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("no DIR"));
}
