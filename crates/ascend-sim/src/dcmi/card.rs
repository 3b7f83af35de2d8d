//! Cards and the devices on them.

use super::status::Error;
use crate::profile::Soc;
use crate::runtime::config::machine;

/// A card of A3 has two dies, which are devices; the others have one.
fn per_card() -> u32 {
    if machine().soc == Soc::Ascend910_93 { 2 } else { 1 }
}

/// How many cards there are.
pub(super) fn cards() -> u32 {
    machine().devices.div_ceil(per_card())
}

/// How many devices a card has.
pub(super) fn devices_on(card: i32) -> Result<u32, Error> {
    let card = u32::try_from(card).map_err(|_| Error::InvalidParameter)?;
    let before = card.checked_mul(per_card()).ok_or(Error::InvalidParameter)?;
    let left = machine().devices.saturating_sub(before);
    if left == 0 { Err(Error::NoSuchDevice) } else { Ok(left.min(per_card())) }
}

/// The number that the runtime has for a device of a card.
pub(super) fn logical(card: i32, device: i32) -> Result<u32, Error> {
    let count = devices_on(card)?;
    let device = u32::try_from(device).map_err(|_| Error::InvalidParameter)?;
    if device < count {
        Ok(card.cast_unsigned() * per_card() + device)
    } else {
        Err(Error::NoSuchDevice)
    }
}

/// Card and device of a number of the runtime.
pub(super) fn place(logical: u32) -> Result<(i32, i32), Error> {
    exists(logical)?;
    Ok(((logical / per_card()).cast_signed(), (logical % per_card()).cast_signed()))
}

/// Refuses the number of a device that there is not.
pub(super) fn exists(logical: u32) -> Result<u32, Error> {
    if logical < machine().devices { Ok(logical) } else { Err(Error::NoSuchDevice) }
}
