//! Percentiles of what was measured.

/// Sorts the values and gives the one in the middle.
///
/// # Panics
/// If there is none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Sorts the values and gives those below which the shares `shares` (0…1) of them lie.
///
/// # Panics
/// If there is no value.
pub fn percentiles<const N: usize>(values: &mut [u64], shares: [f64; N]) -> [u64; N] {
    values.sort_unstable();
    shares.map(|share| values[(share * (values.len() - 1) as f64).round() as usize])
}
