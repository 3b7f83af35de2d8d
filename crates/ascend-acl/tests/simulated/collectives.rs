//! Devices that compute together, in a process of its own that has four.

use std::env;
use std::process::Command;
use std::thread;

use ascend_acl::rt::{Comm, Device, DeviceBuffer, Message, Pieces, Reduction, RootInfo, Stream};
use half::bf16;

use super::machine::{ascend, counters};

#[test]
fn four_devices() {
    let folder = tempfile::tempdir().unwrap();
    let libraries = ascend_sim::layout::lay_out(folder.path(), crate::CANN).unwrap();
    for test in ["child_threads", "child_root_info"] {
        let mut child = Command::new(env::current_exe().unwrap());
        let name = format!("simulated::collectives::{test}");
        child.args(["--exact", "--ignored", "--nocapture", &name]);
        child.env("ASCEND_ACL_PATH", &libraries).env("ASCEND_SIM_DEVICES", "4");
        let output = child.output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && printed.contains("1 passed"), "{printed}\n{words}");
    }
}

fn devices() -> Vec<Device> {
    (0..4).map(|id| Device::open(&ascend(), id).unwrap()).collect()
}

#[test]
#[ignore = "a child of `four_devices`"]
fn child_threads() {
    let before = counters().alive();
    let devices = devices();
    assert!(Comm::all(&[]).is_err());
    assert!(Comm::all(&[devices[0].clone(), devices[0].clone()]).is_err());
    let comms = Comm::all(&devices).unwrap();
    thread::scope(|scope| {
        for comm in comms {
            scope.spawn(move || rank(&comm));
        }
    });
    drop(devices);
    assert_eq!(counters().alive(), before);
    assert!(ascend().take_drop_errors().is_empty());
}

/// What each rank does. Rank `r` begins with numbers that tell where they come from.
fn rank(comm: &Comm) {
    let device = comm.device();
    let stream = Stream::new(&device).unwrap();
    let own = comm.rank() as f32;
    let put = |numbers: &[f32]| DeviceBuffer::from_slice(&device, numbers).unwrap();
    assert_eq!(comm.size(), 4);

    let (send, receive) = (put(&[own, 10.0 * own]), put(&[0.0; 2]));
    comm.all_reduce(&stream, &send, &receive, Reduction::Sum).unwrap();
    assert_eq!(receive.to_vec().unwrap(), [6.0, 60.0]);
    comm.all_reduce(&stream, &receive, &receive, Reduction::Max).unwrap();
    assert_eq!(receive.to_vec().unwrap(), [6.0, 60.0]);

    let narrow = DeviceBuffer::from_slice(&device, &[bf16::from_f32(own + 1.0); 3]).unwrap();
    comm.all_reduce(&stream, &narrow, &narrow, Reduction::Product).unwrap();
    assert_eq!(narrow.to_vec().unwrap(), [bf16::from_f32(24.0); 3]);

    let gathered = put(&[0.0; 8]);
    comm.all_gather(&stream, &send, &gathered).unwrap();
    assert_eq!(gathered.to_vec().unwrap(), [0.0, 0.0, 1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);

    comm.reduce_scatter(&stream, &gathered, &receive, Reduction::Sum).unwrap();
    assert_eq!(receive.to_vec().unwrap(), [4.0 * own, 40.0 * own]);

    let spread = put(&[own; 3]);
    comm.broadcast(&stream, &spread, 2).unwrap();
    assert_eq!(spread.to_vec().unwrap(), [2.0; 3]);

    let sum = put(&[-1.0; 2]);
    comm.reduce(&stream, &send, &sum, Reduction::Sum, 1).unwrap();
    if comm.rank() == 1 {
        assert_eq!(sum.to_vec().unwrap(), [6.0, 60.0]);
    }

    let part = put(&[0.0; 2]);
    comm.scatter(&stream, &gathered, &part, 3).unwrap();
    assert_eq!(part.to_vec().unwrap(), [own, 10.0 * own]);

    let (to_all, from_all) =
        (put(&[10.0 * own, 10.0 * own + 1.0, 10.0 * own + 2.0, 10.0 * own + 3.0]), put(&[0.0; 4]));
    comm.all_to_all(&stream, &to_all, &from_all).unwrap();
    assert_eq!(from_all.to_vec().unwrap(), [own, 10.0 + own, 20.0 + own, 30.0 + own]);

    let even = Pieces { counts: &[1, 1, 1, 1], offsets: &[0, 1, 2, 3] };
    let backwards = Pieces { counts: &[1, 1, 1, 1], offsets: &[3, 2, 1, 0] };
    comm.all_to_all_pieces(&stream, (&to_all, even), (&from_all, backwards)).unwrap();
    assert_eq!(from_all.to_vec().unwrap(), [30.0 + own, 20.0 + own, 10.0 + own, own]);
    let far = Pieces { counts: &[1, 1, 1, 2], offsets: &[0, 1, 2, 3] };
    assert!(comm.all_to_all_pieces(&stream, (&to_all, far), (&from_all, even)).is_err());

    let (next, last) = ((comm.rank() + 1) % 4, (comm.rank() + 3) % 4);
    let messages =
        [Message::Send(send.as_slice(), next), Message::Receive(receive.as_slice(), last)];
    comm.exchange(&stream, &messages).unwrap();
    assert_eq!(receive.to_vec().unwrap(), [last as f32, 10.0 * last as f32]);
    if comm.rank().is_multiple_of(2) {
        comm.send(&stream, &send, next).unwrap();
    } else {
        comm.receive(&stream, &receive, last).unwrap();
        assert_eq!(receive.to_vec().unwrap(), [last as f32, 10.0 * last as f32]);
    }
    comm.barrier(&stream).unwrap();
    stream.synchronise().unwrap();
    comm.health().unwrap();
    assert!(comm.broadcast(&stream, &spread, 4).unwrap_err().to_string().contains("root is 4"));
    assert!(comm.all_gather(&stream, &send, &receive).is_err());
}

#[test]
#[ignore = "a child of `four_devices`"]
fn child_root_info() {
    let devices = devices();
    let root = RootInfo::new(&devices[0]).unwrap();
    let bytes = root.to_bytes();
    assert_eq!(bytes.len(), RootInfo::BYTES);
    assert!(RootInfo::from_bytes(&bytes[1..]).is_err());
    assert!(Comm::join(&devices[0], 4, &root, 4).is_err());
    thread::scope(|scope| {
        for (rank, device) in (0..4).zip(&devices) {
            let bytes = &bytes;
            scope.spawn(move || {
                let root = RootInfo::from_bytes(bytes).unwrap();
                let comm = Comm::join(device, 4, &root, rank).unwrap();
                assert_eq!((comm.rank(), comm.size()), (rank, 4));
                let stream = Stream::new(device).unwrap();
                let x = DeviceBuffer::from_slice(device, &[i64::from(rank) + 1]).unwrap();
                comm.all_reduce(&stream, &x, &x, Reduction::Sum).unwrap();
                assert_eq!(x.to_vec().unwrap(), [10]);
            });
        }
    });
}
