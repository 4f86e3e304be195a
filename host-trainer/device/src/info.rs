//! Device information.

use firmware::link::{Info, SignedInfo, SlotsInfo};

use thimble_support::foreign_text::shown;

/// Identity and model of a device: an owned [`Info`], with its texts escaped by [`shown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Name of the board.
    pub board: String,
    /// Version of the firmware.
    pub firmware: String,
    /// Name of the model.
    pub model: String,
    /// CRC-32 of the model file.
    pub checksum: u32,
    /// Size of an input in bytes.
    pub input_bytes: usize,
    /// Size of an output in bytes.
    pub output_bytes: usize,
    /// Number of layers.
    pub layers: usize,
    /// Size of the model file in bytes.
    pub model_bytes: u32,
    /// Whether the device copied the model to RAM at its start, and reads it there.
    pub in_ram: bool,
    /// Scratch memory of the engine in bytes.
    pub scratch_bytes: u32,
    /// Maximum stack usage in bytes, where the board measures it;
    /// [`STACK_OVERRUN`](firmware::link::STACK_OVERRUN) if the stack overflowed.
    pub stack_bytes: Option<u32>,
    /// Frames since the start that were dropped as garbage, truncated or too long.
    pub bad_frames: u32,
    /// Number of sensor readings since the start that saturated at the model's input.
    pub saturated_inputs: u32,
    /// Slots for models, where the board has them.
    pub slots: Option<SlotsInfo>,
    /// Versions of signed models, where the device requires signatures.
    pub signed: Option<SignedInfo>,
}

impl From<Info<'_>> for DeviceInfo {
    fn from(info: Info<'_>) -> Self {
        DeviceInfo {
            board: shown(info.board),
            firmware: shown(info.firmware),
            model: shown(info.model),
            checksum: info.checksum,
            input_bytes: info.input_bytes.into(),
            output_bytes: info.output_bytes.into(),
            layers: info.layers.into(),
            model_bytes: info.model_bytes,
            in_ram: info.in_ram,
            scratch_bytes: info.scratch_bytes,
            stack_bytes: info.stack_bytes,
            bad_frames: info.bad_frames,
            saturated_inputs: info.saturated_inputs,
            slots: info.slots,
            signed: info.signed,
        }
    }
}
