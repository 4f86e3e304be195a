//! Scaling of images: from the file's own range of pixels to that of the dataset.

use crate::data::{Features, FixedScaling, Locations, Scaling, ScalingMethod};
use crate::preset::DataSettings;

/// Factor below which a network scales raw pixels, such as 1/255 or 1/16, rather than pixels from 0
/// to 1.
const RAW_FACTOR: f32 = 0.25;

/// Returns the settings with the network's scaling in the units of the dataset, with a note on the
/// range of pixels. Pixels without scaling remain exact.
///
/// # Errors
/// Those of reading the dataset.
pub(super) fn scaled(
    mut settings: DataSettings,
    scaling: Option<&Scaling>,
    locations: &Locations,
) -> anyhow::Result<(DataSettings, Option<String>)> {
    let loaded = settings.load(locations, 1)?;
    let (scaling, note) = match (scaling, loaded.train.features()) {
        (Some(scaling), Features::Bytes { scale, .. }) if takes_raw(scaling) => {
            let note = format!("pixels go into the network from 0 to {}", (1.0 / scale).round());
            (in_units(scaling, *scale), Some(note))
        }
        (scaling, Features::Bytes { .. }) => {
            (scaling.cloned(), Some("pixels go into the network from 0 to 1".to_string()))
        }
        (scaling, _) => (scaling.cloned(), None),
    };
    settings.scaling = Some(match scaling {
        Some(scaling) => ScalingMethod::Fixed(FixedScaling::new(&scaling)),
        None => ScalingMethod::None,
    });
    // The network gives values in their own units.
    settings.target_scaling = Some(ScalingMethod::None);
    Ok((settings, note))
}

/// Returns `true` if the network scales raw pixels itself. Pixels that never change have any factor.
fn takes_raw(scaling: &Scaling) -> bool {
    let mut factors: Vec<f32> = scaling.factors.iter().map(|factor| factor.abs()).collect();
    factors.sort_unstable_by(f32::total_cmp);
    factors.get(factors.len() / 2).is_some_and(|median| *median < RAW_FACTOR)
}

/// Returns the scaling of pixels that are multiplied by `scale`. `None` for the identity.
fn in_units(scaling: &Scaling, scale: f32) -> Option<Scaling> {
    let offsets: Vec<f32> = scaling.offsets.iter().map(|offset| offset * scale).collect();
    let factors: Vec<f32> = scaling.factors.iter().map(|factor| factor / scale).collect();
    // 1/255 in two roundings.
    let is_one = |factor: &f32| (factor - 1.0).abs() < 1e-6;
    let is_identity = offsets.iter().all(|offset| *offset == 0.0) && factors.iter().all(is_one);
    (!is_identity).then_some(Scaling { offsets, factors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_of_raw_pixels_becomes_exact() {
        let sixteenth = Scaling { offsets: vec![0.0; 2], factors: vec![1.0 / 16.0; 2] };
        assert!(takes_raw(&sixteenth));
        assert_eq!(in_units(&sixteenth, 1.0 / 16.0), None);
        let centered = Scaling { offsets: vec![127.5], factors: vec![1.0 / 127.5] };
        let found = in_units(&centered, 1.0 / 255.0).unwrap();
        assert!((found.offsets[0] - 0.5).abs() < 1e-6 && (found.factors[0] - 2.0).abs() < 1e-6);
        assert!(!takes_raw(&Scaling { offsets: vec![0.13], factors: vec![3.2] }));
    }
}
