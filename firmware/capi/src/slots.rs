//! Two models in flash, and updates.

use firmware::slots::{Accepted, FinishError, LastRun, Slots, Update, UpdateError};
use thimble_nn::Engine;

use crate::engine::{Handle, initialize};
use crate::flash::Flash;
use crate::memory::{check, slice, slice_mut, store};
use crate::status::Status;

/// Value of a handle that was initialized.
const INITIALIZED: u32 = 0x534c_4f54;
/// Words of `thimble_slots_t`.
const WORDS: usize = 32;

/// Contents of a `thimble_slots_t`.
#[repr(C)]
pub struct SlotsHandle {
    initialized: u32,
    slots: Slots<Flash>,
    update: Option<Update>,
}

const _: () = assert!(size_of::<SlotsHandle>() <= 4 * WORDS && align_of::<SlotsHandle>() <= 8);

/// Returns what a handle holds.
///
/// # Safety
/// `handle` is null or points to a `thimble_slots_t` that nobody else uses meanwhile.
unsafe fn held<'a>(handle: *mut SlotsHandle) -> Result<&'a mut SlotsHandle, Status> {
    check(handle)?;
    // SAFETY: the caller's promise. Only `thimble_slots_init` writes the word, with valid slots.
    unsafe {
        match (&raw const (*handle).initialized).read() {
            INITIALIZED => Ok(&mut *handle),
            _ => Err(Status::Uninitialized),
        }
    }
}

/// Initializes a handle for a flash.
///
/// # Safety
/// `handle` is null or points to a `thimble_slots_t`; `flash` is null or a flash as `thimble.h` asks
/// for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_slots_init(
    handle: *mut SlotsHandle,
    flash: *const Flash,
) -> Status {
    let init = || {
        check(handle)?;
        check(flash)?;
        // SAFETY: the caller's promise; the pointer is neither null nor unaligned.
        let flash = unsafe { flash.read() };
        if !flash.is_complete() {
            return Err(Status::Null);
        }
        let slots = Slots::new(flash).map_err(|_| Status::Flash)?;
        let held = SlotsHandle { initialized: INITIALIZED, slots, update: None };
        // SAFETY: the pointer is aligned and not null, and the caller promises the memory.
        unsafe { handle.write(held) };
        Ok(())
    };
    Status::of(init())
}

/// Chooses the model to run, and initializes an engine with it.
///
/// # Safety
/// As `thimble_init`; `slots` as for [`held`]; `slot` is null or a number to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_slots_start(
    handle: *mut SlotsHandle,
    hung: bool,
    engine: *mut Handle,
    built_in: *const u8,
    built_in_bytes: usize,
    scratch: *mut u32,
    scratch_bytes: usize,
    slot: *mut i32,
) -> Status {
    let start = || {
        // SAFETY: the caller's promise.
        let held = unsafe { held(handle)? };
        check(scratch)?;
        let last = if hung { LastRun::Hung } else { LastRun::Ended };
        // SAFETY: the caller's promise; the slice ends with each call.
        let tested = |model: &[u8]| unsafe { test(model, scratch, scratch_bytes) }.is_ok();
        let started = held.slots.start(last, tested);
        // SAFETY: the caller's promise.
        unsafe { store(slot, started.slot.map_or(-1, |slot| slot as i32)) };
        let model = match started.slot.and_then(|slot| held.slots.model(slot)) {
            // SAFETY: the flash stays where it is; updates change the slot that does not run.
            Some(model) => unsafe { slice::<u8>(model.as_ptr(), model.len())? },
            // SAFETY: the caller's promise.
            None => unsafe { slice(built_in, built_in_bytes)? },
        };
        // SAFETY: the caller's promise.
        unsafe { initialize(engine, model, scratch, scratch_bytes) }
    };
    Status::of(start())
}

/// Begins an update with a model of this length.
///
/// # Safety
/// `handle` as for [`held`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_update_begin(handle: *mut SlotsHandle, bytes: u32) -> Status {
    let begin = || {
        // SAFETY: the caller's promise.
        let held = unsafe { held(handle)? };
        held.update = None;
        held.update = Some(held.slots.begin(bytes).map_err(of_update)?);
        Ok(())
    };
    Status::of(begin())
}

/// Writes the next chunk of the model.
///
/// # Safety
/// `handle` as for [`held`]; `chunk` is null or memory of this length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_update_write(
    handle: *mut SlotsHandle,
    offset: u32,
    chunk: *const u8,
    bytes: usize,
) -> Status {
    let write = || {
        // SAFETY: the caller's promise.
        let (held, chunk) = unsafe { (held(handle)?, slice(chunk, bytes)?) };
        let update = held.update.as_mut().ok_or(Status::Incomplete)?;
        held.slots.write(update, offset, chunk).map_err(of_update)
    };
    Status::of(write())
}

/// Checks and tests the new model, and makes it current from the next start on.
///
/// # Safety
/// `handle` as for [`held`]; `scratch` is null or memory of this length that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_update_finish(
    handle: *mut SlotsHandle,
    scratch: *mut u32,
    scratch_bytes: usize,
) -> Status {
    let finish = || {
        // SAFETY: the caller's promise.
        let held = unsafe { held(handle)? };
        let update = held.update.take().ok_or(Status::Incomplete)?;
        // SAFETY: the caller's promise.
        let accept = |model: &[u8]| unsafe { test(model, scratch, scratch_bytes) };
        match held.slots.finish(update, accept) {
            Ok(_) => Ok(()),
            Err(FinishError::Rejected(status)) => Err(status),
            Err(FinishError::Incomplete { .. }) => Err(Status::Incomplete),
            Err(_) => Err(Status::Flash),
        }
    };
    Status::of(finish())
}

/// Goes back to the model before, from the next start on.
///
/// # Safety
/// `handle` as for [`held`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_roll_back(handle: *mut SlotsHandle) -> Status {
    // SAFETY: the caller's promise.
    Status::of(unsafe { held(handle) }.and_then(|held| match held.slots.roll_back() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Status::Incomplete),
        Err(_) => Err(Status::Flash),
    }))
}

/// Parses a model and runs its self-tests.
///
/// # Safety
/// `scratch` is null or memory of this length that nobody else uses.
unsafe fn test(model: &[u8], scratch: *mut u32, bytes: usize) -> Result<Accepted, Status> {
    // SAFETY: the caller's promise.
    let scratch = unsafe { slice_mut(scratch, bytes / 4)? };
    let mut engine = Engine::new(model, scratch)?;
    engine.self_test().map_err(|_| Status::SelfTest)?;
    Ok(Accepted { checksum: engine.model().checksum(), version: 0 })
}

fn of_update<E>(error: UpdateError<E>) -> Status {
    match error {
        UpdateError::TooLarge { .. } => Status::TooLarge,
        UpdateError::RestartFirst => Status::RestartFirst,
        UpdateError::OutOfOrder { .. } | UpdateError::ChunkSize { .. } => Status::Chunk,
        _ => Status::Flash,
    }
}
