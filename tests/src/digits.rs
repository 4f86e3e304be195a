//! The embedded digits, parsed independently of the trainer.

use std::io::Read;

use crate::workspace::{read, root};

/// Pixels of a digit, 8 × 8.
pub const PIXELS: usize = 64;

/// All 1,797 digits as int8, pixel − 128.
pub fn all() -> Vec<Vec<i8>> {
    let packed = read(root().join("host-trainer/data/digits/images.idx3.gz"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).expect("gzip");
    assert_eq!(bytes[..4], [0, 0, 8, 3], "an IDX file of bytes in three dimensions");
    let quantize = |pixel: &u8| (i32::from(*pixel) - 128) as i8;
    let digits = bytes[16..].chunks_exact(PIXELS);
    let digits: Vec<Vec<i8>> = digits.map(|digit| digit.iter().map(quantize).collect()).collect();
    assert_eq!(digits.len(), 1797);
    digits
}
