//! Headers of slots: the record that makes a model current, and the marks that revoke it.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Bytes of a slot before its model.
pub const HEADER_LEN: usize = 256;
/// Bytes of a part of the header, a multiple of what the flashes of all boards write at once.
pub(super) const PART_LEN: usize = 32;
/// Content of a mark that is set. A mark is never set over zeros, so that no erase that power cuts
/// end makes one.
pub(super) const MARK: [u8; PART_LEN] = [0xa5; PART_LEN];
/// Least bytes of a note: a version and its complement, which nothing that is torn or erased has.
const NOTE_LEN: usize = 8;

/// Offsets of the parts of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Part {
    /// Erase counts of both slots; written after the erase.
    Tally = 0,
    /// The record of the model; written when an update ends.
    Record = 32,
    /// Set at the first start that finds the record.
    Seen = 64,
    /// Set when the model is no longer to be started.
    Revoked = 96,
    /// Set at the first start that finds no model to start here.
    Closed = 128,
    /// Versions that the other slot had reached before it was erased.
    Notes = 160,
}

/// The record of a slot whose model was written whole, checked and tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts the updates of the device from 1, and on from 1 behind the largest number.
    pub sequence: u32,
    /// Bytes of the model file, and of its version and signature.
    pub len: u32,
    /// CRC-32 that the model file states of itself.
    pub checksum: u32,
    /// Version that the model was signed with; 0 where nobody signs.
    pub version: u32,
    /// The highest version that the device had accepted when this was written.
    pub floor: u32,
}

impl Record {
    /// Returns whether this record is newer than another of the same device: sequence numbers are compared
    /// as RFC 1982 does, since the two of a device lie close to each other.
    pub(super) fn is_newer_than(&self, other: &Record) -> bool {
        (self.sequence.wrapping_sub(other.sequence) as i32) > 0
    }

    pub(super) fn to_bytes(self) -> [u8; PART_LEN] {
        let Record { sequence, len, checksum, version, floor } = self;
        sealed(&[sequence, len, checksum, version, floor])
    }

    fn from_bytes(part: &[u8; PART_LEN]) -> Option<Self> {
        let [sequence, len, checksum, version, floor, ..] = opened(part)?;
        // Sequence numbers start at 1, so that a slot of zeros has none.
        (sequence != 0).then_some(Record { sequence, len, checksum, version, floor })
    }
}

/// A part of a header with these words and the CRC-32 of all before it. What is between stays
/// erased. The CRC is written last: before it there is no such part.
pub(super) fn sealed(words: &[u32]) -> [u8; PART_LEN] {
    let mut part = [0xff; PART_LEN];
    for (place, word) in part.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
    if let Some((content, crc)) = part.split_last_chunk_mut::<4>() {
        *crc = CRC.checksum(content).to_le_bytes();
    }
    part
}

/// The words of a part that [`sealed`] made; none if it was erased or torn.
fn opened(part: &[u8; PART_LEN]) -> Option<[u32; PART_LEN / 4]> {
    let (content, crc) = part.split_last_chunk::<4>()?;
    if CRC.checksum(content).to_le_bytes() != *crc {
        return None;
    }
    let mut words = [0; PART_LEN / 4];
    for (word, bytes) in words.iter_mut().zip(part.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    Some(words)
}

/// A version and its complement, as a note has them at its beginning.
pub(super) fn note(version: u32) -> [u8; NOTE_LEN] {
    (u64::from(!version) << 32 | u64::from(version)).to_le_bytes()
}

/// Bytes from one note to the next in a flash that writes so many bytes at once.
pub(super) fn note_pitch(write_size: usize) -> usize {
    write_size.max(NOTE_LEN)
}

/// The header of a slot, as it lies in the flash.
#[derive(Clone, Copy)]
pub(super) struct Header<'f>(pub &'f [u8; HEADER_LEN]);

impl Header<'_> {
    pub fn part(&self, part: Part) -> &[u8; PART_LEN] {
        // Every part lies within the header.
        let bytes = self.0.get(part as usize..).and_then(|bytes| bytes.first_chunk());
        bytes.unwrap_or(&[0; PART_LEN])
    }

    fn is_blank(&self, part: Part) -> bool {
        self.part(part).iter().all(|byte| *byte == 0xff)
    }

    /// Erase counts of this slot and the other, as of the last erase of this one.
    pub fn tally(&self) -> Option<[u32; 2]> {
        let [own, other, ..] = opened(self.part(Part::Tally))?;
        Some([own, other])
    }

    /// The record, also of a model that is no longer to be started.
    pub fn written(&self) -> Option<Record> {
        Record::from_bytes(self.part(Part::Record))
    }

    /// The record of a model that may be started.
    pub fn record(&self) -> Option<Record> {
        let current = self.is_blank(Part::Revoked) && self.is_blank(Part::Closed);
        self.written().filter(|_| current)
    }

    /// Returns whether a start has found this header as it is: no update has begun, ended or been taken
    /// back since.
    pub fn is_settled(&self) -> bool {
        match self.record() {
            Some(_) => !self.is_blank(Part::Seen),
            None => *self.part(Part::Closed) == MARK,
        }
    }

    /// Returns whether a mark can be set without an erase.
    pub fn takes_mark(&self, part: Part) -> bool {
        self.part(part).iter().zip(MARK).all(|(byte, mark)| byte & mark == mark)
    }

    fn notes(&self, pitch: usize) -> impl Iterator<Item = (u32, &[u8])> {
        let notes = self.0.get(Part::Notes as usize..).unwrap_or_default();
        (Part::Notes as u32..).step_by(pitch).zip(notes.chunks_exact(pitch))
    }

    /// The highest version that the device has accepted, as far as this header tells.
    pub fn floor(&self, write_size: usize) -> u32 {
        let noted = self.notes(note_pitch(write_size)).filter_map(|(_, bytes)| {
            let bytes: &[u8; NOTE_LEN] = bytes.first_chunk()?;
            let version = u32::from_le_bytes(*bytes.first_chunk()?);
            (note(version) == *bytes).then_some(version)
        });
        noted.chain(self.written().map(|record| record.floor)).max().unwrap_or(0)
    }

    /// Offset of the next note that is free.
    pub fn free_note(&self, write_size: usize) -> Option<u32> {
        let mut notes = self.notes(note_pitch(write_size));
        notes.find(|(_, bytes)| bytes.iter().all(|byte| *byte == 0xff)).map(|(offset, _)| offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record =
        Record { sequence: 7, len: 3147, checksum: 0xbbd9_0131, version: 3, floor: 4 };

    fn with(parts: &[(Part, [u8; PART_LEN])]) -> [u8; HEADER_LEN] {
        let mut header = [0xff; HEADER_LEN];
        for (part, bytes) in parts {
            header[*part as usize..][..PART_LEN].copy_from_slice(bytes);
        }
        header
    }

    #[test]
    fn what_is_written_is_read() {
        let header = with(&[(Part::Record, RECORD.to_bytes()), (Part::Tally, sealed(&[5, 6]))]);
        let header = Header(&header);
        assert_eq!((header.record(), header.tally()), (Some(RECORD), Some([5, 6])));
        assert_eq!((header.floor(4), header.is_settled()), (4, false));
        for nothing in [0xff, 0] {
            let bytes = [nothing; HEADER_LEN];
            let header = Header(&bytes);
            assert_eq!((header.written(), header.tally(), header.floor(4)), (None, None, 0));
            assert!(!header.is_settled());
        }
    }

    #[test]
    fn a_torn_record_is_none() {
        let bytes = RECORD.to_bytes();
        // Writing a NOR flash turns ones into zeros: with power cut, some of them only.
        for kept in 0..PART_LEN {
            let mut torn = bytes;
            torn[kept..].fill(0xff);
            assert_eq!(Header(&with(&[(Part::Record, torn)])).record(), None, "{kept} bytes");
        }
        for bit in 0..PART_LEN * 8 {
            let mut torn = bytes;
            torn[bit / 8] |= 1 << (bit % 8);
            if torn != bytes {
                assert_eq!(Header(&with(&[(Part::Record, torn)])).record(), None, "bit {bit}");
            }
        }
    }

    #[test]
    fn a_mark_that_is_torn_revokes_and_does_not_close() {
        let mut torn = [0xff; PART_LEN];
        torn[8] = 0xa5;
        for part in [Part::Revoked, Part::Closed] {
            let header = with(&[(Part::Record, RECORD.to_bytes()), (part, torn)]);
            let header = Header(&header);
            assert_eq!((header.record(), header.written()), (None, Some(RECORD)));
            assert!(!header.is_settled() && header.takes_mark(part));
        }
        let closed = with(&[(Part::Record, RECORD.to_bytes()), (Part::Closed, MARK)]);
        assert!(Header(&closed).is_settled());
        assert!(!Header(&[0; HEADER_LEN]).takes_mark(Part::Closed));
    }

    #[test]
    fn a_note_is_a_version_and_its_complement() {
        assert_eq!(note(0x0102_0304), [4, 3, 2, 1, 0xfb, 0xfc, 0xfd, 0xfe]);
        // Its first half alone, before zeros as after an erase that was cut off, is none.
        let mut bytes = with(&[]);
        bytes[Part::Notes as usize..].fill(0);
        bytes[Part::Notes as usize..][..4].copy_from_slice(&note(9)[..4]);
        assert_eq!(Header(&bytes).floor(8), 0);
    }

    #[test]
    fn notes_raise_the_floor_until_there_are_no_more() {
        for (write_size, count) in [(1, 12), (4, 12), (8, 12), (16, 6), (32, 3)] {
            let mut bytes = with(&[(Part::Record, RECORD.to_bytes())]);
            for number in 0..count {
                let at = Header(&bytes).free_note(write_size).unwrap() as usize;
                assert!(at.is_multiple_of(write_size));
                bytes[at..at + NOTE_LEN].copy_from_slice(&note(10 + number));
                assert_eq!(Header(&bytes).floor(write_size), 10 + number);
            }
            assert_eq!(Header(&bytes).free_note(write_size), None, "{write_size}");
        }
    }

    #[test]
    fn sequence_numbers_go_on_behind_the_largest() {
        let at = |sequence| Record { sequence, ..RECORD };
        assert!(at(2).is_newer_than(&at(1)) && !at(1).is_newer_than(&at(2)));
        assert!(at(1).is_newer_than(&at(u32::MAX)) && !at(u32::MAX).is_newer_than(&at(1)));
        assert!(!at(5).is_newer_than(&at(5)));
    }
}
