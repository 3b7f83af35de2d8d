//! How ranks find each other.

use std::ffi::{CString, c_char};

use super::process::{child, passed, spawn};
use super::rank::{I32, PARA, Rank, SUM, simulator};
use crate::loaded::{Device, Loaded, Raw};

/// Joins as one rank of a communicator by root information.
pub(crate) fn join<'a>(
    device: Device<'a>,
    root: &[u8],
    ranks: u32,
    rank: u32,
) -> Result<Rank<'a>, i32> {
    let mut comm = std::ptr::null_mut();
    let mut config = [0_u8; 32];
    config[0] = 32;
    config[8..12].copy_from_slice(&0xf0f0_f0f0_u32.to_le_bytes());
    let status = if rank == 0 {
        call!(
            device.loaded, "HcclCommInitRootInfo", ranks => u32, root.as_ptr() => *const u8,
            rank => u32, &raw mut comm => *mut Raw
        )
    } else {
        call!(
            device.loaded, "HcclCommInitRootInfoConfig", ranks => u32, root.as_ptr() => *const u8,
            rank => u32, config.as_ptr() => *const u8, &raw mut comm => *mut Raw
        )
    };
    if status == 0 { Ok(Rank { device, comm, id: rank, ranks }) } else { Err(status) }
}

pub(crate) fn root_info(loaded: &Loaded) -> Vec<u8> {
    let mut root = vec![0_u8; 4108];
    ok!(loaded, "HcclGetRootInfo", root.as_mut_ptr() => *mut u8);
    root
}

#[test]
fn threads_meet_by_root_information() {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let root = root_info(loaded);
    std::thread::scope(|scope| {
        for rank in 0..4_u32 {
            let root = &root;
            scope.spawn(move || {
                let device = Device::open(loaded, rank.cast_signed());
                let rank = join(device, root, 4, rank).unwrap();
                ring(&rank);
                rank.destroy();
            });
        }
    });
}

/// Every rank adds its number to what goes round, and all check the sum.
pub(crate) fn ring(rank: &Rank<'_>) {
    let (next, before) = ((rank.id + 1) % rank.ranks, (rank.id + rank.ranks - 1) % rank.ranks);
    let own = rank.device.buffer(&[rank.id as u8 + 1]);
    let other = rank.device.buffer(&[0xee]);
    if rank.id == 0 {
        assert_eq!(rank.send(own, 1, next), 0);
        assert_eq!(rank.recv(other, 1, before), 0);
    } else {
        assert_eq!(rank.recv(other, 1, before), 0);
        assert_eq!(rank.send(own, 1, next), 0);
    }
    rank.device.finish();
    assert_eq!(rank.device.read(other, 1), [before as u8 + 1]);
    let sum = rank.exchange(&(rank.id + 1).to_le_bytes(), 4, |send, recv| {
        rank.all_reduce(send, recv, 1, I32, SUM)
    });
    assert_eq!(sum, (rank.ranks * (rank.ranks + 1) / 2).to_le_bytes());
}

/// Root information in a file, made by this process.
pub(crate) fn root_file() -> tempfile::NamedTempFile {
    let loaded = simulator();
    let _device = Device::open(loaded, 0);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), root_info(loaded)).unwrap();
    file
}

#[test]
fn processes_meet_by_root_information() {
    let file = root_file();
    let children: Vec<_> = (0..3)
        .map(|rank| spawn("meeting::a_process_in_a_ring", file.path(), 3, rank, &[]))
        .collect();
    children.into_iter().for_each(passed);
}

#[test]
#[ignore = "run by `processes_meet_by_root_information`"]
fn a_process_in_a_ring() {
    let (device, root, ranks, rank) = child();
    let rank = join(device, &root, ranks, rank).unwrap();
    ring(&rank);
    rank.destroy();
}

#[test]
fn ranks_meet_by_a_table() {
    let loaded = simulator();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ranks.json");
    let devices = r#"{"device_id": "5", "rank_id": "1"}, {"device_id": "4", "rank_id": "0"}"#;
    let server = format!(r#"{{"server_id": "127.0.0.1", "device": [{devices}]}}"#);
    let table = format!(
        r#"{{"version": "1.0", "status": "completed", "server_count": "1", "server_list": [{server}]}}"#
    );
    std::fs::write(&path, table).unwrap();
    let path = CString::new(path.to_str().unwrap()).unwrap();
    std::thread::scope(|scope| {
        for rank in 0..2_u32 {
            let path = &path;
            scope.spawn(move || {
                let device = Device::open(loaded, 4 + rank.cast_signed());
                let mut comm = std::ptr::null_mut();
                ok!(
                    loaded, "HcclCommInitClusterInfo", path.as_ptr() => *const c_char, rank => u32,
                    &raw mut comm => *mut Raw
                );
                let rank = Rank { device, comm, id: rank, ranks: 2 };
                ring(&rank);
                rank.destroy();
            });
        }
    });
    let _device = Device::open(loaded, 0);
    let mut comm = std::ptr::null_mut();
    let status = call!(
        loaded, "HcclCommInitClusterInfo", path.as_ptr() => *const c_char, 0 => u32,
        &raw mut comm => *mut Raw
    );
    assert_eq!(status, PARA);
    assert!(loaded.message().contains("device 4"));
}
