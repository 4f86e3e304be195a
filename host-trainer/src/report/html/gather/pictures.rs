//! Rows as pictures.

use crate::data::Subset;
use crate::report::html::findings::{Picture, Sample};
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
