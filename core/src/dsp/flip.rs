//! Turns planes of pixels over, in place.

use super::picture::Plane;

/// How a picture is turned over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
    /// Both: half a turn.
    Both,
}

/// Turns the plane's bytes over.
///
/// # Panics
/// If they are fewer than its pixels.
///
/// # Real-time
/// rt-safe.
pub fn flip(plane: &Plane, bytes: &mut [u8], how: Flip) {
    match plane.pixel {
        1 => turn::<1>(plane, bytes, how),
        2 => turn::<2>(plane, bytes, how),
        3 => turn::<3>(plane, bytes, how),
        _ => turn::<4>(plane, bytes, how),
    }
}

fn turn<const N: usize>(plane: &Plane, bytes: &mut [u8], how: Flip) {
    let pixels = &mut bytes.as_chunks_mut::<N>().0[..plane.width * plane.height];
    match how {
        Flip::Horizontal => pixels.chunks_exact_mut(plane.width).for_each(<[_]>::reverse),
        Flip::Both => pixels.reverse(),
        Flip::Vertical => {
            let (upper, lower) = pixels.split_at_mut(plane.height / 2 * plane.width);
            let upper = upper.chunks_exact_mut(plane.width);
            upper.zip(lower.rchunks_exact_mut(plane.width)).for_each(|(a, b)| a.swap_with_slice(b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flipped(width: usize, height: usize, pixel: usize, how: Flip) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..width * height * pixel).map(|i| i as u8).collect();
        flip(&Plane { start: 0, width, height, pixel }, &mut bytes, how);
        bytes
    }

    #[test]
    fn two_rows_of_three_are_turned_over() {
        assert_eq!(flipped(3, 2, 1, Flip::Horizontal), [2, 1, 0, 5, 4, 3]);
        assert_eq!(flipped(3, 2, 1, Flip::Vertical), [3, 4, 5, 0, 1, 2]);
        assert_eq!(flipped(3, 2, 1, Flip::Both), [5, 4, 3, 2, 1, 0]);
        assert_eq!(flipped(2, 1, 3, Flip::Horizontal), [3, 4, 5, 0, 1, 2]);
    }

    #[test]
    fn every_pixel_of_every_size_comes_to_its_place() {
        for how in [Flip::Horizontal, Flip::Vertical, Flip::Both] {
            let (sideways, down) = (how != Flip::Vertical, how != Flip::Horizontal);
            for n in 0..33 * 4 {
                let (width, height, pixel) = (n / 4 + 1, n * 7 % 33 + 1, n % 4 + 1);
                let out = flipped(width, height, pixel, how);
                for (i, found) in out.iter().enumerate() {
                    let (x, y, c) = (i / pixel % width, i / pixel / width, i % pixel);
                    let x = if sideways { width - 1 - x } else { x };
                    let y = if down { height - 1 - y } else { y };
                    assert_eq!(*found, ((y * width + x) * pixel + c) as u8, "{width}×{height}");
                }
            }
        }
    }
}
