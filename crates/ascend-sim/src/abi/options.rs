//! System parameters, which are kept and change nothing: results are deterministic here.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::runtime::failure::Failure;
use crate::sync::lock;

type Values = HashMap<(Option<u64>, i32), i64>;

static VALUES: Mutex<Option<Values>> = Mutex::new(None);

/// Keeps the value of an option, of the process or of a context.
pub(super) fn set(context: Option<u64>, option: i32, value: i64) -> Result<(), Failure> {
    check(option)?;
    lock(&VALUES).get_or_insert_default().insert((context, option), value);
    Ok(())
}

/// The value that was set.
pub(super) fn get(context: Option<u64>, option: i32) -> Result<i64, Failure> {
    check(option)?;
    let value = lock(&VALUES).as_ref().and_then(|values| values.get(&(context, option)).copied());
    value.ok_or_else(|| Failure::new(107_021, format!("opt {option} was not set")))
}

fn check(option: i32) -> Result<(), Failure> {
    if (0..=3).contains(&option) {
        return Ok(());
    }
    Err(Failure::parameter(format!("opt is {option}, expected an aclSysParamOpt, 0 to 3")))
}
