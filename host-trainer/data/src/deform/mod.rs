//! Random deformation of training images: affine, elastic, thickness.

mod elastic;
mod thickness;
mod warp;

use elastic::Plane;
use thickness::thicken;
use thimble_numeric::vectorized::{Loop, vectorized};
use thimble_support::random::{SplitMix, mix};
use warp::Warp;

use super::Shift;

/// Magnitudes of a random deformation. All are 0 for none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deformation {
    /// Share of the images that are deformed.
    pub fraction: f64,
    /// Largest rotation in degrees, in both directions.
    pub rotation: f64,
    /// Largest relative change of height and of width.
    pub zoom: f64,
    /// Largest angle of shear in degrees, in both directions.
    pub shear: f64,
    /// Largest translation as a share of height and width, in all directions.
    pub translation: f64,
    /// Root mean square of the elastic displacements, as a share of the longer side.
    pub elastic: f64,
    /// Standard deviation of the Gaussian that smooths the elastic displacements, as a share of the
    /// longer side.
    pub elastic_sigma: f64,
    /// Largest change of the thickness of strokes on each side in pixels, at most 1.
    pub thickness: f64,
    /// Mirrors half of the images.
    pub horizontal_flip: bool,
}

/// The deformations of the images of one epoch.
///
/// Those of an image depend only on the seed, the epoch and the number of its row.
#[derive(Clone, Debug)]
pub struct Deformer {
    deformation: Deformation,
    key: u64,
    /// Height, width, channels.
    shape: [usize; 3],
    plane: Option<Plane>,
}

/// Memory of a deformation, kept between images.
#[derive(Clone, Debug, Default)]
pub struct DeformMemory {
    warp: Warp,
    x: Vec<f32>,
    y: Vec<f32>,
    before: Vec<f32>,
}

/// Returns height, width and channels of an image of this shape: 1 channel for two dimensions. `None`
/// for other shapes.
pub fn image_shape(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [height, width] => Some([height, width, 1]),
        [height, width, channels] => Some([height, width, channels]),
        _ => None,
    }
}

impl Deformer {
    /// Draws what all images of an epoch share. `shape` is height, width and channels of an image.
    pub fn new(deformation: Deformation, shape: [usize; 3], seed: u64, epoch: usize) -> Self {
        let key = mix(seed ^ mix((epoch as u64).wrapping_add(0x6a09_e667_f3bc_c908)));
        let [height, width, _] = shape;
        let sigma = deformation.elastic_sigma * height.max(width) as f64;
        let plane = (deformation.elastic > 0.0)
            .then(|| Plane::draw(height, width, sigma, SplitMix::new(!key)));
        Deformer { deformation, key, shape, plane }
    }

    /// Writes the deformed image of a row, from 0 to 255, moved by whole pixels too. Returns `false`
    /// and writes nothing if it is not among those that are deformed.
    ///
    /// # Shapes
    /// `image` and `out` are height × width × channels.
    pub fn apply(
        &self,
        row: u32,
        shift: Shift,
        image: &[u8],
        memory: &mut DeformMemory,
        out: &mut [f32],
    ) -> bool {
        let Deformation { fraction, translation, zoom, elastic, thickness, .. } = self.deformation;
        let mut random = SplitMix::new(self.key ^ u64::from(row));
        if f64::from(random.unit()) >= fraction {
            return false;
        }
        let [height, width, channels] = self.shape;
        let mut within = |most: f64| most * f64::from(random.signed());
        let (angle, shear) = (
            within(self.deformation.rotation.to_radians()),
            within(self.deformation.shear.to_radians()),
        );
        let (across, down) = (1.0 + within(zoom), 1.0 + within(zoom));
        let right = within(translation) * width as f64 + f64::from(shift.right);
        let lower = within(translation) * height as f64 + f64::from(shift.down);
        let thickness = within(thickness);
        let mirrored = self.deformation.horizontal_flip && random.bits() & 1 == 1;
        // From a place in the result, relative to its middle, to a place in the image.
        let (sin, cos, tan) = (angle.sin(), angle.cos(), shear.tan());
        let side = if mirrored { -1.0 } else { 1.0 };
        let [xx, xy] = [side * (cos + sin * tan) / across, side * (cos * tan - sin) / across];
        let [yx, yy] = [sin / down, cos / down];
        let (middle_x, middle_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        let start = |of_x: f64, of_y: f64, middle: f64| {
            middle - of_x * (middle_x + right) - of_y * (middle_y + lower)
        };
        let (start_x, start_y) = (start(xx, xy, middle_x), start(yx, yy, middle_y));
        memory.x.resize(height * width, 0.0);
        memory.y.resize(height * width, 0.0);
        let pixels = elastic * height.max(width) as f64;
        let (to_x, to_y) = (&mut memory.x, &mut memory.y);
        for (start, of_x, of_y, to) in [(start_x, xx, xy, to_x), (start_y, yx, yy, to_y)] {
            let line = |y: usize| (start + of_y * y as f64) as f32;
            let lines = to.chunks_exact_mut(width).enumerate();
            match &self.plane {
                Some(plane) => {
                    let sign = if random.bits() & 1 == 1 { -1.0 } else { 1.0 };
                    let (window, scale) = (plane.window(&mut random), (sign * pixels) as f32);
                    lines.for_each(|(y, to)| {
                        let displacements = &window(y)[..width];
                        vectorized::<Bent, _>((line(y), of_x as f32, displacements, scale, to));
                    });
                }
                None => lines.for_each(|(y, to)| {
                    vectorized::<Straight, _>((line(y), of_x as f32, to));
                }),
            }
        }
        memory.warp.aim([height, width], &memory.x, &memory.y);
        for channel in 0..channels {
            memory.warp.channel([height, width], image, channel, channels, out);
        }
        if thickness != 0.0 && channels == 1 {
            thicken(out, &mut memory.before, width, thickness as f32);
        }
        true
    }
}

struct Straight;

impl Loop<(f32, f32, &mut [f32])> for Straight {
    type Output = ();

    #[expect(
        clippy::needless_range_loop,
        reason = "an overflow check in a counter would prevent vectorization"
    )]
    #[inline(always)]
    fn run((start, step, to): (f32, f32, &mut [f32])) {
        for column in 0..to.len() {
            to[column] = start + step * column as i32 as f32;
        }
    }
}

struct Bent;

impl Loop<(f32, f32, &[f32], f32, &mut [f32])> for Bent {
    type Output = ();

    #[inline(always)]
    fn run((start, step, displacements, scale, to): (f32, f32, &[f32], f32, &mut [f32])) {
        let displacements = &displacements[..to.len()];
        for column in 0..to.len() {
            to[column] = start + step * column as i32 as f32 + scale * displacements[column];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Deformation = Deformation {
        fraction: 1.0,
        rotation: 0.0,
        zoom: 0.0,
        shear: 0.0,
        translation: 0.0,
        elastic: 0.0,
        elastic_sigma: 0.2,
        thickness: 0.0,
        horizontal_flip: false,
    };

    /// A blob beside the middle of an image of 21 × 21.
    fn blob() -> Vec<u8> {
        let value = |index: usize| {
            let (x, y) = ((index % 21) as f64 - 13.0, (index / 21) as f64 - 8.0);
            (255.0 * (-(x * x + y * y) / 8.0).exp()) as u8
        };
        (0..441).map(value).collect()
    }

    fn deformed(deformation: Deformation, row: u32, shift: Shift) -> Vec<f32> {
        let deformer = Deformer::new(deformation, [21, 21, 1], 3, 1);
        let mut out = vec![f32::NAN; 441];
        assert!(deformer.apply(row, shift, &blob(), &mut DeformMemory::default(), &mut out));
        out
    }

    /// Mass, its center, and its second moments about the center.
    fn moments(image: &[f32]) -> (f64, [f64; 2], [f64; 3]) {
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            let pixels = image.iter().enumerate();
            let term = |(i, &v): (usize, &f32)| of((i % 21) as f64, (i / 21) as f64) * f64::from(v);
            pixels.map(term).sum::<f64>()
        };
        let mass = sum(&|_, _| 1.0);
        let (x, y) = (sum(&|x, _| x) / mass, sum(&|_, y| y) / mass);
        let second = |of: &dyn Fn(f64, f64) -> f64| sum(&|a, b| of(a - x, b - y)) / mass;
        (mass, [x, y], [second(&|x, _| x * x), second(&|x, y| x * y), second(&|_, y| y * y)])
    }

    #[test]
    fn nothing_changes_nothing_and_whole_pixels_are_exact() {
        let exact: Vec<f32> = blob().into_iter().map(f32::from).collect();
        assert_eq!(deformed(NONE, 0, Shift::NONE), exact);
        let moved = deformed(NONE, 0, Shift { right: 2, down: -1 });
        for y in 0..20 {
            assert_eq!(moved[y * 21 + 2..][..19], exact[(y + 1) * 21..][..19]);
        }
        assert!(moved[20 * 21..].iter().all(|&v| v == 0.0));
    }

    #[test]
    fn each_magnitude_is_reached_and_not_passed() {
        let (mass, [x, y], [xx, xy, yy]) = moments(&deformed(NONE, 0, Shift::NONE));
        let (x, y) = (x - 10.0, y - 10.0);
        // Largest of a measure over many rows, and of its negative.
        let extremes = |deformation, measure: &dyn Fn(&[f32]) -> f64| {
            (0..400).fold([f64::NEG_INFINITY; 2], |[most, least], row| {
                let value = measure(&deformed(deformation, row, Shift::NONE));
                [most.max(value), least.max(-value)]
            })
        };
        let near = |name: &str, found: [f64; 2], expected: [f64; 2]| {
            for (found, expected) in found.into_iter().zip(expected) {
                let off = (found - expected).abs();
                // Bilinear interpolation widens the blob a little, and 400 draws end near 1 only.
                assert!(off < 0.03 * expected.abs().max(1.0), "{name}: {found}, not {expected}");
            }
        };
        let angle = |image: &[f32]| {
            let center = moments(image).1;
            let turned = (center[1] - 10.0).atan2(center[0] - 10.0) - y.atan2(x);
            turned.to_degrees()
        };
        near("rotation", extremes(Deformation { rotation: 30.0, ..NONE }, &angle), [30.0, 30.0]);
        let across = |image: &[f32]| moments(image).1[0] - 10.0 - x;
        let translated = Deformation { translation: 0.1, ..NONE };
        near("translation", extremes(translated, &across), [2.1, 2.1]);
        let wide = |image: &[f32]| (moments(image).2[0] / xx).sqrt() - 1.0;
        near("zoom", extremes(Deformation { zoom: 0.2, ..NONE }, &wide), [0.2, 0.2]);
        let slant = |image: &[f32]| {
            let [_, slanted, high] = moments(image).2;
            (slanted / high - xy / yy).atan().to_degrees()
        };
        near("shear", extremes(Deformation { shear: 20.0, ..NONE }, &slant), [20.0, 20.0]);
        let bold = |image: &[f32]| moments(image).0 / mass - 1.0;
        let [most, least] = extremes(Deformation { thickness: 0.5, ..NONE }, &bold);
        assert!(most > 0.2 && least > 0.2 && most < 1.0 && least < 1.0, "{most} {least}");
    }

    #[test]
    fn elastic_displacements_have_their_magnitude() {
        // A ramp of one gray level per pixel shows the displacement of each pixel.
        let ramp: Vec<u8> = (0..4096).map(|index| (index % 64 + 100) as u8).collect();
        let deformation = Deformation { elastic: 1.5 / 64.0, elastic_sigma: 0.05, ..NONE };
        let deformer = Deformer::new(deformation, [64, 64, 1], 1, 1);
        let (mut out, mut memory) = (vec![0.0; 4096], DeformMemory::default());
        let (mut squares, mut count) = (0.0, 0.0);
        for row in 0..200 {
            assert!(deformer.apply(row, Shift::NONE, &ramp, &mut memory, &mut out));
            for y in 10..54 {
                for x in 10..54 {
                    squares += f64::from(out[y * 64 + x] - (x + 100) as f32).powi(2);
                    count += 1.0;
                }
            }
        }
        // Windows of a plane of (320 / (2 · 3.2 · √π))² ≈ 800 independent patches: 5 %.
        let deviation = (squares / count).sqrt();
        assert!((deviation - 1.5).abs() < 0.15, "{deviation}");
    }

    #[test]
    fn seed_epoch_and_row_decide_and_nothing_else() {
        let all = Deformation { rotation: 9.0, elastic: 0.05, thickness: 0.3, ..NONE };
        let made = |seed, epoch, row, memory: &mut DeformMemory| {
            let mut out = vec![0.0; 441];
            let deformer = Deformer::new(all, [21, 21, 1], seed, epoch);
            assert!(deformer.apply(row, Shift::NONE, &blob(), memory, &mut out));
            out
        };
        let (mut used, mut fresh) = (DeformMemory::default(), DeformMemory::default());
        let first = made(1, 1, 7, &mut used);
        assert_eq!(first, made(1, 1, 7, &mut used));
        assert_eq!(first, made(1, 1, 7, &mut fresh));
        for other in [made(2, 1, 7, &mut used), made(1, 2, 7, &mut used), made(1, 1, 8, &mut used)]
        {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_share_is_deformed_and_half_are_mirrored() {
        let deformer = Deformer::new(Deformation { fraction: 0.3, ..NONE }, [21, 21, 1], 1, 1);
        let (mut memory, mut out) = (DeformMemory::default(), vec![0.0; 441]);
        let image = blob();
        let mut apply = |deformer: &Deformer, row| {
            deformer.apply(row, Shift::NONE, &image, &mut memory, &mut out)
        };
        // 300 expected; five standard deviations are 72.
        let count = (0..1000).filter(|&row| apply(&deformer, row)).count();
        assert!(count.abs_diff(300) < 72, "{count}");
        let flip = Deformation { horizontal_flip: true, ..NONE };
        let mirrored = |row| {
            let out = deformed(flip, row, Shift::NONE);
            let back: Vec<f32> =
                out.chunks_exact(21).flat_map(|row| row.iter().rev().copied()).collect();
            let exact: Vec<f32> = image_of(&blob());
            assert!(out == exact || back == exact);
            back == exact
        };
        let count = (0..200).filter(|&row| mirrored(row)).count();
        assert!(count.abs_diff(100) < 36, "{count}");
    }

    fn image_of(bytes: &[u8]) -> Vec<f32> {
        bytes.iter().copied().map(f32::from).collect()
    }
}
