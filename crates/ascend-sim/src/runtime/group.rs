//! Task groups: launches of a graph that can be given other arguments.

use std::sync::{Arc, OnceLock};

use super::failure::Failure;
use super::graph::Slot;
use super::registry::{Kind, Registry, handle as handle_of, pointer};
use super::stream::Stream;
use super::work::Work;
use crate::sync::lock;

/// A live `aclrtTaskGrp`; it lives as long as its graph.
#[derive(Debug)]
pub(crate) struct Group(Vec<Arc<Slot>>);

fn groups() -> &'static Registry<Group> {
    static GROUPS: OnceLock<Registry<Group>> = OnceLock::new();
    GROUPS.get_or_init(|| Registry::new(Kind::TaskGroup))
}

pub(super) fn create(slots: Vec<Arc<Slot>>) -> u64 {
    groups().insert(Group(slots))
}

/// Ends groups.
pub(super) fn forget(handles: &[u64]) {
    for handle in handles {
        groups().remove(*handle);
    }
}

/// `ACL_ERROR_RT_MODEL_UPDATE_FAILED`.
const UPDATE_FAILED: i32 = 107_040;

/// The update of a group: the launches that come instead of those that were captured.
#[derive(Debug)]
pub(crate) struct Update {
    group: Arc<Group>,
    works: Vec<Work>,
}

impl Update {
    /// Takes the next launch; it must be of the operator that was captured there.
    pub(super) fn take(&mut self, work: Work) -> Result<(), Failure> {
        let captured: Vec<Work> = self.group.0.iter().map(|slot| slot.work()).collect();
        let at = self.works.len();
        match captured.get(at) {
            Some(old) if old.name == work.name && work.launch => {
                self.works.push(work);
                Ok(())
            }
            expected => Err(Failure::new(
                UPDATE_FAILED,
                format!(
                    "{} is task {at} of the update, where {} was captured",
                    work.name,
                    expected.map_or("nothing", |work| &work.name)
                ),
            )),
        }
    }
}

/// `aclmdlRICaptureTaskUpdateBegin`: launches on the stream replace those of the group from now on.
pub(crate) fn begin_update(stream: &Stream, group: u64) -> Result<(), Failure> {
    stream.context()?.usable()?;
    let group = groups().get(group).ok_or_else(|| {
        let what = Kind::describe(pointer(handle_of(pointer(group))));
        Failure::new(107_017, format!("handle is {what}; a task group lives as long as its graph"))
    })?;
    if lock(&stream.capture).is_some() {
        return Err(Failure::new(107_027, "stream is being captured, so it cannot update a graph"));
    }
    let mut update = lock(&stream.update);
    if update.is_some() {
        return Err(Failure::new(107_033, "an update is open on the stream already"));
    }
    *update = Some(Update { group, works: Vec::new() });
    Ok(())
}

/// `aclmdlRICaptureTaskUpdateEnd`: the launches take the place of the old ones when the stream comes here.
pub(crate) fn end_update(stream: &Arc<Stream>) -> Result<(), Failure> {
    let update = lock(&stream.update).take();
    let update = update.ok_or_else(|| Failure::new(107_033, "no update is open on the stream"))?;
    let (new, old) = (update.works.len(), update.group.0.len());
    if new != old {
        let message = format!("the update has {new} launches, the group {old}");
        return Err(Failure::new(UPDATE_FAILED, message));
    }
    let Update { group, works } = update;
    stream.submit(Work::new("aclmdlRICaptureTaskUpdateEnd", move |_| {
        for (slot, work) in group.0.iter().zip(&works) {
            slot.replace(work.clone());
        }
        Ok(())
    }))
}
