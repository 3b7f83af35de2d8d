use std::os::unix::process::ExitStatusExt;
use std::ptr::null_mut;

use super::support::*;

#[test]
fn a_host_that_follows_a_device_address_faults() {
    let name = "memory::a_host_that_follows_a_device_address_faults";
    let Some(output) = run_child(name, &[]) else {
        ok!(aclrtSetDevice(0));
        let address = malloc(64);
        put(address, &[1; 64]);
        // SAFETY: there is none: this must kill the process.
        let byte = unsafe { address.cast::<u8>().read_volatile() };
        println!("read {byte}");
        return;
    };
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{output:?}");
}

#[test]
fn a_host_that_follows_a_handle_faults() {
    let name = "memory::a_host_that_follows_a_handle_faults";
    let Some(output) = run_child(name, &[]) else {
        ok!(aclrtSetDevice(0));
        let stream = stream();
        // SAFETY: there is none: this must kill the process.
        let word = unsafe { stream.cast::<u64>().read_volatile() };
        println!("read {word}");
        return;
    };
    assert!(matches!(output.status.signal(), Some(libc::SIGSEGV | libc::SIGBUS)), "{output:?}");
}

#[test]
fn fresh_memory_is_poisoned_and_stays_apart() {
    let _turn = turn();
    let (first, second) = (malloc(100), malloc(100));
    assert!((first as usize).is_multiple_of(64) && (second as usize).is_multiple_of(64));
    assert_eq!(get(first, 100), [0xFF; 100]);
    put(first, &[5; 100]);
    assert_eq!(get(first, 100), [5; 100]);
    assert_eq!(get(second, 100), [0xFF; 100]);
    ok!(aclrtFree(first));
    ok!(aclrtFree(second));
}

#[test]
fn sizes_policies_and_pointers_are_checked() {
    let _turn = turn();
    let mut out = null_mut();
    fails!(100_000, aclrtMalloc(&raw mut out, 0, 0));
    fails!(100_000, aclrtMalloc(&raw mut out, 64, 99));
    fails!(100_000, aclrtFree(null_mut()));
    fails!(100_000, aclrtMallocHost(&raw mut out, 0));
    fails!(100_000, aclrtFreeHost(null_mut()));
    let address = malloc(64);
    let inside = fails!(107_000, aclrtFree(at(address, 32)));
    assert!(inside.contains("byte 32 of an allocation of 64"), "{inside}");
    ok!(aclrtFree(address));
    let twice = fails!(107_000, aclrtFree(address));
    assert!(twice.contains("was freed"), "{twice}");
    let mut local = 0_u64;
    fails!(107_000, aclrtFree((&raw mut local).cast()));
}

#[test]
fn writes_stop_at_the_end_and_reads_a_block_later() {
    let _turn = turn();
    let address = malloc(100);
    let bytes = [0; 256];
    let over = fails!(107_000, aclrtMemcpy(at(address, 50), 256, bytes.as_ptr().cast(), 51, 1));
    assert!(over.contains("byte 50 of an allocation of 100"), "{over}");
    // 100 rounded up to 128, and 32 more, may be read.
    assert_eq!(get(address, 160)[100..], [0xFF; 60]);
    let mut out = [0_u8; 256];
    fails!(107_000, aclrtMemcpy(out.as_mut_ptr().cast(), 256, address, 161, 2));
    fails!(107_000, aclrtMemset(address, 101, 0, 101));
    ok!(aclrtFree(address));
    let mut aligned = null_mut();
    ok!(aclrtMallocAlign32(&raw mut aligned, 100, 2));
    get(aligned, 128);
    fails!(107_000, aclrtMemcpy(out.as_mut_ptr().cast(), 256, aligned, 129, 2));
    ok!(aclrtFree(aligned));
}

#[test]
fn use_after_free_is_refused() {
    let _turn = turn();
    let address = malloc(64);
    ok!(aclrtFree(address));
    let mut out = [0_u8; 64];
    let message = fails!(107_000, aclrtMemcpy(out.as_mut_ptr().cast(), 64, address, 64, 2));
    assert!(message.contains("was freed"), "{message}");
    let next = malloc(64);
    assert_ne!(next, address);
    ok!(aclrtFree(next));
}

fn info() -> (usize, usize) {
    let (mut free, mut total) = (0, 0);
    ok!(aclrtGetMemInfo(1, &raw mut free, &raw mut total));
    (free, total)
}

#[test]
fn memory_is_counted_in_huge_pages() {
    let _turn = turn();
    let (free, total) = info();
    assert_eq!(free, total);
    // 64 GiB less 3.4 GB.
    assert_eq!(total, ((64 << 30) - 3_400_000_000) / (2 << 20) * (2 << 20));
    let small = malloc(1);
    assert_eq!(info().0, free - (2 << 20));
    let page = malloc(2 << 20);
    assert_eq!(info().0, free - (6 << 20));
    let mut normal = null_mut();
    ok!(aclrtMalloc(&raw mut normal, 1, 2));
    assert_eq!(info().0, free - (6 << 20) - 4096);
    for address in [small, page, normal] {
        ok!(aclrtFree(address));
    }
    assert_eq!(info().0, free);
    let (mut free, mut total) = (1, 1);
    ok!(aclrtGetMemInfo(0, &raw mut free, &raw mut total));
    assert_eq!((free, total), (0, 0));
    fails!(107_000, aclrtGetMemInfo(77, &raw mut free, &raw mut total));
}

#[test]
fn huge_allocations_cost_nothing_until_they_are_used() {
    let _turn = turn();
    let start = std::time::Instant::now();
    let address = malloc(50 << 30);
    assert_eq!(get(at(address, 49 << 30), 32), [0xFF; 32]);
    assert!(start.elapsed().as_secs() < 5);
    let mut out = null_mut();
    let message = fails!(207_001, aclrtMalloc(&raw mut out, 20 << 30, 0));
    assert!(message.contains("bytes of HBM are free"), "{message}");
    fails!(207_001, aclrtMalloc(&raw mut out, usize::MAX, 0));
    ok!(aclrtFree(address));
}

#[test]
fn chips_have_their_own_capacity() {
    const CHIPS: [(&str, usize); 3] = [
        ("Ascend910B4", (32 << 30) - 2_900_000_000),
        ("Ascend910_9392", (64 << 30) - 3_400_000_000),
        ("Ascend950PR", (128 << 30) - 3_400_000_000),
    ];
    for (soc, _) in CHIPS {
        child("memory::chips_have_their_own_capacity", &[("ASCEND_SIM_SOC", soc)], || {
            let _turn = turn();
            let name = acl!(aclrtGetSocName());
            // SAFETY: a static C string.
            let name = unsafe { std::ffi::CStr::from_ptr(name) }.to_str().unwrap();
            let (_, total) = CHIPS.into_iter().find(|(soc, _)| *soc == name).unwrap();
            assert_eq!(info().1, total / (2 << 20) * (2 << 20));
            assert_eq!(std::env::var("ASCEND_SIM_SOC").unwrap(), name);
        });
    }
}

#[test]
fn capacity_can_be_set() {
    let variables = [("ASCEND_SIM_HBM", "8388608")];
    child("memory::capacity_can_be_set", &variables, || {
        let _turn = turn();
        assert_eq!(info(), (8 << 20, 8 << 20));
        let first = malloc(4 << 20);
        let mut out = null_mut();
        fails!(207_001, aclrtMalloc(&raw mut out, 2 << 20, 0));
        ok!(aclrtFree(first));
        ok!(aclrtMalloc(&raw mut out, 6 << 20, 0));
        ok!(aclrtFree(out));
    });
}

#[test]
fn pointers_know_where_they_point() {
    let _turn = turn();
    let address = malloc(64);
    let mut attributes = [9_u32; 7];
    ok!(aclrtPointerGetAttributes(at(address, 8), &raw mut attributes));
    assert_eq!(attributes[..3], [0, 1, 2 << 20]);
    let local = 0_u8;
    ok!(aclrtPointerGetAttributes((&raw const local).cast(), &raw mut attributes));
    assert_eq!(attributes[..3], [0, 0, 4 << 10]);
    ok!(aclrtFree(address));
}

#[test]
fn addresses_and_memory_can_be_had_apart() {
    const PAGE: usize = 2 << 20;
    let _turn = turn();
    let (mut range, mut memory) = (null_mut(), null_mut());
    ok!(aclrtReserveMemAddress(&raw mut range, 2 * PAGE, 0, null_mut(), 0));
    // Handle and allocation type 0; HBM of device 0; a device.
    let on_device = [0, 1, 1, 0];
    fails!(107_000, aclrtMallocPhysical(&raw mut memory, 100, &raw const on_device, 0));
    ok!(aclrtMallocPhysical(&raw mut memory, PAGE, &raw const on_device, 0));
    assert_eq!(counters().device_bytes, PAGE as u64);
    let mut byte = 0_u8;
    fails!(107_000, aclrtMemcpy((&raw mut byte).cast(), 1, range, 1, 2));
    ok!(aclrtMapMem(range, PAGE, 0, memory, 0));
    put(range, &[7; 32]);
    fails!(107_000, aclrtReleaseMemAddress(range));
    ok!(aclrtUnmapMem(range));
    ok!(aclrtMapMem(at(range, PAGE), PAGE, 0, memory, 0));
    assert_eq!(get(at(range, PAGE), 32), [7; 32]);
    ok!(aclrtUnmapMem(at(range, PAGE)));
    ok!(aclrtFreePhysical(memory));
    fails!(561_000, aclrtFreePhysical(memory));
    ok!(aclrtReleaseMemAddress(range));
    fails!(107_000, aclrtReleaseMemAddress(range));
}

#[test]
fn pinned_memory_is_counted() {
    let _turn = turn();
    let address = malloc_host(1000);
    assert_eq!(counters().pinned_bytes, 1000);
    let mut own = vec![0_u8; 4096];
    ok!(aclrtHostRegister(own.as_mut_ptr().cast(), 4096, 0, null_mut()));
    fails!(507_910, aclrtHostRegister(own.as_mut_ptr().cast(), 8, 0, null_mut()));
    assert_eq!(counters().pinned_bytes, 5096);
    fails!(107_000, aclrtFreeHost(own.as_mut_ptr().cast()));
    ok!(aclrtHostUnregister(own.as_mut_ptr().cast()));
    fails!(507_911, aclrtHostUnregister(own.as_mut_ptr().cast()));
    ok!(aclrtFreeHost(address));
    fails!(107_000, aclrtFreeHost(address));
}

#[test]
fn free_with_sync_waits_for_the_device() {
    let _turn = turn();
    let stream = stream();
    let gate = Gate::new();
    gate.close(stream);
    let memory = malloc(64);
    ok!(aclrtMemsetAsync(memory, 64, 0, 64, stream));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(30));
            gate.open();
        });
        ok!(aclrtFreeWithDevSync(memory));
    });
    assert_eq!(gate.passed(), 1);
    ok!(aclrtSynchronizeStream(stream));
    ok!(aclrtDestroyStream(stream));
}
