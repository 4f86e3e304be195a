//! What makes a slot current.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Bytes of a slot before its model.
pub const HEADER_LEN: usize = 64;
/// Bytes of a record, a multiple of what the flashes of all boards write at once.
pub(super) const RECORD_LEN: usize = 32;
/// Of these, those before its CRC-32.
const CONTENT_LEN: usize = 16;

/// The record of a slot whose model was written whole, checked and tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts the updates of the device from 1: the larger one is the newer.
    pub sequence: u32,
    /// Bytes of the model file.
    pub len: u32,
    /// CRC-32 that the model file states of itself.
    pub checksum: u32,
    /// How often the slot has been erased, for this model too.
    pub erases: u32,
}

impl Record {
    pub(super) fn to_bytes(self) -> [u8; RECORD_LEN] {
        // What is between stays erased. The CRC is written last: before it there is no record.
        let mut bytes = [0xff; RECORD_LEN];
        let words = [self.sequence, self.len, self.checksum, self.erases];
        let places = bytes.as_chunks_mut::<4>().0;
        for (place, word) in places.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        let crc = CRC.checksum(bytes.get(..CONTENT_LEN).unwrap_or_default()).to_le_bytes();
        if let Some(place) = bytes.last_chunk_mut() {
            *place = crc;
        }
        bytes
    }

    /// The record in the first bytes of a slot, unless they were erased or torn.
    fn from_bytes(record: &[u8; RECORD_LEN]) -> Option<Self> {
        let words = record.as_chunks::<4>().0;
        let word = |index: usize| words.get(index).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        let found = Record { sequence: word(0), len: word(1), checksum: word(2), erases: word(3) };
        // Sequence numbers start at 1, so that a slot of zeros is none; one of ones has no CRC.
        (found.sequence != 0 && found.to_bytes() == *record).then_some(found)
    }

    /// The record of a slot, unless it was erased, torn, or revoked since.
    pub(super) fn from_header(header: &[u8; HEADER_LEN]) -> Option<Self> {
        let (record, revoked) = header.split_first_chunk::<RECORD_LEN>()?;
        if revoked.iter().any(|byte| *byte != 0xff) {
            return None;
        }
        Self::from_bytes(record)
    }

    /// How often a slot has been erased by its record, which counts though it was revoked.
    pub(super) fn erases(header: &[u8; HEADER_LEN]) -> Option<u32> {
        Self::from_bytes(header.first_chunk()?).map(|record| record.erases)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record = Record { sequence: 7, len: 3147, checksum: 0xbbd9_0131, erases: 4 };

    fn header(record: [u8; RECORD_LEN]) -> [u8; HEADER_LEN] {
        let mut header = [0xff; HEADER_LEN];
        header[..RECORD_LEN].copy_from_slice(&record);
        header
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Record::from_header(&header(RECORD.to_bytes())), Some(RECORD));
        assert_eq!(Record::from_header(&[0xff; HEADER_LEN]), None);
        assert_eq!(Record::from_header(&[0; HEADER_LEN]), None);
    }

    #[test]
    fn a_torn_record_is_none() {
        let bytes = RECORD.to_bytes();
        // Writing a NOR flash turns ones into zeros: with power cut, some of them only.
        for kept in 0..RECORD_LEN {
            let mut torn = bytes;
            torn[kept..].fill(0xff);
            assert_eq!(Record::from_header(&header(torn)), None, "{kept} bytes");
        }
        for bit in 0..RECORD_LEN * 8 {
            let mut torn = bytes;
            torn[bit / 8] |= 1 << (bit % 8);
            if torn != bytes {
                assert_eq!(Record::from_header(&header(torn)), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_revoked_record_is_none() {
        let mut revoked = header(RECORD.to_bytes());
        revoked[40] = 0xfe;
        assert_eq!(Record::from_header(&revoked), None);
        assert_eq!(Record::erases(&revoked), Some(4));
    }
}
