//! The sixteen bytes before the payload.

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::Error;

/// The first four bytes of a model file.
pub const MAGIC: [u8; 4] = *b"THMB";
/// The format version that this build reads and writes.
pub const VERSION: u32 = 2;
/// Bytes of the header.
pub const HEADER_LEN: usize = 16;

/// CRC-32/ISO-HDLC, the checksum of zlib and Ethernet. On a device without a table: a table is a
/// kilobyte of flash, and a model is checked once.
const CRC: Crc<u32, Lookup> = Crc::<u32, Lookup>::new(&CRC_32_ISO_HDLC);

#[cfg(not(feature = "std"))]
type Lookup = crc::NoTable;
#[cfg(feature = "std")]
type Lookup = crc::Table<16>;

/// The header of a model file.
///
/// | bytes | content |
/// |---|---|
/// | 0..4 | magic, `THMB` |
/// | 4..8 | format version, little-endian |
/// | 8..12 | payload length in bytes, little-endian |
/// | 12..16 | CRC-32 of bytes 0..12 and the payload, little-endian |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole file in bytes, header included.
    pub file_len: usize,
    /// CRC-32 of the file, which also tells one model from another.
    pub checksum: u32,
}

impl Header {
    /// Reads the header alone, for one who must know a file's length before its bytes are there.
    ///
    /// # Errors
    /// [`Error::HeaderLength`], [`Error::Magic`], [`Error::Version`]; [`Error::Length`] for a
    /// payload that no 32-bit address space holds.
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            // Something that is not a model at all is better told so than told that it is short.
            return Err(match bytes.iter().zip(&MAGIC).all(|(a, b)| a == b) {
                true => Error::HeaderLength { actual: bytes.len() },
                false => Error::Magic,
            });
        };
        let &[magic, version, payload_len, checksum] = header.as_chunks().0 else {
            return Err(Error::HeaderLength { actual: bytes.len() });
        };
        if magic != MAGIC {
            return Err(Error::Magic);
        }
        let found = u32::from_le_bytes(version);
        if found != VERSION {
            return Err(Error::Version { found });
        }
        let payload_len = u32::from_le_bytes(payload_len) as usize;
        match payload_len.checked_add(HEADER_LEN) {
            Some(file_len) => Ok(Header { file_len, checksum: u32::from_le_bytes(checksum) }),
            None => Err(Error::Length { stated: payload_len, actual: bytes.len() }),
        }
    }

    /// Checks the header against the whole file and returns it with the payload.
    pub(crate) fn open(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let header = Header::read(bytes)?;
        if bytes.len() != header.file_len {
            return Err(Error::Length { stated: header.file_len, actual: bytes.len() });
        }
        let Some((head, payload)) = bytes.split_at_checked(HEADER_LEN) else {
            return Err(Error::HeaderLength { actual: bytes.len() });
        };
        let computed = checksum(head, payload);
        if computed != header.checksum {
            return Err(Error::Checksum { stated: header.checksum, computed });
        }
        Ok((header, payload))
    }

    /// The header for this payload, as bytes.
    #[cfg(any(feature = "std", test))]
    pub(crate) fn bytes_for(payload: &[u8]) -> Result<[u8; HEADER_LEN], Error> {
        let too_long = Error::Length { stated: payload.len(), actual: payload.len() };
        let payload_len = u32::try_from(payload.len()).map_err(|_| too_long)?;
        let mut header = [0; HEADER_LEN];
        header[..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&VERSION.to_le_bytes());
        header[8..12].copy_from_slice(&payload_len.to_le_bytes());
        let crc = checksum(&header, payload);
        header[12..].copy_from_slice(&crc.to_le_bytes());
        Ok(header)
    }
}

/// CRC-32 of the header's first twelve bytes and the payload.
fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    for bytes in [header.get(..12).unwrap_or_default(), payload] {
        digest.update(bytes);
    }
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(payload: &[u8]) -> Vec<u8> {
        let mut file = Header::bytes_for(payload).unwrap().to_vec();
        file.extend_from_slice(payload);
        file
    }

    #[test]
    fn the_bytes_are_pinned() {
        assert_eq!(
            file(b"abc"),
            *b"THMB\x02\x00\x00\x00\x03\x00\x00\x00G\x88\xce$abc",
            "the header's layout is a contract"
        );
    }

    #[test]
    fn opens_what_it_wrote() {
        let file = file(b"abc");
        let (header, payload) = Header::open(&file).unwrap();
        assert_eq!((header.file_len, payload), (19, &b"abc"[..]));
    }

    #[test]
    fn refuses_by_name() {
        let good = file(b"abc");
        assert_eq!(Header::open(b"PK\x03\x04"), Err(Error::Magic));
        assert_eq!(Header::open(b"TH"), Err(Error::HeaderLength { actual: 2 }));
        assert_eq!(Header::open(&good[..18]), Err(Error::Length { stated: 19, actual: 18 }));
        for found in [1, 3] {
            let mut other = good.clone();
            other[4] = found;
            assert_eq!(Header::open(&other), Err(Error::Version { found: found.into() }));
        }
        let mut flipped = good.clone();
        flipped[17] ^= 1;
        assert!(matches!(Header::open(&flipped), Err(Error::Checksum { .. })));
        let longer = [&good[..], b"x"].concat();
        assert_eq!(Header::open(&longer), Err(Error::Length { stated: 19, actual: 20 }));
    }
}
