//! Framing of records in a TFRecord file: length, masked CRC-32C of the length, data, masked CRC-32C of
//! the data, all little-endian.
//!
//! Source: TensorFlow, *TFRecord and tf.train.Example*, section "TFRecords format details".

use std::io::{self, Write};

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C, by Castagnoli's polynomial.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// Constant of the mask.
const MASK: u32 = 0xa282_ead8;

/// Writes a record.
pub(super) fn write(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(data)?;
    out.write_all(&masked(data).to_le_bytes())
}

fn masked(data: &[u8]) -> u32 {
    CRC.checksum(data).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_both_checksums() {
        // The check value of CRC-32C, of the digits 1 to 9.
        assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
        let mut file = Vec::new();
        write(&mut file, b"123456789").unwrap();
        assert_eq!(file.len(), 8 + 4 + 9 + 4);
        assert_eq!(file[..8], [9, 0, 0, 0, 0, 0, 0, 0]);
        // Rotated right by 15 bits, with the mask's constant added.
        let expected = 0xc78a_b0e5_u32;
        assert_eq!(file[21..], expected.to_le_bytes());
    }
}
