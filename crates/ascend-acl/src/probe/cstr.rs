//! Text that C leaves in arrays.

/// The text before the first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

/// [`text`] of an array of C characters, whose sign depends on the processor.
pub(super) fn text_of_chars(chars: &[std::ffi::c_char]) -> String {
    // `as u8` keeps the bits, whatever the sign.
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast)]
    let bytes: Vec<u8> = chars.iter().map(|&char| char as u8).collect();
    text(&bytes)
}
