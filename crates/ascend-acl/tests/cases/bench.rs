//! Numbers to compute with, and the comparison.

use std::cell::Cell;
use std::fmt;

use ascend_acl::Error;
use ascend_acl::op::Tensor;
use ascend_acl::rt::{Device, DeviceBuffer, Element, Stream};
use half::{bf16, f16};

/// A device, a stream, and a source of numbers.
pub struct Bench<'d> {
    pub device: &'d Device,
    pub stream: &'d Stream,
    seed: Cell<u64>,
}

/// Why a case did not pass.
#[derive(Debug)]
pub enum Failure {
    /// The installed release does not have an operator.
    Missing(&'static str),
    /// It is not for this chip.
    NotHere(String),
    /// A call failed.
    Call(Error),
    /// A number is wrong.
    Wrong(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::MissingSymbol(missing) => Self::Missing(missing.signature().name),
            error => Self::Call(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(symbol) => write!(f, "{symbol} is not there"),
            Self::NotHere(why) => f.write_str(why),
            Self::Call(error) => write!(f, "{error}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

/// A type of floats, and how far a result may be off: some units in the last place, relative to numbers of 1 and more.
pub trait Float: Element {
    const TOLERANCE: f32;
    fn of(value: f32) -> Self;
    fn wide(self) -> f32;
}

impl Float for f32 {
    // Sums in another order, and exponentials of hardware.
    const TOLERANCE: f32 = 2e-4;
    fn of(value: f32) -> Self {
        value
    }
    fn wide(self) -> f32 {
        self
    }
}

impl Float for bf16 {
    const TOLERANCE: f32 = 1.0 / 64.0;
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
    fn wide(self) -> f32 {
        self.to_f32()
    }
}

impl Float for f16 {
    const TOLERANCE: f32 = 1.0 / 256.0;
    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
    fn wide(self) -> f32 {
        self.to_f32()
    }
}

/// Numbers on both sides.
pub struct Both<T> {
    pub host: Vec<f32>,
    pub there: DeviceBuffer<T>,
    shape: Vec<usize>,
}

impl<T: Element> Both<T> {
    pub fn tensor(&self) -> Result<Tensor<'_>, Error> {
        self.there.tensor(&self.shape)
    }
}

impl<'d> Bench<'d> {
    pub fn new(device: &'d Device, stream: &'d Stream) -> Self {
        Self { device, stream, seed: Cell::new(1) }
    }

    /// A number that looks random, of 24 bits.
    pub fn draw(&self) -> u64 {
        // Xorshift (Marsaglia 2003).
        let mut state = self.seed.get().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        self.seed.set(self.seed.get() + 1);
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40
    }

    /// Floats between −`limit` and `limit`.
    pub fn floats<T: Float>(&self, shape: &[usize], limit: f32) -> Result<Both<T>, Error> {
        let len = shape.iter().product();
        let unit = || self.draw() as f32 / (1 << 23) as f32 - 1.0;
        self.both(shape, (0..len).map(|_| unit() * limit).collect())
    }

    /// These numbers, rounded to the type.
    pub fn both<T: Float>(&self, shape: &[usize], numbers: Vec<f32>) -> Result<Both<T>, Error> {
        let narrow: Vec<T> = numbers.into_iter().map(T::of).collect();
        let there = DeviceBuffer::from_slice(self.device, &narrow)?;
        let host = narrow.into_iter().map(T::wide).collect();
        Ok(Both { host, there, shape: shape.to_vec() })
    }

    /// Memory for a result.
    pub fn out<T: Element>(&self, len: usize) -> Result<DeviceBuffer<T>, Error> {
        DeviceBuffer::new(self.device, len)
    }

    /// Numbers of another type on the device.
    pub fn put<T: Element>(&self, numbers: &[T]) -> Result<DeviceBuffer<T>, Error> {
        DeviceBuffer::from_slice(self.device, numbers)
    }

    /// Whether the device is of a generation.
    pub fn is_950(&self) -> Result<bool, Error> {
        Ok(self.device.soc_name()?.starts_with("Ascend950"))
    }
}

/// Compares a result with what is expected.
pub fn close<T: Float>(what: &str, got: &DeviceBuffer<T>, want: &[f32]) -> Result<(), Failure> {
    close_within(what, got, want, T::TOLERANCE)
}

/// [`close`] with a tolerance of its own.
pub fn close_within<T: Float>(
    what: &str,
    got: &DeviceBuffer<T>,
    want: &[f32],
    tolerance: f32,
) -> Result<(), Failure> {
    let got: Vec<f32> = got.to_vec()?.into_iter().map(T::wide).collect();
    if got.len() != want.len() {
        return Err(Failure::Wrong(format!(
            "{what}: {} numbers, expected {}",
            got.len(),
            want.len()
        )));
    }
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let same = got == want || (got - want).abs() <= tolerance * want.abs().max(1.0);
        if !same {
            return Err(Failure::Wrong(format!("{what}: element {at} is {got}, expected {want}")));
        }
    }
    Ok(())
}

/// Compares integers.
pub fn same<T: Element + PartialEq + fmt::Debug>(
    what: &str,
    got: &DeviceBuffer<T>,
    want: &[T],
) -> Result<(), Failure> {
    let got = got.to_vec()?;
    match got.iter().zip(want).position(|(got, want)| got != want) {
        None if got.len() == want.len() => Ok(()),
        None => {
            Err(Failure::Wrong(format!("{what}: {} numbers, expected {}", got.len(), want.len())))
        }
        Some(at) => Err(Failure::Wrong(format!(
            "{what}: element {at} is {:?}, expected {:?}",
            got[at], want[at]
        ))),
    }
}
