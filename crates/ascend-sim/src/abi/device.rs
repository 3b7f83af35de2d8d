//! Devices and their telemetry.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::pointer::{Out, Raw};
use crate::runtime::config::{config, machine};
use crate::runtime::counters::counters;
use crate::runtime::device::{device, of};
use crate::runtime::failure::Failure;
use crate::runtime::memory::{peers, space};
use crate::runtime::{launch, stream, thread};

/// An `aclrtUtilizationInfo`, in percent.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Utilization {
    cube: i32,
    vector: i32,
    ai_cpu: i32,
    /// Always −1, as documented.
    memory: i32,
    extension: Raw,
}

static SATURATION: AtomicI32 = AtomicI32::new(1);

export! {
    "acl_rt";

    /// The default context of the device becomes current for the thread.
    "8.1" fn aclrtSetDevice(device_id: i32) {
        device(device_id)?.set()
    }

    /// Takes one `aclrtSetDevice` back; the last one ends the default context.
    "8.1" fn aclrtResetDevice(device_id: i32) {
        device(device_id)?.reset()
    }

    /// Ends all contexts of the device without waiting.
    "8.1" fn aclrtResetDeviceForce(device_id: i32) {
        device(device_id)?.reset_by_force();
        Ok(())
    }

    /// The device of the current context.
    "8.1" fn aclrtGetDevice(device_id: Out<i32>) {
        device_id.set("deviceId", thread::context()?.device.cast_signed())
    }

    /// How many devices there are.
    "8.1" fn aclrtGetDeviceCount(count: Out<u32>) {
        count.set("count", config().map_err(Failure::argument)?.devices)
    }

    /// Waits for all streams of the current device.
    "8.1" fn aclrtSynchronizeDevice() {
        counters().synchronises();
        stream::synchronise_device(None)
    }

    /// Waits for all streams of the current device, milliseconds at most; −1 for ever.
    "8.1" fn aclrtSynchronizeDeviceWithTimeout(timeout: i32) {
        counters().synchronises();
        stream::synchronise_device(milliseconds(timeout)?)
    }

    /// How busy the simulated cores were since the last call. Cube and vector cores are not told apart.
    "8.1" fn aclrtGetDeviceUtilizationRate(device_id: i32, info: Out<Utilization>) {
        let busy = device(device_id)?.utilisation();
        info.set("utilizationInfo", Utilization {
            cube: busy,
            vector: busy,
            ai_cpu: 0,
            memory: -1,
            extension: std::ptr::null_mut(),
        })
    }

    /// 0 for a device that works, 1 for one that is lost.
    "8.1" fn aclrtQueryDeviceStatus(device_id: i32, status: Out<i32>) {
        status.set("deviceStatus", device(device_id)?.is_lost().into())
    }

    /// An attribute by its `aclrtDevAttr`.
    "8.5" fn aclrtGetDeviceInfo(device_id: u32, attribute: i32, value: Out<i64>) {
        let device = of(device_id)?;
        let (cube, vector, cache) = super::info::cores();
        // ACL_DEV_ATTR_*, as open-source programs declare them.
        let found = match attribute {
            1 => 8,
            101 | 102 => cube,
            201 => vector,
            204 => 192 << 10,
            301 => space(device.id)?.capacity().cast_signed(),
            302 => cache,
            402 => i64::from(device.id),
            501 => 0,
            _ => {
                let message = format!("attr is {attribute}, which the simulated device does not have");
                return Err(Failure::parameter(message));
            }
        };
        value.set("value", found)
    }

    /// Sixteen bytes that tell devices apart: the word `ascend-sim`, and the number.
    "8.5" fn aclrtDeviceGetUuid(device_id: i32, uuid: Out<[u8; 16]>) {
        let device = device(device_id)?;
        let mut bytes = *b"ascend-sim\0\0\0\0\0\0";
        bytes[12..].copy_from_slice(&device.id.to_be_bytes());
        uuid.set("uuid", bytes)
    }

    /// Whether two devices can reach each other: any two different ones can.
    "8.1" fn aclrtDeviceCanAccessPeer(can: Out<i32>, device_id: i32, peer: i32) {
        let (one, other) = (device(device_id)?, device(peer)?);
        can.set("canAccessPeer", (one.id != other.id).into())
    }

    /// Lets the current device reach the memory of another.
    "8.1" fn aclrtDeviceEnablePeerAccess(peer: i32, flags: u32) {
        let context = thread::usable_context()?;
        let peer = device(peer)?;
        if flags != 0 {
            return Err(Failure::parameter(format!("flags is {flags}, expected 0")));
        }
        if peer.id == context.device {
            return Err(Failure::parameter("peerDeviceId is the current device"));
        }
        peers().enable(context.device, peer.id);
        Ok(())
    }

    /// Ends it.
    "8.1" fn aclrtDeviceDisablePeerAccess(peer: i32) {
        let context = thread::usable_context()?;
        if peers().disable(context.device, device(peer)?.id) {
            return Ok(());
        }
        Err(Failure::parameter(format!("access to device {peer} was not enabled")))
    }

    /// How floats overflow: kept, and without effect, as results have infinities.
    "8.1" fn aclrtSetDeviceSatMode(mode: i32) {
        thread::usable_context()?;
        if !(0..=2).contains(&mode) {
            return Err(Failure::parameter(format!("mode is {mode}, expected 0 to 2")));
        }
        SATURATION.store(mode, Ordering::Relaxed);
        Ok(())
    }

    /// What was set, 1 (with infinities) at first.
    "8.1" fn aclrtGetDeviceSatMode(mode: Out<i32>) {
        thread::usable_context()?;
        mode.set("mode", SATURATION.load(Ordering::Relaxed))
    }

    /// Seconds that a kernel may take.
    "8.1" fn aclrtSetOpExecuteTimeOut(timeout: u32) {
        launch::set_execute_timeout(u64::from(timeout) * 1000);
        Ok(())
    }

    /// Milliseconds that a kernel may take.
    "8.1" fn aclrtSetOpExecuteTimeOutWithMs(timeout: u32) {
        launch::set_execute_timeout(timeout.into());
        Ok(())
    }

    /// Seconds that a stream may wait for an event; accepted, and without effect.
    "8.1" fn aclrtSetOpWaitTimeout(_timeout: u32) {
        Ok(())
    }

    /// Cores that a stream may use; checked against what there is, and without effect.
    "8.5" fn aclrtSetStreamResLimit(stream: Raw, kind: i32, value: u32) {
        stream::find(crate::runtime::registry::handle(stream))?;
        let (cube, vector, _) = super::info::cores();
        let most = match kind {
            0 => cube,
            1 => vector,
            _ => return Err(Failure::parameter(format!("type is {kind}, expected 0 or 1"))),
        };
        if value == 0 || i64::from(value) > most {
            let soc = machine().soc_name.to_string_lossy();
            let message = format!("value is {value}, {soc} has {most} such cores");
            return Err(Failure::parameter(message));
        }
        Ok(())
    }
}

/// A time limit: −1 is none.
pub(super) fn milliseconds(timeout: i32) -> Result<Option<Duration>, Failure> {
    match u64::try_from(timeout) {
        Ok(milliseconds) => Ok(Some(Duration::from_millis(milliseconds))),
        Err(_) if timeout == -1 => Ok(None),
        Err(_) => Err(Failure::parameter(format!("timeout is {timeout}, expected -1 or more"))),
    }
}
