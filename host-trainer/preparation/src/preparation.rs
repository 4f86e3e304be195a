//! Image preprocessing: from a decoded image to the bytes of a network's input.

use image::buffer::ConvertBuffer;
use image::{DynamicImage, GrayImage, ImageBuffer, Pixel, RgbImage, imageops};
use model_format::limits::MAX_WIDTH;
use thimble_features::Area;

use super::gray::{border_median, resized};
use super::options::{Background, ColorMode, Fit, Invert};
use super::{clothing, handwriting};

/// Preprocessing of images: size, color mode, resizing method, inversion, background.
///
/// The same preparation is applied in training and inference, so that an image gives exactly the
/// same bytes in both. Its text has at most [`MAX_TEXT`](model_format::limits::MAX_TEXT) bytes and
/// is stored in model files.
///
/// ```
/// use thimble_preparation::{Fit, Preparation};
///
/// let preparation: Preparation =
///     "28x28 grayscale fit=mnist invert=auto background=white".parse()?;
/// assert_eq!((preparation.height, preparation.fit), (28, Fit::Mnist));
/// # Ok::<(), thimble_preparation::PreparationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Height of the result in pixels.
    pub height: u32,
    /// Width of the result in pixels.
    pub width: u32,
    /// Channels of the result.
    pub color_mode: ColorMode,
    /// Resizing method.
    pub fit: Fit,
    /// Inversion.
    pub invert: Invert,
    /// Color behind transparent pixels and of padding.
    pub background: Background,
    /// Largest value of a prepared pixel: 255, or 16 for the embedded digits.
    pub levels: u8,
    /// Height and width to which the prepared image is averaged, if it is.
    pub average: Option<[u32; 2]>,
}

/// Errors of preparing an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The image is too small.
    #[error("the image has {height} × {width} pixels: too few to show anything")]
    Size {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The image cannot be averaged, which [`Preparation::problem`] reports.
    #[error(
        "images of {height} × {width} pixels cannot be averaged to the size of the model's input"
    )]
    Average {
        /// Height before.
        height: u32,
        /// Width before.
        width: u32,
    },
    /// The image is of one shade.
    #[error(
        "the image is blank: its shades differ by {contrast} of 255. Photograph something dark on a \
         light background, or light on dark"
    )]
    Blank {
        /// Difference of foreground and background.
        contrast: u8,
    },
}

/// A prepared image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
    /// 1 for grayscale, 3 for RGB.
    pub channels: usize,
    /// Values from 0 to `levels`, row by row, the channels of a pixel together.
    pub bytes: Vec<u8>,
    /// Value that represents 1.
    pub levels: u8,
    /// `true` if the image was inverted.
    pub inverted: bool,
}

impl Prepared {
    /// Returns the network's inputs, 0 to 1.
    pub fn reals(&self) -> Vec<f32> {
        // As the pixels of training images.
        let scale = 1.0 / f32::from(self.levels);
        self.bytes.iter().map(|&byte| f32::from(byte) * scale).collect()
    }
}

impl Preparation {
    /// Returns MNIST's preparation, for any size.
    pub fn mnist(height: u32, width: u32) -> Self {
        let (fit, invert) = (Fit::Mnist, Invert::Auto);
        Preparation { fit, invert, ..Preparation::plain(height, width) }
    }

    /// Returns the preparation of the embedded digits, whose pixels are from 0 to 16.
    pub fn digits() -> Self {
        Preparation { levels: 16, ..Preparation::mnist(8, 8) }
    }

    /// Returns Fashion-MNIST's preparation, for any size.
    pub fn fashion_mnist(height: u32, width: u32) -> Self {
        let (fit, invert) = (Fit::FashionMnist, Invert::Auto);
        Preparation { fit, invert, ..Preparation::plain(height, width) }
    }

    /// Returns the preparation that only converts to grayscale and resizes.
    pub fn plain(height: u32, width: u32) -> Self {
        Preparation {
            height,
            width,
            color_mode: ColorMode::Grayscale,
            fit: Fit::Stretch,
            invert: Invert::No,
            background: Background::White,
            levels: 255,
            average: None,
        }
    }

    /// Returns this preparation without detection of a foreground: the whole image is resized. It
    /// is inverted if this preparation makes the foreground bright on black, as MNIST's.
    pub fn whole(self) -> Self {
        let invert = if self.fit.finds_foreground() { Invert::Yes } else { self.invert };
        Preparation { fit: Fit::Stretch, invert, ..self }
    }

    /// Returns the shape of a prepared image: height and width, and 3 for RGB.
    pub fn shape(&self) -> Vec<usize> {
        let [height, width] = self.average.unwrap_or([self.height, self.width]);
        let mut shape = vec![height as usize, width as usize];
        if self.color_mode == ColorMode::Rgb {
            shape.push(3);
        }
        shape
    }

    /// Returns the number of values of a prepared image.
    pub fn len(&self) -> usize {
        self.shape().iter().fold(1, |product, &side| product.saturating_mul(side))
    }

    /// Returns `true` if a prepared image has no pixels, which [`problem`](Self::problem) reports.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the problem of an invalid preparation, with the remedy.
    pub fn problem(&self) -> Option<String> {
        let Preparation { height, width, .. } = self;
        let [height, width] = &self.average.unwrap_or([*height, *width]);
        if self.is_empty() || self.len() > MAX_WIDTH {
            let colors = if self.color_mode == ColorMode::Rgb { " × 3 colors" } else { "" };
            return Some(format!(
                "{height} × {width} pixels{colors}, but a model takes 1 to {MAX_WIDTH} values: set \
                 resize = [height, width]"
            ));
        }
        let Preparation { height, width, .. } = self;
        if let Some([rows, columns]) = self.average
            && (rows > *height || columns > *width || height.saturating_mul(*width) >= 1 << 24)
        {
            return Some(format!(
                "{height} × {width} pixels cannot be averaged to {rows} × {columns}"
            ));
        }
        if self.fit.finds_foreground() && self.color_mode == ColorMode::Rgb {
            let fit = self.fit.name();
            return Some(format!(
                "fit = \"{fit}\" makes grayscale images: leave color_mode out, or choose another fit"
            ));
        }
        None
    }

    /// Prepares an upright image.
    ///
    /// # Errors
    /// [`PrepareError`] if no foreground is found.
    pub fn apply(&self, image: DynamicImage) -> Result<Prepared, PrepareError> {
        let (mut bytes, inverted) = match self.color_mode {
            ColorMode::Grayscale => {
                let (image, inverted) = self.prepare_grayscale(self.grayscale(image))?;
                (image.into_raw(), inverted)
            }
            ColorMode::Rgb => {
                let image = self.rgb(image);
                let border = match self.invert {
                    Invert::Auto => border_median(&image.convert()),
                    Invert::No | Invert::Yes => 0,
                };
                let mut image = self.fitted(image);
                let inverted = self.invert.is_wanted(border);
                if inverted {
                    imageops::invert(&mut image);
                }
                (image.into_raw(), inverted)
            }
        };
        let (levels, channels) =
            (self.levels, if self.color_mode == ColorMode::Rgb { 3 } else { 1 });
        if levels != 255 {
            let level = |byte: u8| ((u32::from(byte) * u32::from(levels) + 127) / 255) as u8;
            bytes.iter_mut().for_each(|byte| *byte = level(*byte));
        }
        let (mut height, mut width) = (self.height as usize, self.width as usize);
        if let Some(average) = self.average {
            let to = average.map(|side| side as usize);
            let mut averaged = vec![0; to[0] * to[1] * channels];
            let area = Area { from: [height, width], to };
            area.average(&bytes, channels, &mut averaged)
                .map_err(|_| PrepareError::Average { height: self.height, width: self.width })?;
            (bytes, [height, width]) = (averaged, to);
        }
        Ok(Prepared { height, width, channels, bytes, levels, inverted })
    }

    fn prepare_grayscale(&self, image: GrayImage) -> Result<(GrayImage, bool), PrepareError> {
        let size = (self.height, self.width);
        match self.fit {
            Fit::Mnist => handwriting::place(image, self.invert, size),
            Fit::FashionMnist => clothing::place(image, self.invert, size),
            Fit::Stretch | Fit::Crop | Fit::Pad => {
                // The border of the whole image, before cropping.
                let inverted = self.invert.is_wanted(border_median(&image));
                let mut image = self.fitted(image);
                if inverted {
                    imageops::invert(&mut image);
                }
                Ok((image, inverted))
            }
        }
    }

    /// Converts to grayscale and composites with the background.
    fn grayscale(&self, image: DynamicImage) -> GrayImage {
        if !image.color().has_alpha() {
            return image.into_luma8();
        }
        let image = image.into_luma_alpha8();
        GrayImage::from_fn(image.width(), image.height(), |x, y| {
            let [grey, alpha] = image.get_pixel(x, y).0;
            image::Luma([self.background.behind(grey, alpha)])
        })
    }

    /// Converts to RGB and composites with the background.
    fn rgb(&self, image: DynamicImage) -> RgbImage {
        if !image.color().has_alpha() {
            return image.into_rgb8();
        }
        let image = image.into_rgba8();
        RgbImage::from_fn(image.width(), image.height(), |x, y| {
            let [red, green, blue, alpha] = image.get_pixel(x, y).0;
            image::Rgb([red, green, blue].map(|value| self.background.behind(value, alpha)))
        })
    }

    /// Resizes the image.
    fn fitted<P>(&self, image: ImageBuffer<P, Vec<u8>>) -> ImageBuffer<P, Vec<u8>>
    where
        P: Pixel<Subpixel = u8> + 'static,
    {
        let (width, height) = (self.width, self.height);
        if image.dimensions() == (width, height) {
            return image;
        }
        // The rounded side `of` · `whole` / `other`, which preserves the aspect ratio.
        let side = |of: u32, whole: u32, other: u32| {
            let exact = u64::from(of) * u64::from(whole);
            ((exact + u64::from(other) / 2) / u64::from(other).max(1)) as u32
        };
        match self.fit {
            Fit::Crop => {
                let across = side(image.height(), width, height).clamp(1, image.width());
                let down = side(image.width(), height, width).clamp(1, image.height());
                let (x, y) = ((image.width() - across) / 2, (image.height() - down) / 2);
                let part = imageops::crop_imm(&image, x, y, across, down).to_image();
                resized(&part, width, height)
            }
            Fit::Pad => {
                let across = side(image.width(), height, image.height()).clamp(1, width);
                let down = side(image.height(), width, image.width()).clamp(1, height);
                let small = resized(&image, across, down);
                let mut pixel = *small.get_pixel(0, 0);
                pixel.apply(|_| self.background.value());
                let mut padded = ImageBuffer::from_pixel(width, height, pixel);
                let (left, top) = ((width - across) / 2, (height - down) / 2);
                imageops::replace(&mut padded, &small, left.into(), top.into());
                padded
            }
            Fit::Stretch | Fit::Mnist | Fit::FashionMnist => resized(&image, width, height),
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, Luma, LumaA, Rgb, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn averaged_images_have_the_means_of_their_pixels() {
        let image = GrayImage::from_fn(4, 2, |x, y| Luma([(x * 40 + y * 10) as u8]));
        let preparation: Preparation = "2x4/1x2".parse().unwrap();
        let prepared = preparation.apply(image.into()).unwrap();
        // Means of 0, 40, 10, 50 and of 80, 120, 90, 130.
        assert_eq!(prepared.bytes, [25, 105]);
        assert_eq!((prepared.height, prepared.width, prepared.channels), (1, 2, 1));
    }

    #[test]
    fn an_image_of_the_size_keeps_its_bytes() {
        let image = GrayImage::from_fn(5, 4, |x, y| Luma([(x * 40 + y) as u8]));
        for fit in [Fit::Stretch, Fit::Crop, Fit::Pad] {
            let preparation = Preparation { fit, ..Preparation::plain(4, 5) };
            let prepared = preparation.apply(image.clone().into()).unwrap();
            assert_eq!((&prepared.bytes, prepared.inverted), (image.as_raw(), false));
            assert_eq!((prepared.height, prepared.width, prepared.channels), (4, 5, 1));
        }
        assert_eq!(Preparation::plain(4, 5).apply(image.into()).unwrap().reals()[1], 40.0 / 255.0);
    }

    #[test]
    fn fewer_levels_keep_black_and_white() {
        let image = GrayImage::from_raw(4, 1, vec![0, 8, 128, 255]).unwrap();
        let preparation = Preparation { levels: 16, ..Preparation::plain(1, 4) };
        let prepared = preparation.apply(image.into()).unwrap();
        assert_eq!(prepared.bytes, [0, 1, 8, 16]);
        assert_eq!(prepared.reals(), [0.0, 1.0 / 16.0, 0.5, 1.0]);
    }

    #[test]
    fn transparent_pixels_show_the_background() {
        let image =
            GrayAlphaImage::from_fn(2, 1, |x, _| LumaA([100, if x == 0 { 0 } else { 128 }]));
        let prepared = |background| {
            let preparation = Preparation { background, ..Preparation::plain(1, 2) };
            preparation.apply(image.clone().into()).unwrap().bytes
        };
        assert_eq!(prepared(Background::White), [255, 177]);
        assert_eq!(prepared(Background::Black), [0, 50]);
        let color = RgbaImage::from_pixel(1, 1, Rgba([10, 20, 30, 0]));
        let preparation = Preparation { color_mode: ColorMode::Rgb, ..Preparation::plain(1, 1) };
        assert_eq!(preparation.apply(color.into()).unwrap().bytes, [255, 255, 255]);
        assert_eq!(preparation.shape(), [1, 1, 3]);
    }

    #[test]
    fn crop_and_pad_keep_proportions() {
        // 90 × 30: a white square between black ones.
        let image = GrayImage::from_fn(90, 30, |x, _| Luma([if x / 30 == 1 { 255 } else { 0 }]));
        let fitted = |fit, background| {
            let preparation = Preparation { fit, background, ..Preparation::plain(9, 9) };
            let bytes = preparation.apply(image.clone().into()).unwrap().bytes;
            [(0, 0), (0, 4), (4, 0), (4, 4), (8, 8)].map(|(y, x)| bytes[y * 9 + x])
        };
        assert_eq!(fitted(Fit::Stretch, Background::White), [0, 255, 0, 255, 0]);
        assert_eq!(fitted(Fit::Crop, Background::White), [255; 5]);
        assert_eq!(fitted(Fit::Pad, Background::White), [255, 255, 0, 255, 255]);
        assert_eq!(fitted(Fit::Pad, Background::Black), [0, 0, 0, 255, 0]);
        // However narrow, one pixel is left.
        let narrow = RgbImage::from_pixel(1, 4000, Rgb([9; 3]));
        for fit in [Fit::Crop, Fit::Pad, Fit::Stretch] {
            let preparation =
                Preparation { fit, color_mode: ColorMode::Rgb, ..Preparation::plain(3, 3) };
            assert_eq!(preparation.apply(narrow.clone().into()).unwrap().bytes.len(), 27);
        }
    }

    #[test]
    fn light_borders_are_inverted_where_that_is_wanted() {
        for (shade, invert, expected) in [
            (200, Invert::No, 200),
            (200, Invert::Yes, 55),
            (200, Invert::Auto, 55),
            (20, Invert::Auto, 20),
        ] {
            let image = RgbImage::from_pixel(3, 3, Rgb([shade; 3]));
            for color_mode in [ColorMode::Grayscale, ColorMode::Rgb] {
                let preparation = Preparation { invert, color_mode, ..Preparation::plain(1, 1) };
                let prepared = preparation.apply(image.clone().into()).unwrap();
                assert_eq!(prepared.bytes[0], expected);
                assert_eq!(prepared.inverted, expected != shade);
            }
        }
    }

    #[test]
    fn the_whole_image_is_inverted_for_what_is_bright_on_black() {
        assert_eq!(
            Preparation::mnist(28, 28).whole().to_string(),
            "28x28 grayscale fit=stretch invert=yes background=white"
        );
        let crop = Preparation { fit: Fit::Crop, ..Preparation::plain(9, 9) };
        assert_eq!(crop.whole(), Preparation::plain(9, 9));
    }
}
