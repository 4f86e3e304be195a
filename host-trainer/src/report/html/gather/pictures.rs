//! Rows as pictures.

use crate::data::{ByteSums, Features, Subset};
use crate::report::html::findings::{Picture, Sample, ScaledPictures};
use crate::report::html::picture::{color, gray};

/// Number of pictures per class.
const OF_A_CLASS: usize = 7;

/// Maximum number of classes.
const CLASSES: usize = 40;

/// Returns training rows of each class as pictures; empty if rows are not pictures.
pub fn samples(subset: &Subset) -> Vec<Sample> {
    let names = subset.dataset().class_names();
    if picture(subset, 0).is_none() {
        return Vec::new();
    }
    let mut samples: Vec<Sample> = names
        .iter()
        .take(CLASSES)
        .map(|class| Sample { class: class.clone(), pictures: Vec::new() })
        .collect();
    let mut missing = samples.len() * OF_A_CLASS;
    for position in 0..subset.len() {
        if missing == 0 {
            break;
        }
        let sample = subset.class(position).and_then(|class| samples.get_mut(usize::from(class)));
        if let Some(sample) = sample.filter(|sample| sample.pictures.len() < OF_A_CLASS) {
            sample.pictures.extend(picture(subset, position));
            missing -= 1;
        }
    }
    samples
}

/// Number of images in each scaling.
const SCALED: usize = 3;

/// Returns the first training images as they are, divided by their largest byte, and scaled pixel by pixel to the
/// range and to the standard deviation of the training rows. Empty if rows are not gray images.
pub fn scalings(subset: &Subset) -> Vec<ScaledPictures> {
    let (height, width) = match *subset.dataset().shape() {
        [height, width] | [height, width, 1] | [1, height, width] if height > 1 && width > 1 => {
            (height, width)
        }
        _ => return Vec::new(),
    };
    let Features::Bytes { scale, .. } = subset.dataset().features() else { return Vec::new() };
    let scale = f64::from(*scale);
    let sums = ByteSums::of(subset);
    let rows = subset.len() as f64;
    // A constant pixel has no range and no deviation; scikit-learn divides it by 1.
    let or_one = |value: f64| if value > 0.0 { value } else { 1.0 };
    let min_max = |pixel: usize, value: f64| {
        let (low, high) = (f64::from(sums[pixel].low), f64::from(sums[pixel].high));
        (value - low) / or_one(high - low)
    };
    let standard = |pixel: usize, value: f64| {
        let (mean, square) = (sums[pixel].sum as f64 / rows, sums[pixel].squares as f64 / rows);
        (value - mean) / or_one((square - mean * mean).max(0.0).sqrt())
    };
    let divided = format!("divided by {:.0}", 1.0 / scale);
    type Scale<'a> = &'a dyn Fn(usize, f64) -> f64;
    let all: [(&str, Scale<'_>); 4] = [
        ("as they are", &|_, value| value),
        ("min-max per pixel", &min_max),
        ("standardized per pixel", &standard),
        (&divided, &|_, value| value * scale),
    ];
    let scaled = |(scaling, scale): (&str, Scale<'_>)| {
        let images: Vec<Vec<f64>> = (0..SCALED.min(subset.len()))
            .map(|position| {
                let bytes = subset.bytes(position);
                let bytes = bytes.iter().flatten().enumerate();
                bytes.map(|(pixel, &byte)| scale(pixel, f64::from(byte))).collect()
            })
            .collect();
        let (low, high) = images
            .iter()
            .flatten()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
        let byte = |value: &f64| ((value - low) / or_one(high - low) * 255.0).round() as u8;
        let pictures = images.iter().filter_map(|image| {
            let bytes: Vec<u8> = image.iter().map(byte).collect();
            gray(u32::try_from(width).ok()?, u32::try_from(height).ok()?, &bytes)
        });
        ScaledPictures {
            scaling: scaling.to_string(),
            range: (low, high),
            pictures: pictures.collect(),
        }
    };
    all.into_iter().map(scaled).collect()
}

/// Returns a row as a picture; `None` if its shape is not that of a picture.
pub fn picture(subset: &Subset, position: usize) -> Option<Picture> {
    if position >= subset.len() {
        return None;
    }
    let (height, width, channels) = match *subset.dataset().shape() {
        [height, width] | [height, width, 1] | [1, height, width] => (height, width, 1),
        [height, width, 3] => (height, width, 3),
        _ => return None,
    };
    // A row of numbers is not a picture.
    if height < 2 || width < 2 {
        return None;
    }
    let mut row = vec![0.0_f32; subset.dataset().width()];
    subset.gather_raw(position, &mut row);
    let (low, high) = row.iter().fold((0.0_f32, 1.0_f32), |(l, h), &v| (l.min(v), h.max(v)));
    let bytes: Vec<u8> =
        row.iter().map(|value| ((value - low) / (high - low) * 255.0).round() as u8).collect();
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    match channels {
        1 => gray(width, height, &bytes),
        _ => color(width, height, bytes.as_chunks().0),
    }
}
