//! Image decoding: formats recognized by content, EXIF orientation applied, memory bounded.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use thimble_support::foreign_text;

/// Largest side in pixels: more than any camera's.
const MAX_SIDE: u32 = 30_000;

/// Largest size of a decoded image in bytes, more than any camera's photo.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Largest number of pixels of an image, more than a phone's largest photo.
const MAX_PIXELS: u64 = 120_000_000;

/// Largest size of a file in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Bytes at the start of a file that identify its format.
const HEAD_BYTES: u64 = 32;

/// Supported formats, for messages.
pub(super) const FORMATS: &str = "PNG, JPEG, BMP, WebP and PNM (PGM, PPM)";

/// File extensions of images.
const ENDINGS: [&str; 25] = [
    "avif", "bmp", "dib", "gif", "heic", "heif", "ico", "jfif", "jp2", "jpe", "jpeg", "jpg", "jxl",
    "pam", "pbm", "pgm", "png", "pnm", "ppm", "psd", "tga", "tif", "tiff", "webp", "apng",
];

/// Errors of reading an image file.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be opened or read.
    #[error("{}: {error}", foreign_text::path(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The file is not an image, or its format is not supported, or it is damaged or too large.
    #[error("{}: {problem}", foreign_text::path(.path))]
    Content {
        /// The file.
        path: PathBuf,
        /// Problem and remedy.
        problem: String,
    },
}

/// Kind of a file by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An image of a supported format.
    Image(ImageFormat),
    /// An image of another format, or a file with an image's extension and other content.
    Unreadable(&'static str),
    /// Not an image by content and extension.
    Other,
}

/// Decodes an image file by its content, whatever its extension, and applies its EXIF orientation.
/// Of an animation it returns the first frame.
///
/// # Errors
/// [`ImageError`] with the file and the remedy.
pub fn read_image(path: &Path) -> Result<DynamicImage, ImageError> {
    let content = |problem: String| ImageError::Content { path: path.to_path_buf(), problem };
    let metadata = fs::metadata(path).map_err(file_error(path))?;
    if metadata.is_dir() {
        return Err(content("this is a folder: give the image files in it".into()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(content(format!(
            "the file has {} MB, more than an image may have, {}: save it smaller",
            metadata.len() >> 20,
            MAX_FILE_BYTES >> 20
        )));
    }
    let bytes = read_limited(path)?;
    let format = match kind(path, &bytes) {
        Kind::Image(format) => format,
        Kind::Unreadable(problem) => return Err(content(problem.into())),
        Kind::Other => return Err(content(not_an_image())),
    };
    let name = format_name(format);
    if format == ImageFormat::Jpeg && !has_jpeg_end(&bytes) {
        return Err(content(format!("the {name} image is cut short: copy it again")));
    }
    decode(&bytes, format).map_err(|error| {
        content(match error {
            image::ImageError::Limits(_) => format!(
                "the {name} image has too many pixels to decode: at most {MAX_SIDE} a side, {} \
                 million in all, and {} MB in memory. Save it smaller",
                MAX_PIXELS / 1_000_000,
                MAX_DECODED_BYTES >> 20
            ),
            error => format!(
                "the {name} image is damaged or of a kind that cannot be decoded ({}): save it \
                 again, as PNG or JPEG",
                reason(&error)
            ),
        })
    })
}

/// Returns the kind of a file by its first bytes and its extension. An empty file with an image's
/// extension is [`Kind::Unreadable`].
///
/// # Errors
/// [`ImageError::File`] if it cannot be opened or read.
pub(super) fn kind_of(path: &Path) -> Result<Kind, ImageError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(file_error(path))?;
    file.take(HEAD_BYTES).read_to_end(&mut head).map_err(file_error(path))?;
    Ok(kind(path, &head))
}

fn decode(bytes: &[u8], format: ImageFormat) -> Result<DynamicImage, image::ImageError> {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(io::Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    // Before the buffer for the pixels is allocated.
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let kind = image::error::LimitErrorKind::DimensionError;
        return Err(image::ImageError::Limits(image::error::LimitError::from_kind(kind)));
    }
    limits.reserve(decoder.total_bytes())?;
    // A photo whose EXIF data are damaged is still a photo.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Reads at most [`MAX_FILE_BYTES`] of a file, which may be longer than its metadata reports, such
/// as a pipe.
fn read_limited(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(file_error(path))?;
    let mut limited = BufReader::new(file).take(MAX_FILE_BYTES);
    limited.read_to_end(&mut bytes).map_err(file_error(path))?;
    Ok(bytes)
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ImageError {
    let path = path.to_path_buf();
    move |error| ImageError::File { path, error }
}

fn not_an_image() -> String {
    format!("not an image: {FORMATS} can be read")
}

/// Returns the kind of a file with these first bytes.
fn kind(path: &Path, head: &[u8]) -> Kind {
    if let Some(format) = decodable(head) {
        return Kind::Image(format);
    }
    if let Some(problem) = recognized(head) {
        return Kind::Unreadable(problem);
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending {
        Some(ending) if ENDINGS.contains(&ending.as_str()) => Kind::Unreadable(match head {
            [] => "the file is empty: copy it again",
            _ => "not an image, whatever its ending: replace it, or save it again as PNG or JPEG",
        }),
        _ => Kind::Other,
    }
}

/// Returns the format of an image that can be decoded.
fn decodable(head: &[u8]) -> Option<ImageFormat> {
    let word = |at: usize| head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ImageFormat::WebP),
        // Text may begin with these letters, so the header's length is checked, too.
        [b'B', b'M', ..] => match word(14).map(u32::from_le_bytes) {
            Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124) => Some(ImageFormat::Bmp),
            _ => None,
        },
        [b'P', b'1'..=b'6', space, next, ..] if space.is_ascii_whitespace() => {
            let header = next.is_ascii_digit() || next.is_ascii_whitespace() || *next == b'#';
            header.then_some(ImageFormat::Pnm)
        }
        [b'P', b'7', b'\n', ..] => Some(ImageFormat::Pnm),
        _ => None,
    }
}

/// Returns the remedy for an image of a known but unsupported format.
fn recognized(head: &[u8]) -> Option<&'static str> {
    let brand = head.get(4..12).filter(|_| head.get(4..8) == Some(b"ftyp"));
    match (head, brand.map(|brand| &brand[4..])) {
        (_, Some(b"avif" | b"avis")) => Some("an AVIF image: save it as PNG or JPEG"),
        (_, Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1")) => Some(
            "a HEIC photo: save it as JPEG (an iPhone does so by itself with Settings, Camera, \
             Formats, Most Compatible)",
        ),
        ([b'G', b'I', b'F', b'8', ..], _) => Some("a GIF image: save it as PNG"),
        ([b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..], _) => {
            Some("a TIFF image or a camera's raw photo: save it as PNG or JPEG")
        }
        ([0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..], _) => {
            Some("a JPEG XL image: save it as PNG or JPEG")
        }
        ([0, 0, 0, 0x0c, b'j', b'P', b' ', b' ', ..], _) => {
            Some("a JPEG 2000 image: save it as PNG or JPEG")
        }
        ([b'8', b'B', b'P', b'S', ..], _) => Some("a Photoshop document: export it as PNG or JPEG"),
        _ => None,
    }
}

fn format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::WebP => "WebP",
        _ => "PNM",
    }
}

/// Returns `true` if a JPEG image has an end-of-image marker after the first scan. Decoders fill in
/// the rest of a truncated file without an error.
fn has_jpeg_end(bytes: &[u8]) -> bool {
    // Segments from the start: FF, marker, length of two bytes that includes itself. A thumbnail in
    // one of them has its own end-of-image marker.
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            // Fill bytes.
            0xff => at += 1,
            // Start of scan: within the compressed data, FF is never followed by D9.
            0xda => return bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            // Markers without a length.
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // No scan: cut short in the headers, or the decoder reports what is wrong with them.
    at < bytes.len()
}

/// Returns the decoder's message in one line, without the name of the format.
fn reason(error: &image::ImageError) -> String {
    use std::error::Error;

    let inner = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let line = inner.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, Rgb, RgbImage};

    use super::*;

    /// A file of this name with these bytes, in a folder that lasts as long as the test.
    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn message(name: &str, bytes: &[u8]) -> String {
        let (_folder, path) = file(name, bytes);
        let message = read_image(&path).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        message
    }

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let image = GrayImage::from_fn(40, 30, |x, y| Luma([(x * 5 + y) as u8]));
        let image = match format {
            ImageFormat::WebP => DynamicImage::ImageRgb8(DynamicImage::from(image).into_rgb8()),
            _ => DynamicImage::from(image),
        };
        let mut bytes = io::Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    const DECODED: [ImageFormat; 5] = [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::Bmp,
        ImageFormat::WebP,
        ImageFormat::Pnm,
    ];

    #[test]
    fn the_content_counts_and_not_the_ending() {
        for format in DECODED {
            for name in ["a.png", "a.JPG", "a", "a.txt"] {
                let (_folder, path) = file(name, &encoded(format));
                assert_eq!(kind_of(&path).unwrap(), Kind::Image(format), "{format:?} as {name}");
                let image = read_image(&path).unwrap();
                assert_eq!((image.width(), image.height()), (40, 30));
            }
        }
    }

    #[test]
    fn a_file_that_is_cut_short_is_refused_by_name() {
        for format in DECODED {
            let bytes = encoded(format);
            for length in [bytes.len() / 2, bytes.len() * 9 / 10] {
                let message = message("half.png", &bytes[..length]);
                assert!(message.contains("damaged") || message.contains("cut short"), "{message}");
            }
        }
    }

    #[test]
    fn bytes_that_changed_never_panic() {
        for format in DECODED {
            let bytes = encoded(format);
            for at in (0..bytes.len()).step_by(bytes.len().div_ceil(150)) {
                for value in [0, 0xff, bytes[at] ^ 0x41] {
                    let mut damaged = bytes.clone();
                    damaged[at] = value;
                    let _ = decode(&damaged, format);
                }
            }
        }
    }

    #[test]
    fn other_content_is_answered_with_what_to_do() {
        for (name, bytes, expected) in [
            ("text.png", b"no picture".as_slice(), "not an image, whatever its ending"),
            ("note.txt", b"BMI and P5 are words", "PNG, JPEG, BMP, WebP and PNM"),
            ("empty.jpg", b"", "the file is empty"),
            ("a.png", b"GIF89a......", "a GIF image: save it as PNG"),
            ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC photo"),
            ("a.jpg", b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF image"),
            ("a.tif", b"II*\0....", "a TIFF image"),
        ] {
            let message = message(name, bytes);
            assert!(message.contains(expected), "{message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let message = read_image(folder.path()).unwrap_err().to_string();
        assert!(message.contains("this is a folder"), "{message}");
        let message = read_image(&folder.path().join("none.jpg")).unwrap_err().to_string();
        assert!(message.contains("none.jpg"), "{message}");
    }

    /// A PNG of so many pixels whose data are a few bytes.
    fn huge_png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = encoded(ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = flate2_crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn flate2_crc(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn an_image_of_too_many_pixels_is_refused_before_it_is_decoded() {
        for (width, height) in [(29_000, 29_000), (12_000, 12_000), (60_000, 10), (10, 4_000_000)] {
            let message = message("bomb.png", &huge_png(width, height));
            assert!(message.contains("too many pixels"), "{message}");
        }
        let message = message("zero.png", &huge_png(0, 10));
        assert!(message.contains("damaged"), "{message}");
    }

    /// The JPEG with an EXIF segment that has nothing but this orientation.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        let length = (exif.len() as u16 + 2).to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
    }

    #[test]
    fn photos_are_turned_upright() {
        // Quarters: white, grey, dark, black, clockwise from the upper left.
        let upright = RgbImage::from_fn(48, 32, |x, y| match (x < 24, y < 16) {
            (true, true) => Rgb([250; 3]),
            (false, true) => Rgb([170; 3]),
            (false, false) => Rgb([90; 3]),
            (true, false) => Rgb([10; 3]),
        });
        for orientation in 1..=8 {
            let mut stored = DynamicImage::from(upright.clone());
            // What a camera that is held so stores: undone by the orientation that it writes.
            let undo = match orientation {
                6 => 8,
                8 => 6,
                other => other,
            };
            stored.apply_orientation(image::metadata::Orientation::from_exif(undo).unwrap());
            let mut jpeg = io::Cursor::new(Vec::new());
            stored.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
            let jpeg = with_orientation(&jpeg.into_inner(), orientation);
            let (_folder, path) = file("photo.jpg", &jpeg);
            let read = read_image(&path).unwrap().into_luma8();
            assert_eq!(read.dimensions(), (48, 32), "{orientation}");
            for (x, y) in [(5, 5), (40, 5), (40, 28), (5, 28)] {
                let (seen, wanted) = (read.get_pixel(x, y).0[0], upright.get_pixel(x, y).0[0]);
                assert!(seen.abs_diff(wanted) < 12, "{orientation} at {x}, {y}: {seen}");
            }
        }
        // Damaged EXIF data leave the photo as it is.
        let mut jpeg = with_orientation(&encoded(ImageFormat::Jpeg), 6);
        jpeg[20..34].fill(0xee);
        let (_folder, path) = file("photo.jpg", &jpeg);
        assert_eq!(read_image(&path).unwrap().width(), 40);
    }
}
