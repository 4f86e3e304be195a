//! Model files with a header that fits: no fuzzer guesses a checksum.

use crc::{CRC_32_ISO_HDLC, Crc};

/// The payload behind its header (see FORMAT.md).
pub fn with_header(payload: &[u8]) -> Vec<u8> {
    let mut file = b"THMB".to_vec();
    file.extend(2u32.to_le_bytes());
    file.extend((payload.len() as u32).to_le_bytes());
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    digest.update(&file);
    digest.update(payload);
    file.extend(digest.finalize().to_le_bytes());
    file.extend(payload);
    file
}
