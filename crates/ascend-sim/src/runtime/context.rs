//! Contexts: what streams belong to, and what a device fault poisons.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::config::machine;
use super::failure::Failure;
use super::faults::LOST_HEARTBEAT;
use super::registry::{Kind, Registry};
use super::stream::{self, Stream};
use super::{device, thread};
use crate::kernel::Fault;
use crate::sync::lock;

/// A live `aclrtContext`.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) handle: u64,
    pub(crate) device: u32,
    /// Made by `aclrtSetDevice`.
    is_default: bool,
    alive: AtomicBool,
    poison: Mutex<Option<Fault>>,
    default_stream: OnceLock<Arc<Stream>>,
}

fn contexts() -> &'static Registry<Context> {
    static CONTEXTS: OnceLock<Registry<Context>> = OnceLock::new();
    CONTEXTS.get_or_init(|| Registry::new(Kind::Context))
}

/// Makes a context.
pub(crate) fn create(device: u32, is_default: bool) -> Arc<Context> {
    contexts()
        .insert_with(|handle| Context {
            handle,
            device,
            is_default,
            alive: AtomicBool::new(true),
            poison: Mutex::default(),
            default_stream: OnceLock::new(),
        })
        .1
}

/// The live context of a handle.
pub(crate) fn find(handle: u64) -> Option<Arc<Context>> {
    contexts().get(handle)
}

/// The live contexts of a device.
pub(crate) fn of_device(device: u32) -> Vec<Arc<Context>> {
    let mut all = contexts().all();
    all.retain(|context| context.device == device);
    all
}

/// Contexts that programs made and did not destroy.
pub(crate) fn made() -> u64 {
    contexts().all().iter().filter(|context| !context.is_default).count() as u64
}

/// Faults after which a device computes nothing sensible any more.
fn is_sticky(status: i32) -> bool {
    matches!(
        status,
        507_010 | 507_011 | 507_014..=507_018 | 507_034..=507_036 | 507_053 | 507_054 | 507_899
    )
}

impl Context {
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Acquire)
    }

    /// The stream that null stands for.
    pub(crate) fn default_stream(self: &Arc<Self>) -> Arc<Stream> {
        Arc::clone(self.default_stream.get_or_init(|| stream::create_default(self)))
    }

    /// Refuses all but cleaning up once a device fault was reported.
    pub(crate) fn usable(&self) -> Result<(), Failure> {
        match &*lock(&self.poison) {
            None => Ok(()),
            Some(fault) => Err(Failure::new(
                fault.status,
                format!(
                    "context poisoned by an earlier fault, reset the device: {}",
                    fault.message
                ),
            )),
        }
    }

    /// Turns a fault into what the host hears; one of those that stick poisons the context from now on.
    pub(super) fn report(&self, fault: &Fault) -> Failure {
        let mut message = fault.message.clone();
        if is_sticky(fault.status) && !machine().faults.forgive {
            self.poison_with(fault);
            if fault.status == LOST_HEARTBEAT {
                for context in of_device(self.device) {
                    context.poison_with(fault);
                }
            }
            message.push_str("; context poisoned until the device is reset");
        }
        Failure::new(fault.status, message)
    }

    fn poison_with(&self, fault: &Fault) {
        lock(&self.poison).get_or_insert_with(|| fault.clone());
    }

    /// Ends the context and its streams; waits for them unless by force.
    pub(super) fn end(&self, by_force: bool) {
        self.alive.store(false, Ordering::Release);
        for stream in stream::of_context(self.handle) {
            if by_force {
                stream.abort();
            }
            stream.close(!by_force);
        }
        contexts().remove(self.handle);
    }
}

/// `aclrtCreateContext`: the new context becomes current.
pub(crate) fn make(device: i32) -> Result<u64, Failure> {
    let device = device::device(device)?;
    let context = create(device.id, false);
    let handle = context.handle;
    thread::set_context(Some(context));
    Ok(handle)
}

/// `aclrtDestroyContext`.
pub(crate) fn destroy(handle: u64) -> Result<(), Failure> {
    let context = find(handle).ok_or_else(|| unknown(handle))?;
    if context.is_default {
        let message = "context is the default one of its device, which aclrtResetDevice ends";
        return Err(Failure::parameter(message));
    }
    context.end(false);
    Ok(())
}

/// `aclrtSetCurrentContext`.
pub(crate) fn set_current(handle: u64) -> Result<(), Failure> {
    let context = find(handle).ok_or_else(|| unknown(handle))?;
    thread::set_context(Some(context));
    Ok(())
}

fn unknown(handle: u64) -> Failure {
    let what = Kind::describe(super::registry::pointer(handle));
    Failure::new(107_017, format!("context is {what}"))
}
