//! Telemetry: what monitors read of the simulated cards.

#![allow(unsafe_code, reason = "C functions are called")]

mod loaded;

use loaded::{Device, Loaded, Raw};

const INVALID: i32 = -8001;
const NO_DEVICE: i32 = -8008;
const NOT_READY: i32 = -8012;
const NOT_SUPPORTED: i32 = -8255;

#[repr(C)]
#[derive(Default, Debug)]
struct Hbm {
    size: u64,
    frequency: u32,
    usage: u64,
    temperature: i32,
    bandwidth: u32,
}

#[repr(C)]
#[derive(Default, Debug)]
struct Process {
    id: i32,
    memory: std::ffi::c_ulong,
}

fn hbm(loaded: &Loaded, card: i32) -> Hbm {
    let mut hbm = Hbm::default();
    ok!(loaded, "dcmi_get_device_hbm_info", card => i32, 0 => i32, &raw mut hbm => *mut Hbm);
    hbm
}

/// One test, since `dcmi_init` is of the whole process.
#[test]
fn cards_tell_of_themselves() {
    let loaded = loaded::loaded(&[("ASCEND_SIM_DEVICES", "3"), ("ASCEND_SIM_SOC", "Ascend910B4")]);
    let mut number = -1;
    let place = &raw mut number;
    assert_eq!(call!(loaded, "dcmi_get_all_device_count", place => *mut i32), NOT_READY);
    ok!(loaded, "dcmi_init");

    let mut list = [-1; 4];
    let list = list.as_mut_ptr();
    ok!(loaded, "dcmi_get_card_list", place => *mut i32, list => *mut i32, 4 => i32);
    assert_eq!(number, 3);
    // SAFETY: an array of four.
    assert_eq!(unsafe { std::slice::from_raw_parts(list, 4) }, [0, 1, 2, -1]);
    let short = call!(loaded, "dcmi_get_card_list", place => *mut i32, list => *mut i32, 2 => i32);
    assert_eq!(short, INVALID);
    ok!(loaded, "dcmi_get_device_num_in_card", 2 => i32, place => *mut i32);
    assert_eq!(number, 1);
    assert_eq!(
        call!(loaded, "dcmi_get_device_num_in_card", 3 => i32, place => *mut i32),
        NO_DEVICE
    );
    let mut device = -1;
    ok!(
        loaded, "dcmi_get_card_id_device_id_from_logicid", place => *mut i32, &raw mut device => *mut i32,
        2 => u32
    );
    assert_eq!((number, device), (2, 0));
    ok!(loaded, "dcmi_get_device_logic_id", place => *mut i32, 1 => i32, 0 => i32);
    assert_eq!(number, 1);

    let mut chip = [0_u8; 132];
    ok!(loaded, "dcmi_get_device_chip_info_v2", 0 => i32, 0 => i32, chip.as_mut_ptr() => *mut u8);
    assert!(chip.starts_with(b"Ascend\0") && chip[32..].starts_with(b"910B4\0"));
    assert_eq!(chip[96..100], 20_u32.to_le_bytes());
    assert!(chip[100..].starts_with(b"910B4\0"));

    let idle = hbm(loaded, 1);
    assert_eq!(idle.size, 32_768);
    assert!((2_500..=3_500).contains(&idle.usage), "{idle:?}");
    let _device = Device::open(loaded, 1);
    let mut memory = std::ptr::null_mut();
    ok!(loaded, "aclrtMalloc", &raw mut memory => *mut Raw, 1_usize << 30 => usize, 0 => i32);
    let used = hbm(loaded, 1);
    assert!((1024..=1028).contains(&(used.usage - idle.usage)), "{used:?}");
    assert_eq!(hbm(loaded, 2).usage, idle.usage);
    let mut process = Process::default();
    let resources = |card: i32, process: &mut Process, count: *mut i32| {
        ok!(
            loaded, "dcmi_get_device_resource_info", card => i32, 0 => i32, &raw mut *process => *mut Process,
            count => *mut i32
        );
    };
    resources(1, &mut process, place);
    assert_eq!((number, process.id), (1, std::process::id().cast_signed()));
    assert!(process.memory >= 1 << 30, "{process:?}");
    resources(2, &mut process, place);
    assert_eq!(number, 0);
    ok!(loaded, "aclrtFree", memory => Raw);
    assert_eq!(hbm(loaded, 1).usage, idle.usage);

    let mut value = 0_u32;
    for (kind, status) in [(2, 0), (6, 0), (10, 0), (13, 0), (1, NOT_SUPPORTED), (99, INVALID)] {
        let rate = &raw mut value;
        let given = call!(
            loaded, "dcmi_get_device_utilization_rate", 0 => i32, 0 => i32, kind => i32, rate => *mut u32
        );
        assert_eq!(given, status, "{kind}");
        assert!(value <= 100);
    }
    ok!(
        loaded, "dcmi_get_device_frequency", 0 => i32, 0 => i32, 9 => i32, &raw mut value => *mut u32
    );
    assert_eq!(value, 1650);
    ok!(loaded, "dcmi_get_device_temperature", 0 => i32, 0 => i32, place => *mut i32);
    assert!((40..=65).contains(&number), "{number}");
    ok!(loaded, "dcmi_get_device_power_info", 0 => i32, 0 => i32, place => *mut i32);
    assert!((850..=2700).contains(&number), "{number}");
    ok!(loaded, "dcmi_get_device_health", 0 => i32, 0 => i32, &raw mut value => *mut u32);
    assert_eq!(value, 0);
    let null = std::ptr::null_mut::<u32>();
    assert_eq!(
        call!(loaded, "dcmi_get_device_health", 0 => i32, 0 => i32, null => *mut u32),
        INVALID
    );
    assert_eq!(
        call!(loaded, "dcmi_get_device_temperature", 0 => i32, 1 => i32, place => *mut i32),
        NO_DEVICE
    );
    let mut version = [0_u8; 64];
    ok!(loaded, "dcmi_get_driver_version", version.as_mut_ptr() => *mut u8, 64 => u32);
    assert!(String::from_utf8_lossy(&version).contains("simulated"));

    ok!(loaded, "dcmiv2_init");
    ok!(loaded, "dcmiv2_get_device_temperature", 2 => i32, place => *mut i32);
    assert_eq!(
        call!(loaded, "dcmiv2_get_device_temperature", 3 => i32, place => *mut i32),
        NO_DEVICE
    );
}
