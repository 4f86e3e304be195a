//! What a device says of itself.

use firmware::link::{Info, SignedInfo, SlotsInfo};

use thimble_support::foreign_text::shown;

/// Who a device is and what it runs: [`Info`], to keep, with its texts as [`shown`] makes them.
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
    /// Bytes of an input.
    pub input_bytes: usize,
    /// Bytes of an output.
    pub output_bytes: usize,
    /// Number of layers.
    pub layers: usize,
    /// Bytes of the model file.
    pub model_bytes: u32,
    /// Bytes of scratch memory that the engine uses.
    pub scratch_bytes: u32,
    /// The most bytes of stack that have been in use, where the board measures it;
    /// [`STACK_OVERRUN`](firmware::link::STACK_OVERRUN) if none was left.
    pub stack_bytes: Option<u32>,
    /// Frames since the start that were garbage, cut off or too long, and therefore dropped.
    pub bad_frames: u32,
    /// Counts of sensors since the start that lay beyond what the model's input can say.
    pub saturated_inputs: u32,
    /// The slots for models, where the board has some.
    pub slots: Option<SlotsInfo>,
    /// Versions of signed models, where the device takes only those.
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
            scratch_bytes: info.scratch_bytes,
            stack_bytes: info.stack_bytes,
            bad_frames: info.bad_frames,
            saturated_inputs: info.saturated_inputs,
            slots: info.slots,
            signed: info.signed,
        }
    }
}
