//! Parser of the IDX format of MNIST, gzipped or not.
//!
//! Layout (<http://yann.lecun.com/exdb/mnist/>): two zero bytes, the element type (8 for bytes),
//! the number of dimensions, each dimension as a big-endian u32, then the elements.

use std::io::Read;

use flate2::read::GzDecoder;

use super::Error;

/// Largest accepted size of an unpacked file.
const MOST_BYTES: u64 = 1 << 30;

/// An IDX file of bytes as an N-dimensional array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Idx<const N: usize> {
    /// Length along each dimension.
    pub dimensions: [usize; N],
    /// Elements in row-major order.
    pub elements: Vec<u8>,
}

impl<const N: usize> Idx<N> {
    /// Parses the content of `file`, unpacked first if it is gzipped.
    ///
    /// # Errors
    /// [`Error::Format`] with `file` and `remedy`.
    pub fn read(content: Vec<u8>, file: &str, remedy: &'static str) -> Result<Self, Error> {
        let fail = |problem: String| Error::Format { file: file.to_string(), problem, remedy };
        let content = unpack(content, file).map_err(fail)?;
        Self::parse(content).map_err(fail)
    }

    fn parse(mut content: Vec<u8>) -> Result<Self, String> {
        let Some((&[zero0, zero1, element, dimension_count], mut rest)) =
            content.split_first_chunk::<4>()
        else {
            return Err(format!("cut off: {} bytes are not even a header", content.len()));
        };
        let magic = u32::from_be_bytes([zero0, zero1, element, dimension_count]);
        let expected = 0x0800 + N as u32;
        if magic != expected {
            return Err(format!(
                "begins with {magic:#010x}, an IDX file of this kind with {expected:#010x}"
            ));
        }
        let mut dimensions = [0; N];
        for dimension in &mut dimensions {
            let Some((bytes, tail)) = rest.split_first_chunk::<4>() else {
                return Err("cut off inside the header".to_string());
            };
            *dimension = u32::from_be_bytes(*bytes) as usize;
            rest = tail;
        }
        let stated = dimensions.iter().try_fold(1_usize, |product, &d| product.checked_mul(d));
        if stated != Some(rest.len()) {
            let stated = stated.map_or("too many".to_string(), |stated| stated.to_string());
            return Err(format!(
                "its header states {dimensions:?}, {stated} elements, but {} are there",
                rest.len()
            ));
        }
        // In place: a copy of MNIST's images would dominate the memory of a training.
        let header = content.len() - rest.len();
        content.drain(..header);
        content.shrink_to_fit();
        Ok(Idx { dimensions, elements: content })
    }
}

/// Returns the content, unpacked if it is gzipped.
fn unpack(content: Vec<u8>, file: &str) -> Result<Vec<u8>, String> {
    if !content.starts_with(&[0x1f, 0x8b]) {
        return match file.ends_with(".gz") {
            true => Err("is named .gz, but is not gzipped".to_string()),
            false => Ok(content),
        };
    }
    let mut unpacked = Vec::with_capacity(content.len().saturating_mul(4));
    match GzDecoder::new(content.as_slice()).take(MOST_BYTES + 1).read_to_end(&mut unpacked) {
        Ok(_) if unpacked.len() as u64 > MOST_BYTES => {
            Err(format!("unpacks to more than {MOST_BYTES} bytes"))
        }
        Ok(_) => Ok(unpacked),
        Err(error) => Err(format!("cut off or damaged: unpacking fails ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const FILE: &[u8] = &[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(content: &[u8], file: &str) -> Result<Idx<2>, Error> {
        Idx::read(content.to_vec(), file, "Fetch it again.")
    }

    #[test]
    fn plain_and_gzipped_files_read_alike() {
        let plain = read(FILE, "a").unwrap();
        assert_eq!(plain.dimensions, [2, 3]);
        assert_eq!(plain.elements, [1, 2, 3, 4, 5, 6]);
        assert_eq!(read(&gzip(FILE), "a.gz").unwrap(), plain);
        assert_eq!(read(&gzip(FILE), "a").unwrap(), plain);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused_by_name() {
        let gzipped = gzip(FILE);
        for length in 0..FILE.len() {
            let message = read(&FILE[..length], "some-file").unwrap_err().to_string();
            assert!(message.starts_with("some-file: "), "{message}");
            assert!(message.ends_with("Fetch it again."), "{message}");
        }
        for length in 0..gzipped.len() {
            assert!(read(&gzipped[..length], "some-file.gz").is_err(), "cut at {length}");
        }
    }

    #[test]
    fn wrong_magic_size_and_packing_are_told_apart() {
        let message = |content: &[u8], file| read(content, file).unwrap_err().to_string();
        assert!(message(FILE, "a.gz").contains("not gzipped"));
        let mut wrong = FILE.to_vec();
        wrong[3] = 3;
        assert!(message(&wrong, "a").contains("0x00000803"));
        let mut long = FILE.to_vec();
        long.push(7);
        assert!(message(&long, "a").contains("6 elements, but 7 are there"));
        let mut huge = FILE.to_vec();
        huge[4..12].fill(0xff);
        assert!(read(&huge, "a").is_err());
    }
}
