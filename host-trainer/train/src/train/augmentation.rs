//! Data augmentation settings of a preset.

use serde::{Deserialize, Serialize};

use thimble_data::Deformation;
use thimble_numeric::validators::{fraction, not_negative};

/// Data augmentation of training images, random in each epoch.
///
/// The defaults of the deformations suit handwriting. `strength` multiplies them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// Largest shift of an image in whole pixels, in each direction.
    pub shift: u8,
    /// Share of the images that are shifted, and share of those that are deformed.
    #[serde(deserialize_with = "fraction")]
    pub fraction: f64,
    /// Factor of all magnitudes below. With 0, no image is deformed.
    #[serde(deserialize_with = "not_negative")]
    pub strength: f64,
    /// Largest rotation in degrees.
    #[serde(deserialize_with = "not_negative")]
    pub rotation: f64,
    /// Largest relative change of height and of width.
    #[serde(deserialize_with = "not_negative")]
    pub zoom: f64,
    /// Largest angle of shear in degrees.
    #[serde(deserialize_with = "not_negative")]
    pub shear: f64,
    /// Largest translation as a share of height and width.
    #[serde(deserialize_with = "not_negative")]
    pub translation: f64,
    /// Root mean square of elastic displacements as a share of the longer side.
    #[serde(deserialize_with = "not_negative")]
    pub elastic: f64,
    /// Standard deviation of the Gaussian that smooths elastic displacements, as a share of the
    /// longer side.
    #[serde(deserialize_with = "fraction")]
    pub elastic_sigma: f64,
    /// Largest change of the thickness of strokes in pixels on each side.
    #[serde(deserialize_with = "not_negative")]
    pub thickness: f64,
    /// Mirrors half of the deformed images, left to right.
    pub horizontal_flip: bool,
}

impl Default for Augmentation {
    fn default() -> Self {
        Augmentation {
            shift: 0,
            fraction: 1.0,
            strength: 0.0,
            rotation: 15.0,
            zoom: 0.18,
            shear: 15.0,
            translation: 0.035,
            elastic: 0.04,
            elastic_sigma: 0.2,
            thickness: 0.0,
            horizontal_flip: false,
        }
    }
}

impl Augmentation {
    /// Returns `true` if images are shifted or deformed.
    pub fn is_active(&self) -> bool {
        self.shift > 0 || self.deformation().is_some()
    }

    /// Returns the deformation, or `None` for none.
    pub fn deformation(&self) -> Option<Deformation> {
        let Augmentation { strength, horizontal_flip, .. } = *self;
        if strength == 0.0 && !horizontal_flip {
            return None;
        }
        Some(Deformation {
            fraction: self.fraction,
            rotation: strength * self.rotation,
            zoom: strength * self.zoom,
            shear: strength * self.shear,
            translation: strength * self.translation,
            elastic: strength * self.elastic,
            elastic_sigma: self.elastic_sigma,
            thickness: strength * self.thickness,
            horizontal_flip,
        })
    }

    /// Returns the key and the problem of magnitudes that are too large at this strength.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let deformation = self.deformation()?;
        let strength = self.strength;
        for (key, value, below) in [
            ("rotation", deformation.rotation, 181.0),
            ("zoom", deformation.zoom, 1.0),
            ("shear", deformation.shear, 80.0),
            ("translation", deformation.translation, 1.0),
            ("elastic", deformation.elastic, 1.0),
        ] {
            if value >= below {
                let problem =
                    format!("times strength = {strength} it is {value}, and must be below {below}");
                return Some((key, problem));
            }
        }
        let thickness = deformation.thickness;
        (thickness > 1.0).then(|| {
            let problem =
                format!("times strength = {strength} it is {thickness}, and one pixel is the most");
            ("thickness", problem)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_multiplies_all_magnitudes() {
        let augmentation = Augmentation { strength: 0.5, thickness: 0.4, ..Default::default() };
        let deformation = augmentation.deformation().unwrap();
        let Deformation { rotation, zoom, shear, translation, elastic, thickness, .. } =
            deformation;
        assert_eq!([rotation, zoom, shear], [7.5, 0.09, 7.5]);
        assert_eq!([translation, elastic, thickness], [0.0175, 0.02, 0.2]);
        assert_eq!((deformation.fraction, deformation.elastic_sigma), (1.0, 0.2));
        assert_eq!(Augmentation::default().deformation(), None);
        let mirrored = Augmentation { horizontal_flip: true, ..Default::default() };
        assert_eq!(mirrored.deformation().unwrap().rotation, 0.0);
    }

    #[test]
    fn magnitudes_that_leave_no_image_are_named() {
        let augmentation = Augmentation { strength: 6.0, ..Default::default() };
        let (key, problem) = augmentation.problem().unwrap();
        assert_eq!(key, "zoom");
        assert!(problem.contains("times strength = 6 it is 1.08"), "{problem}");
        let thick = Augmentation { strength: 1.0, thickness: 2.0, ..Default::default() };
        assert_eq!(thick.problem().unwrap().0, "thickness");
        assert_eq!(Augmentation { strength: 1.0, ..Default::default() }.problem(), None);
    }
}
