//! `HcclGroupStart` and `HcclGroupEnd`: what comes between is put on streams at the end, messages of a communicator and stream
//! together, so that ranks may send to each other in any order.

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Arc;

use super::communicator::Communicator;
use super::launch::{self, Collective, Item};
use super::problem::Problem;

thread_local! {
    static GROUP: RefCell<Group> = const { RefCell::new(Group { depth: 0, waiting: Vec::new() }) };
}

struct Group {
    depth: u32,
    waiting: Vec<Waiting>,
}

struct Waiting {
    communicator: Arc<Communicator>,
    stream: *mut c_void,
    what: What,
}

enum What {
    Collective(Collective),
    Messages(&'static str, Vec<Item>),
}

/// Opens a group; groups may be nested.
pub(super) fn start() {
    GROUP.with_borrow_mut(|group| group.depth += 1);
}

/// Closes one; the outermost starts what was collected. The first problem is told, the rest is still started.
pub(super) fn end() -> Result<(), Problem> {
    let waiting = GROUP.with_borrow_mut(|group| {
        group.depth = group
            .depth
            .checked_sub(1)
            .ok_or_else(|| Problem::parameter("HcclGroupEnd without HcclGroupStart"))?;
        Ok::<_, Problem>(if group.depth == 0 {
            std::mem::take(&mut group.waiting)
        } else {
            Vec::new()
        })
    })?;
    let started = waiting.into_iter().map(Waiting::launch).collect::<Vec<_>>();
    started.into_iter().collect()
}

/// Puts a collective on a stream, now or when the group ends.
pub(super) fn collective(
    communicator: Arc<Communicator>,
    stream: *mut c_void,
    collective: Collective,
) -> Result<(), Problem> {
    submit(Waiting { communicator, stream, what: What::Collective(collective) })
}

/// Puts messages on a stream, now or when the group ends.
pub(super) fn messages(
    communicator: Arc<Communicator>,
    stream: *mut c_void,
    name: &'static str,
    items: Vec<Item>,
) -> Result<(), Problem> {
    submit(Waiting { communicator, stream, what: What::Messages(name, items) })
}

fn submit(new: Waiting) -> Result<(), Problem> {
    GROUP.with_borrow_mut(|group| {
        if group.depth == 0 {
            return new.launch();
        }
        if let What::Messages(_, items) = &new.what {
            for old in &mut group.waiting {
                if let What::Messages(_, before) = &mut old.what
                    && Arc::ptr_eq(&old.communicator, &new.communicator)
                    && old.stream == new.stream
                {
                    before.extend_from_slice(items);
                    return Ok(());
                }
            }
        }
        group.waiting.push(new);
        Ok(())
    })
}

impl Waiting {
    fn launch(self) -> Result<(), Problem> {
        let Self { communicator, stream, what } = self;
        match what {
            What::Collective(collective) => launch::collective(&communicator, stream, collective),
            What::Messages(name, items) => launch::messages(&communicator, stream, name, items),
        }
    }
}
