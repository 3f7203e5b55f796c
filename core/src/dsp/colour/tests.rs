use super::*;
use crate::node::testing::Random;

const MATRICES: [(Matrix, f64, f64); 2] =
    [(Matrix::Bt601, 0.299, 0.114), (Matrix::Bt709, 0.2126, 0.0722)];

fn convert(
    [from, to]: [PixelFormat; 2],
    (matrix, range): (Matrix, Range),
    (width, height): (u32, u32),
    input: &[u8],
) -> Vec<u8> {
    let mut output = vec![7; to.frame_bytes(width, height)];
    let converter = Converter::new(from, to, matrix, range);
    converter.run(width as usize, height as usize, input, &mut output);
    output
}

fn noise(random: &mut Random, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| random.below(256) as u8).collect()
}

/// Mean square error as dB below full scale.
fn decibels(a: &[u8], b: &[u8]) -> f64 {
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let mean = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

/// A picture without hard edges, as photographs are, in rgb24.
fn soft(width: u32, height: u32) -> Vec<u8> {
    let wave = |x: u32, y: u32, c: u32| {
        let phase = f64::from(x) / 17.0 + f64::from(y) / 13.0 + f64::from(c) * 2.1;
        (128.0 + 100.0 * phase.sin()) as u8
    };
    (0..width * height * 3).map(|i| wave(i / 3 % width, i / 3 / width, i % 3)).collect()
}

#[test]
fn luma_and_chroma_are_within_rounding_of_the_formula_and_so_are_the_colours() {
    let mut random = Random::new(1);
    for (matrix, r, b) in MATRICES {
        for range in [Range::Limited, Range::Full] {
            let (black, steps, chroma) = match range {
                Range::Limited => (16.0, 219.0, 224.0),
                Range::Full => (0.0, 255.0, 255.0),
            };
            for _ in 0..5_000 {
                let pixel = noise(&mut random, 3);
                let yuv = convert(RGB_I420, (matrix, range), (1, 1), &pixel);
                let [red, green, blue] = [0, 1, 2].map(|c| f64::from(pixel[c]) / 255.0);
                let luma = r * red + (1.0 - r - b) * green + b * blue;
                let y = black + steps * luma;
                let u = 128.0 + chroma * (blue - luma) / (2.0 * (1.0 - b));
                let v = 128.0 + chroma * (red - luma) / (2.0 * (1.0 - r));
                near(&yuv, &[y, u, v]);

                let yuv = noise(&mut random, 3);
                let luma = (f64::from(yuv[0]) - black) / steps;
                let [u, v] = [1, 2].map(|c| (f64::from(yuv[c]) - 128.0) / chroma);
                let (blue, red) = (luma + u * 2.0 * (1.0 - b), luma + v * 2.0 * (1.0 - r));
                let green = (luma - r * red - b * blue) / (1.0 - r - b);
                let pixel = convert(I420_RGB, (matrix, range), (1, 1), &yuv);
                near(&pixel, &[red, green, blue].map(|x| x * 255.0));
            }
        }
    }
}

const RGB_I420: [PixelFormat; 2] = [PixelFormat::Rgb24, PixelFormat::I420];
const I420_RGB: [PixelFormat; 2] = [PixelFormat::I420, PixelFormat::Rgb24];

fn near(found: &[u8], expected: &[f64]) {
    for (found, expected) in found.iter().zip(expected) {
        let distance = (f64::from(*found) - expected.clamp(0.0, 255.0)).abs();
        assert!(distance < 0.51, "{found} for {expected}");
    }
}

#[test]
fn red_and_white_have_the_values_of_the_standards() {
    let yuv = |matrix, range, pixel| convert(RGB_I420, (matrix, range), (1, 1), pixel);
    assert_eq!(yuv(Matrix::Bt601, Range::Limited, &[255, 0, 0]), [81, 90, 240]);
    assert_eq!(yuv(Matrix::Bt709, Range::Limited, &[255, 0, 0]), [63, 102, 240]);
    assert_eq!(yuv(Matrix::Bt601, Range::Full, &[255, 0, 0]), [76, 85, 255]);
    assert_eq!(yuv(Matrix::Bt709, Range::Limited, &[255; 3]), [235, 128, 128]);
    assert_eq!(yuv(Matrix::Bt601, Range::Limited, &[0; 3]), [16, 128, 128]);
}

// What ffmpeg 5.1 makes of the picture: `scale=flags=accurate_rnd+full_chroma_int+bitexact+area`
// with out_color_matrix and out_range, and back with `neighbor` in place of `area`.
#[test]
fn ffmpeg_is_at_most_one_step_away() {
    let picture: Vec<u8> = (0..72).map(|i: usize| ((i * i * 7 + i * 13) % 256) as u8).collect();
    let check = |formats, how, input: &[u8], expected: &[u8]| {
        let found = convert(formats, how, (6, 4), input);
        assert_eq!(found.len(), expected.len());
        let most = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(1), "{how:?} {formats:?}: {most:?}");
    };
    let how = (Matrix::Bt601, Range::Limited);
    let yuv = [
        31, 148, 129, 113, 90, 200, 199, 85, 146, 159, 150, 96, 84, 155, 140, 104, 85, 150, 128,
        189, 163, 117, 88, 142, 157, 131, 115, 96, 127, 157, 107, 130, 124, 120, 134, 147,
    ];
    let rgb = [
        0, 23, 76, 120, 159, 212, 135, 129, 138, 116, 110, 119, 80, 95, 60, 208, 223, 188, 180,
        219, 255, 47, 86, 139, 155, 149, 157, 170, 164, 173, 150, 164, 130, 87, 101, 67, 66, 98,
        15, 149, 181, 97, 154, 140, 142, 112, 98, 100, 111, 54, 139, 186, 129, 215, 118, 149, 66,
        189, 220, 137, 181, 167, 169, 127, 113, 116, 114, 57, 142, 177, 120, 205,
    ];
    check(RGB_I420, how, &picture, &yuv);
    check(I420_RGB, how, &yuv, &rgb);
    let how = (Matrix::Bt709, Range::Full);
    let yuv = [
        18, 156, 146, 97, 83, 213, 213, 83, 133, 183, 175, 91, 79, 175, 159, 86, 66, 154, 130, 214,
        186, 101, 69, 144, 159, 132, 112, 90, 127, 164, 106, 130, 122, 116, 134, 153,
    ];
    let rgb = [
        0, 22, 76, 121, 160, 214, 149, 144, 153, 100, 95, 104, 74, 89, 53, 204, 219, 183, 178, 217,
        255, 48, 87, 141, 136, 131, 140, 186, 181, 190, 166, 181, 145, 82, 97, 61, 60, 92, 8, 156,
        188, 104, 168, 156, 157, 95, 83, 84, 105, 48, 133, 193, 136, 221, 111, 143, 59, 195, 227,
        143, 195, 183, 184, 110, 98, 99, 108, 51, 136, 183, 126, 211,
    ];
    check(RGB_I420, how, &picture, &yuv);
    check(I420_RGB, how, &yuv, &rgb);
    let gray = [
        18, 154, 131, 113, 86, 214, 213, 81, 152, 166, 156, 93, 79, 162, 145, 103, 81, 156, 130,
        201, 171, 117, 84, 147,
    ];
    let how = (Matrix::Bt601, Range::Full);
    check([PixelFormat::Rgb24, PixelFormat::Gray8], how, &picture, &gray);
}

#[test]
fn what_holds_all_comes_back_as_it_was_at_every_size() {
    use PixelFormat::{Bgr24, Bgra, Gray8, I420, Nv12, Rgb24, Rgba};
    let mut random = Random::new(2);
    let lossless = [
        [Rgb24, Bgr24],
        [Rgb24, Rgba],
        [Rgb24, Bgra],
        [Bgr24, Rgba],
        [Bgr24, Bgra],
        [Rgba, Bgra],
        [Gray8, Rgb24],
        [Gray8, Bgra],
        [I420, Nv12],
        [Nv12, I420],
    ];
    for n in 1..=33 {
        let size = (n, n * 7 % 33 + 1);
        for [from, to] in lossless {
            let how = (Matrix::Bt709, Range::Limited);
            let input = noise(&mut random, from.frame_bytes(size.0, size.1));
            let there = convert([from, to], how, size, &input);
            assert_eq!(convert([to, from], how, size, &there), input, "{from:?} {to:?}");
        }
        // Without a range, gray is luma itself.
        let how = (Matrix::Bt601, Range::Full);
        let input = noise(&mut random, Gray8.frame_bytes(size.0, size.1));
        let there = convert([Gray8, Nv12], how, size, &input);
        assert_eq!(convert([Nv12, Gray8], how, size, &there), input);
    }
}

// As much as half of the chroma leaves, reckoned in real numbers: 36.6 dB with BT.601, 36.0 dB
// with BT.709.
#[test]
fn soft_pictures_survive_a_round_trip_by_way_of_every_chroma() {
    let mut worst = f64::INFINITY;
    for (matrix, ..) in MATRICES {
        for (range, size) in
            [(Range::Limited, (33, 31)), (Range::Full, (33, 31)), (Range::Full, (64, 64))]
        {
            for yuv in [PixelFormat::I420, PixelFormat::Nv12] {
                let picture = soft(size.0, size.1);
                let there = convert([PixelFormat::Rgb24, yuv], (matrix, range), size, &picture);
                let back = convert([yuv, PixelFormat::Rgb24], (matrix, range), size, &there);
                worst = worst.min(decibels(&picture, &back));
            }
        }
    }
    assert!(worst > 35.9, "{worst:.1} dB");
}

#[test]
fn the_way_by_another_format_makes_no_difference_at_odd_sizes() {
    let mut random = Random::new(4);
    let how = (Matrix::Bt601, Range::Limited);
    for n in 1..=33 {
        let size = (n * 5 % 33 + 1, n);
        let rgb = noise(&mut random, PixelFormat::Rgb24.frame_bytes(size.0, size.1));
        for yuv in [PixelFormat::I420, PixelFormat::Nv12] {
            let straight = convert([PixelFormat::Rgb24, yuv], how, size, &rgb);
            for packed in [PixelFormat::Bgr24, PixelFormat::Rgba, PixelFormat::Bgra] {
                let other = convert([PixelFormat::Rgb24, packed], how, size, &rgb);
                assert_eq!(convert([packed, yuv], how, size, &other), straight, "{packed:?}");
                let back = convert([yuv, packed], how, size, &straight);
                let rgb = convert([yuv, PixelFormat::Rgb24], how, size, &straight);
                assert_eq!(convert([packed, PixelFormat::Rgb24], how, size, &back), rgb);
            }
        }
    }
}
