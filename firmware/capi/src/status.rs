//! Status codes and their texts.

use core::ffi::{CStr, c_char};

use thimble_nn::{EngineError, InputError};

/// Result of a function: `thimble_status_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Success.
    Ok = 0,
    /// A pointer is null.
    Null = 1,
    /// A number of values or bytes is not that of the model.
    Length = 2,
    /// A pointer is not aligned.
    Alignment = 3,
    /// A handle was not initialized.
    Uninitialized = 4,
    /// The bytes are no model, or a damaged one.
    Model = 5,
    /// The model is packed for another core.
    Layout = 6,
    /// The scratch memory is too small.
    Scratch = 7,
    /// The model takes no such readings, or has no such answer.
    Kind = 8,
    /// A real number is NaN.
    NotANumber = 9,
    /// An output of a self-test differs.
    SelfTest = 10,
    /// The flash could not be erased or written, or has no room for slots.
    Flash = 11,
    /// The model is larger than a slot.
    TooLarge = 12,
    /// A chunk is not the next one, or no multiple of 32 bytes.
    Chunk = 13,
    /// Both slots are in use until the device restarts.
    RestartFirst = 14,
    /// No update was begun, or bytes of it are missing.
    Incomplete = 15,
}

impl Status {
    /// Status of a result.
    pub fn of(result: Result<(), Status>) -> Status {
        match result {
            Ok(()) => Status::Ok,
            Err(status) => status,
        }
    }

    fn text(code: u32) -> &'static CStr {
        match code {
            0 => c"success",
            1 => c"a pointer is null",
            2 => c"a number of values or bytes is not that of the model",
            3 => c"a pointer is not aligned to four bytes",
            4 => c"the handle was not initialized",
            5 => c"the bytes are no model, or the model is damaged",
            6 => c"the model is packed for another core: pack it with host-trainer pack --for CORE",
            7 => c"the scratch memory is too small for the model",
            8 => c"the model takes no such readings, or has no such answer",
            9 => c"a real number is NaN",
            10 => c"an output of a self-test differs: the model or the program is damaged",
            11 => c"the flash could not be erased or written, or has no room for two slots",
            12 => c"the model is larger than a slot",
            13 => c"a chunk is not the next one, or is no multiple of 32 bytes",
            14 => c"both slots are in use: restart, then update",
            15 => c"no update was begun, or bytes of the model are missing",
            _ => c"unknown status",
        }
    }
}

impl From<EngineError> for Status {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Scratch { .. } => Status::Scratch,
            EngineError::Layout { .. } => Status::Layout,
            EngineError::Unaligned => Status::Alignment,
            _ => Status::Model,
        }
    }
}

impl From<InputError> for Status {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Length { .. } | InputError::ByteLength { .. } => Status::Length,
            InputError::NotANumber { .. } => Status::NotANumber,
            _ => Status::Kind,
        }
    }
}

/// Returns the text of a status.
#[unsafe(no_mangle)]
pub extern "C" fn thimble_status_text(code: u32) -> *const c_char {
    Status::text(code).as_ptr()
}
