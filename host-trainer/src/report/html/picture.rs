//! Small pictures as PNG data URLs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use maud::{Markup, html};

use super::findings::Picture;

/// Class colors: Okabe and Ito, *Color universal design*, 2008, in which the lighter colors are
/// slightly darkened for contrast on white.
const CLASSES: [[u8; 3]; 8] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
    [128, 128, 128],
];

/// Support points of viridis (S. van der Walt and N. Smith, 2015), which is perceptually uniform,
/// also with color vision deficiency.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// Returns the color of a class; colors repeat after eight classes.
pub fn class_color(class: usize) -> [u8; 3] {
    CLASSES[class % CLASSES.len()]
}

/// Returns the color of a value from 0 to 1.
pub fn value_color(value: f64) -> [u8; 3] {
    let place = value.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    // NaN becomes 0.
    let index = (place as usize).min(VIRIDIS.len() - 2);
    let share = if place.is_nan() { 0.0 } else { place - index as f64 };
    let (from, to) = (VIRIDIS[index], VIRIDIS[index + 1]);
    std::array::from_fn(|channel| {
        let (from, to) = (f64::from(from[channel]), f64::from(to[channel]));
        (from + (to - from) * share).round() as u8
    })
}

/// Formats a color as CSS.
pub fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// CSS gradient of the value colors, from left to right.
pub fn value_gradient() -> String {
    let stops: Vec<String> = VIRIDIS.iter().map(|&color| css(color)).collect();
    format!("background: linear-gradient(to right, {})", stops.join(", "))
}

/// Encodes a grayscale picture; `None` if there are not width × height pixels.
pub fn gray(width: u32, height: u32, pixels: &[u8]) -> Option<Picture> {
    encode(width, height, pixels, ExtendedColorType::L8)
}

/// Encodes a color picture; `None` if there are not width × height pixels.
pub fn color(width: u32, height: u32, pixels: &[[u8; 3]]) -> Option<Picture> {
    encode(width, height, pixels.as_flattened(), ExtendedColorType::Rgb8)
}

fn encode(width: u32, height: u32, bytes: &[u8], kind: ExtendedColorType) -> Option<Picture> {
    let needed = u64::from(width) * u64::from(height) * u64::from(kind.bits_per_pixel() / 8);
    if needed == 0 || needed != bytes.len() as u64 {
        return None;
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(bytes, width, height, kind)
        .ok()?;
    Some(Picture { png, size: (width, height) })
}

/// HTML element of the picture.
pub fn img(picture: &Picture, description: &str) -> Markup {
    let (width, height) = picture.size;
    let url = format!("data:image/png;base64,{}", STANDARD.encode(&picture.png));
    html! { img src=(url) width=(width) height=(height) alt=(description); }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back_from_their_files() {
        let picture = gray(3, 2, &[0, 50, 100, 150, 200, 255]).unwrap();
        let back = image::load_from_memory(&picture.png).unwrap().to_luma8();
        assert_eq!(back.into_raw(), [0, 50, 100, 150, 200, 255]);
        let picture = color(1, 2, &[[1, 2, 3], [4, 5, 6]]).unwrap();
        let back = image::load_from_memory(&picture.png).unwrap().to_rgb8();
        assert_eq!(back.into_raw(), [1, 2, 3, 4, 5, 6]);
        assert!(img(&picture, "a<b").into_string().contains("alt=\"a&lt;b\""));
        assert_eq!((gray(2, 2, &[0; 3]), gray(0, 0, &[])), (None, None));
    }

    #[test]
    fn values_run_from_dark_to_light() {
        assert_eq!((value_color(-1.0), value_color(2.0)), (VIRIDIS[0], VIRIDIS[8]));
        assert_eq!(value_color(0.5), VIRIDIS[4]);
        assert_eq!(value_color(f64::NAN), VIRIDIS[0]);
        assert_eq!(css(class_color(8)), "#0072b2");
    }
}
