//! Headers of model files for the payloads of tests (see FORMAT.md).

use crc::{CRC_32_ISO_HDLC, Crc};

/// Bytes before the payload: magic, version, payload length, CRC-32.
pub const HEADER_LEN: usize = 16;

/// Corrects the length and the checksum in the header, so that the later checks are reached.
pub fn sealed(mut file: Vec<u8>) -> Vec<u8> {
    let payload_len = (file.len() - HEADER_LEN) as u32;
    file[8..12].copy_from_slice(&payload_len.to_le_bytes());
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    digest.update(&file[..12]);
    digest.update(&file[HEADER_LEN..]);
    let checksum = digest.finalize().to_le_bytes();
    file[12..16].copy_from_slice(&checksum);
    file
}

/// Returns a file with this payload.
pub fn with_header(payload: &[u8]) -> Vec<u8> {
    let mut file = b"THMB\x02\0\0\0".to_vec();
    file.resize(HEADER_LEN, 0);
    file.extend(payload);
    sealed(file)
}
