use crate::Tensors;

/// Asserts that two byte strings are equal, and says where they first differ if not.
///
/// # Panics
///
/// When they differ in length or in a byte.
#[track_caller]
pub fn assert_bytes(what: &str, actual: &[u8], expected: &[u8]) {
    if let Some(at) = actual.iter().zip(expected).position(|(a, b)| a != b) {
        let differing = actual.iter().zip(expected).filter(|(a, b)| a != b).count();
        panic!(
            "{what}: byte {at} is {:#04x}, not {:#04x}; {differing} bytes differ",
            actual[at], expected[at]
        );
    }
    assert_eq!(actual.len(), expected.len(), "{what}: length in bytes");
}

/// Asserts that two sets of tensors have the same names, types, shapes and bytes.
///
/// # Panics
///
/// On the first difference, with the name of the tensor.
#[track_caller]
pub fn assert_tensors(actual: &Tensors, expected: &Tensors) {
    for name in actual.keys() {
        assert!(expected.contains_key(name), "unexpected tensor {name}");
    }
    for (name, expected) in expected {
        let Some(actual) = actual.get(name) else { panic!("tensor {name} is missing") };
        assert_eq!(actual.dtype, expected.dtype, "{name}: element type");
        assert_eq!(actual.shape, expected.shape, "{name}: shape");
        assert_bytes(name, &actual.bytes, &expected.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tiny;

    #[test]
    #[should_panic(expected = "x: byte 2 is 0x03, not 0x04; 1 bytes differ")]
    fn a_byte_is_named() {
        assert_bytes("x", &[1, 2, 3, 5], &[1, 2, 4, 5]);
    }

    #[test]
    #[should_panic(expected = "length in bytes")]
    fn lengths_are_compared() {
        assert_bytes("x", &[1, 2], &[1, 2, 4]);
    }

    #[test]
    #[should_panic(expected = "tensor lm_head.weight is missing")]
    fn a_missing_tensor_is_named() {
        let tiny = Tiny::builder().build();
        let mut fewer = tiny.tensors().clone();
        fewer.remove("lm_head.weight");
        assert_tensors(&fewer, tiny.tensors());
    }

    #[test]
    #[should_panic(expected = "unexpected tensor lm_head.weight")]
    fn an_unexpected_tensor_is_named() {
        let tiny = Tiny::builder().build();
        let mut fewer = tiny.tensors().clone();
        fewer.remove("lm_head.weight");
        assert_tensors(tiny.tensors(), &fewer);
    }
}
