//! Copies and fills.

use super::pointer::{Address, In, Out, Raw};
use crate::kernel::Cost;
use crate::runtime::failure::Failure;
use crate::runtime::memory::{Access, View};
use crate::runtime::registry::handle;
use crate::runtime::stream;
use crate::runtime::transfer::{self, Copy, Fill};
use crate::runtime::work::{Run, Work};

export! {
    "acl_rt";

    /// Copies, whatever streams do.
    "8.1" fn aclrtMemcpy(to: Address, room: usize, from: Address, count: usize, kind: i32) {
        match one(to, room, from, count, kind)? {
            Some(copy) => transfer::copy_now(&[copy]),
            None => Ok(()),
        }
    }

    /// Leaves a copy to a stream; one of pageable host memory is waited for.
    "8.1" fn aclrtMemcpyAsync(
        to: Address, room: usize, from: Address, count: usize, kind: i32, stream: Raw,
    ) {
        match one(to, room, from, count, kind)? {
            Some(copy) => transfer::copy_later(vec![copy], handle(stream)),
            None => stream::find(handle(stream)).map(drop),
        }
    }

    /// Copies rows.
    "8.1" fn aclrtMemcpy2d(
        to: Address, to_pitch: usize, from: Address, from_pitch: usize, width: usize,
        height: usize, kind: i32,
    ) {
        transfer::copy_now(&rows(to, to_pitch, from, from_pitch, width, height, kind)?)
    }

    /// Leaves a copy of rows to a stream.
    "8.1" fn aclrtMemcpy2dAsync(
        to: Address, to_pitch: usize, from: Address, from_pitch: usize, width: usize,
        height: usize, kind: i32, stream: Raw,
    ) {
        let rows = rows(to, to_pitch, from, from_pitch, width, height, kind)?;
        transfer::copy_later(rows, handle(stream))
    }

    /// Copies between several places; the attributes are not read, as places are known by their addresses.
    "8.5" fn aclrtMemcpyBatch(
        to: In<Address>, rooms: In<usize>, from: In<Address>, sizes: In<usize>, count: usize,
        _attributes: Raw, _indexes: In<usize>, _attribute_count: usize, failed: Out<usize>,
    ) {
        transfer::copy_now(&batch(to, rooms, from, sizes, count, failed)?)
    }

    /// Leaves copies between several places to a stream.
    "8.5" fn aclrtMemcpyBatchAsync(
        to: In<Address>, rooms: In<usize>, from: In<Address>, sizes: In<usize>, count: usize,
        _attributes: Raw, _indexes: In<usize>, _attribute_count: usize, failed: Out<usize>,
        stream: Raw,
    ) {
        let copies = batch(to, rooms, from, sizes, count, failed)?;
        transfer::copy_later(copies, handle(stream))
    }

    /// Sets bytes of device memory.
    "8.1" fn aclrtMemset(target: Raw, room: usize, value: i32, count: usize) {
        transfer::fill_now(fill(target, room, value, count)?)
    }

    /// Leaves setting bytes to a stream.
    "8.1" fn aclrtMemsetAsync(target: Raw, room: usize, value: i32, count: usize, stream: Raw) {
        transfer::fill_later(fill(target, room, value, count)?, handle(stream))
    }

    /// Moves memory into the cache or out of it: checks the addresses, and does nothing.
    "8.1" fn aclrtCmoAsync(source: Raw, size: usize, kind: i32, stream: Raw) {
        if source.is_null() {
            return Err(Failure::null("src"));
        }
        if !(0..=3).contains(&kind) {
            return Err(Failure::parameter(format!("cmoType is {kind}, expected 0 to 3")));
        }
        let stream = stream::find(handle(stream))?;
        View { device: stream.device }
            .check(handle(source), size as u64, Access::Read)
            .map_err(|why| Failure::parameter(format!("src: {why}")))?;
        let work = Work::new("aclrtCmoAsync", |_: &Run<'_>| Ok(()));
        stream.submit(Work { cost: Cost::default(), ..work })
    }
}

fn one(
    to: Address,
    room: usize,
    from: Address,
    count: usize,
    kind: i32,
) -> Result<Option<Copy>, Failure> {
    to.check("dst")?;
    from.check("src")?;
    let copy =
        Copy::new(to.span(count.min(room)), room as u64, from.span(count), count as u64, kind)?;
    Ok((count > 0).then_some(copy))
}

fn rows(
    to: Address,
    to_pitch: usize,
    from: Address,
    from_pitch: usize,
    width: usize,
    height: usize,
    kind: i32,
) -> Result<Vec<Copy>, Failure> {
    to.check("dst")?;
    from.check("src")?;
    if width == 0 || height == 0 || width > to_pitch || width > from_pitch {
        return Err(Failure::parameter(format!(
            "width {width}, height {height}, dpitch {to_pitch}, spitch {from_pitch}: expected 0 < width <= both pitches and 0 < height"
        )));
    }
    let row = |row: usize| {
        let at = |start: Address, pitch: usize| {
            let offset = row.checked_mul(pitch).ok_or_else(|| {
                Failure::parameter(format!("height {height} times pitch {pitch} is too much"))
            })?;
            start.offset(offset)
        };
        let (to, from) = (at(to, to_pitch)?, at(from, from_pitch)?);
        Copy::new(to.span(width), to_pitch as u64, from.span(width), width as u64, kind)
    };
    (0..height).map(row).collect()
}

fn batch(
    to: In<Address>,
    rooms: In<usize>,
    from: In<Address>,
    sizes: In<usize>,
    count: usize,
    failed: Out<usize>,
) -> Result<Vec<Copy>, Failure> {
    const DEFAULT: i32 = 4;
    let count = count as u64;
    let (to, from) = (to.values("dsts", count)?, from.values("srcs", count)?);
    let (rooms, sizes) = (rooms.values("destMaxs", count)?, sizes.values("sizes", count)?);
    failed.set_if_wanted(usize::MAX);
    let mut copies = Vec::new();
    for index in 0..to.len() {
        let copy = one(to[index], rooms[index], from[index], sizes[index], DEFAULT);
        match copy {
            Ok(copy) => copies.extend(copy),
            Err(failure) => {
                failed.set_if_wanted(index);
                let message = format!("copy {index}: {}", failure.message);
                return Err(Failure { message, ..failure });
            }
        }
    }
    Ok(copies)
}

fn fill(target: Raw, room: usize, value: i32, count: usize) -> Result<Fill, Failure> {
    if target.is_null() {
        return Err(Failure::null("devPtr"));
    }
    Fill::new(handle(target), room as u64, value, count as u64)
}
