//! Bilinear resampling of an image at arbitrary places.

use thimble_numeric::vectorized::{Loop, vectorized};

/// Adding it rounds a number from 0 to 2²² to an integer, which is then in the low bits.
const ROUNDING: f32 = 12_582_912.0;

/// Resamples images. Keeps its memory between images.
///
/// It packs the four neighbors of each place between pixels into 32 bits. Each output pixel is then
/// one load, and all arithmetic is in loops that vectorize.
#[derive(Clone, Debug, Default)]
pub(super) struct Warp {
    /// (height + 1) × (width + 1): the pixels at (y − 1, x − 1), (y − 1, x), (y, x − 1), (y, x), from
    /// the low byte to the high one. Pixels outside are 0.
    quads: Vec<u32>,
    /// Index into `quads` of each output pixel, then the quad.
    cells: Vec<u32>,
    /// Place within the quad of each output pixel.
    fractions_x: Vec<f32>,
    fractions_y: Vec<f32>,
}

impl Warp {
    /// Prepares for images of this size. `places` are those of all output pixels, x and y in pixels.
    /// The middle of the first pixel is 0. Places outside the image show zeros.
    ///
    /// # Shapes
    /// `x` and `y` have one number per output pixel.
    pub fn aim(&mut self, [height, width]: [usize; 2], x: &[f32], y: &[f32]) {
        let count = x.len();
        self.cells.resize(count, 0);
        self.fractions_x.resize(count, 0.0);
        self.fractions_y.resize(count, 0.0);
        let Warp { cells, fractions_x, fractions_y, .. } = self;
        vectorized::<Aim, _>(([height, width], x, y, cells, fractions_x, fractions_y));
    }

    /// Writes one channel of the image at the places of [`aim`](Self::aim), from 0 to 255.
    ///
    /// # Shapes
    /// `image` is height × width × `channels`, `out` has `channels` numbers per place.
    pub fn channel(
        &mut self,
        [height, width]: [usize; 2],
        image: &[u8],
        channel: usize,
        channels: usize,
        out: &mut [f32],
    ) {
        self.pack([height, width], image, channel, channels);
        let Warp { quads, cells, .. } = self;
        for cell in &mut *cells {
            *cell = quads.get(*cell as usize).copied().unwrap_or_default();
        }
        let Warp { cells, fractions_x, fractions_y, .. } = self;
        match channels {
            1 => vectorized::<Blend, _>((&*cells, &*fractions_x, &*fractions_y, out)),
            _ => {
                let places = cells.iter().zip(&*fractions_x).zip(&*fractions_y);
                let out = out.iter_mut().skip(channel).step_by(channels);
                for (((&quad, &x), &y), out) in places.zip(out) {
                    *out = blend(quad, x, y);
                }
            }
        }
    }

    fn pack(&mut self, [height, width]: [usize; 2], image: &[u8], channel: usize, channels: usize) {
        let stride = width + 1;
        self.quads.resize((height + 1) * stride, 0);
        self.quads.fill(0);
        for (y, row) in image.chunks_exact(width * channels).enumerate() {
            let (above, below) = self.quads[y * stride..].split_at_mut(stride);
            if channels == 1 {
                vectorized::<Pack, _>((row, above, &mut below[..stride]));
                continue;
            }
            for (x, &byte) in row.iter().skip(channel).step_by(channels).enumerate() {
                let byte = u32::from(byte);
                above[x] |= byte << 24;
                above[x + 1] |= byte << 16;
                below[x] |= byte << 8;
                below[x + 1] |= byte;
            }
        }
    }
}

/// Adds a row of pixels to the quads above and below it.
struct Pack;

impl Loop<(&[u8], &mut [u32], &mut [u32])> for Pack {
    type Output = ();

    #[inline(always)]
    fn run((row, above, below): (&[u8], &mut [u32], &mut [u32])) {
        for (quads, shift) in [(above, 16), (below, 0)] {
            for (quad, &byte) in quads.iter_mut().zip(row) {
                *quad |= u32::from(byte) << (shift + 8);
            }
            for (quad, &byte) in quads.iter_mut().skip(1).zip(row) {
                *quad |= u32::from(byte) << shift;
            }
        }
    }
}

type Places<'a> =
    ([usize; 2], &'a [f32], &'a [f32], &'a mut Vec<u32>, &'a mut Vec<f32>, &'a mut Vec<f32>);

struct Aim;

impl Loop<Places<'_>> for Aim {
    type Output = ();

    #[inline(always)]
    fn run(([height, width], x, y, cells, fractions_x, fractions_y): Places<'_>) {
        let (wide, high, stride) = (width as f32, height as f32, width as u32 + 1);
        let count = x.len();
        let (x, y) = (&x[..count], &y[..count]);
        let (cells, fractions_x, fractions_y) =
            (&mut cells[..count], &mut fractions_x[..count], &mut fractions_y[..count]);
        for index in 0..count {
            let (column, across) = cell(x[index], wide);
            let (row, down) = cell(y[index], high);
            cells[index] = row.wrapping_mul(stride).wrapping_add(column);
            fractions_x[index] = across;
            fractions_y[index] = down;
        }
    }
}

/// Returns the cell of a coordinate between pixels, from 0 to `side`, and the place in it, from 0 to
/// 1.
#[inline(always)]
fn cell(coordinate: f32, side: f32) -> (u32, f32) {
    // From 0, the middle of the pixel outside. Comparisons in this order make 0 of NaN.
    let place = coordinate + 1.0;
    let place = if place > 0.0 { place } else { 0.0 };
    let place = if place < side + 1.0 { place } else { side + 1.0 };
    let low = place - 0.5;
    let low = if low > 0.0 { low } else { 0.0 };
    let low = if low < side { low } else { side };
    // Rounding place − 1/2 is rounding down, but for ties, which give a fraction of 0 or 1.
    let rounded = low + ROUNDING;
    (rounded.to_bits().wrapping_sub(ROUNDING.to_bits()), place - (rounded - ROUNDING))
}

struct Blend;

impl Loop<(&[u32], &[f32], &[f32], &mut [f32])> for Blend {
    type Output = ();

    #[inline(always)]
    fn run((quads, x, y, out): (&[u32], &[f32], &[f32], &mut [f32])) {
        let count = out.len();
        let (quads, x, y) = (&quads[..count], &x[..count], &y[..count]);
        for index in 0..count {
            out[index] = blend(quads[index], x[index], y[index]);
        }
    }
}

#[inline(always)]
fn blend(quad: u32, x: f32, y: f32) -> f32 {
    let corner = |shift: u32| ((quad >> shift) & 255) as i32 as f32;
    let above = corner(0) + x * (corner(8) - corner(0));
    let below = corner(16) + x * (corner(24) - corner(16));
    above + y * (below - above)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: [u8; 6] = [10, 20, 30, 40, 50, 60];

    fn at(x: f32, y: f32) -> f32 {
        let (mut warp, mut out) = (Warp::default(), [f32::NAN]);
        warp.aim([2, 3], &[x], &[y]);
        warp.channel([2, 3], &IMAGE, 0, 1, &mut out);
        out[0]
    }

    #[test]
    fn pixels_and_places_between_them_by_hand() {
        for (index, &byte) in IMAGE.iter().enumerate() {
            assert_eq!(at((index % 3) as f32, (index / 3) as f32), f32::from(byte));
        }
        assert_eq!(at(0.5, 0.0), 15.0);
        assert_eq!(at(1.25, 0.5), 0.5 * (22.5 + 52.5));
        // Half way to the outside, on each side, and in a corner.
        assert_eq!((at(-0.5, 0.0), at(2.5, 1.0), at(1.0, -0.5)), (5.0, 30.0, 10.0));
        assert_eq!(at(2.5, 1.5), 15.0);
    }

    #[test]
    fn outside_is_zero_however_far() {
        for far in [-1.0, -1.5, -1e30, f32::NEG_INFINITY, 3.0, 1e30, f32::INFINITY] {
            assert_eq!((at(far, 0.0), at(0.0, far)), (0.0, 0.0), "{far}");
        }
        assert!(at(f32::NAN, 0.0).is_finite());
    }

    #[test]
    fn channels_are_apart() {
        let (mut warp, mut out) = (Warp::default(), [f32::NAN; 6]);
        // Two pixels of three colors, one beside the other, shown in the opposite order.
        for channel in 0..3 {
            warp.aim([1, 2], &[1.0, 0.0], &[0.0, 0.0]);
            warp.channel([1, 2], &IMAGE, channel, 3, &mut out);
        }
        assert_eq!(out, [40.0, 50.0, 60.0, 10.0, 20.0, 30.0]);
    }
}
