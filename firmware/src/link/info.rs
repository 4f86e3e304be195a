//! Description of a device and its model.

use serde::{Deserialize, Serialize};

/// [`Info::stack_bytes`] when no byte of the stack was left unused.
pub const STACK_OVERRUN: u32 = u32::MAX;

/// Description of a device and of the model that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info<'a> {
    /// [`PROTOCOL`](super::PROTOCOL) of the device.
    pub protocol: u8,
    /// Name of the board.
    pub board: &'a str,
    /// Version of the firmware.
    pub firmware: &'a str,
    /// Name of the model.
    pub model: &'a str,
    /// CRC-32 of the model file.
    pub checksum: u32,
    /// Bytes of an input.
    pub input_bytes: u16,
    /// Bytes of an output.
    pub output_bytes: u16,
    /// Number of layers.
    pub layers: u8,
    /// Bytes of the model file.
    pub model_bytes: u32,
    /// Whether the model was copied to RAM at the start, and is read there.
    pub in_ram: bool,
    /// Bytes of scratch memory that the engine uses.
    pub scratch_bytes: u32,
    /// The most bytes of stack that have been in use, where the board measures it;
    /// [`STACK_OVERRUN`] if none was left.
    pub stack_bytes: Option<u32>,
    /// Frames since the start that were garbage, cut off or too long, and therefore dropped.
    pub bad_frames: u32,
    /// Readings since the start that lay beyond the range of the model's input and were clamped.
    pub saturated_inputs: u32,
    /// The slots for models, where the board has some.
    pub slots: Option<SlotsInfo>,
    /// Versions of signed models, where the device takes only those.
    pub signed: Option<SignedInfo>,
}

/// Description of a device's slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotsInfo {
    /// The slot that the model runs from, 0 or 1; none for the one that is built in.
    pub running: Option<u8>,
    /// Bytes of the largest model, and of its signature if the device asks for one.
    pub capacity: u32,
    /// Bytes of the largest chunk of an update.
    pub chunk: u32,
    /// Write unit of the flash: all chunks but the last are multiples of this many bytes.
    pub unit: u32,
    /// Number of the newest finished update, counted from 1; 0 if there has been none.
    pub updates: u32,
    /// Number of times that each slot has been erased.
    pub erases: [u32; 2],
}

/// Versions of signed models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInfo {
    /// The version that the model was signed with; none for the one that is built in.
    pub version: Option<u32>,
    /// The highest version that the device has accepted: a smaller one is refused.
    pub floor: u32,
    /// Whether going back and restarting need a signature, too.
    pub commands: bool,
}
