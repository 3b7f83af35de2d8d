//! Sizes for people.

/// `13.76 GB`: decimal, as disks and model cards count.
pub fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, "B");
    for larger in ["kB", "MB", "GB", "TB"] {
        // 999.995 would round up to four digits before the point.
        if value < 999.995 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.2} {unit}") }
}

/// `1.10 GB/s`.
pub fn rate(count: u64, seconds: f64) -> String {
    format!("{}/s", bytes((count as f64 / seconds.max(1e-9)) as u64))
}

/// Reads `268435456`, `256MiB`, `256M` (both binary) or `2GB` (decimal).
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits =
        text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(format!("unknown unit {unit:?} (use B, KiB, MiB, GiB, kB, MB, GB)")),
    };
    let wrong = || format!("{text:?} is not a size such as 268435456 or 256MiB");
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(wrong);
    }
    let value = number.parse::<f64>().map_err(|_| wrong())? * factor as f64;
    if value < 9e18 { Ok(value as u64) } else { Err(wrong()) }
}
