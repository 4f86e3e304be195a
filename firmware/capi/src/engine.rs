//! A model in scratch memory.

use core::ffi::c_char;

use thimble_nn::{Answer, Engine, Model};

use crate::memory::{check, copy, slice, slice_mut, store};
use crate::status::Status;

/// Value of a handle that was initialized.
const INITIALIZED: u32 = 0x5448_4d42;
/// Words of `thimble_engine_t`.
const WORDS: usize = 40;

/// Contents of a `thimble_engine_t`.
#[repr(C)]
pub struct Handle {
    initialized: u32,
    engine: Engine<'static, 'static>,
}

const _: () = assert!(size_of::<Handle>() <= 4 * WORDS && align_of::<Handle>() <= 8);

/// Returns the engine of a handle.
///
/// # Safety
/// `handle` is null or points to a `thimble_engine_t` that nobody else uses meanwhile.
unsafe fn engine<'a>(handle: *mut Handle) -> Result<&'a mut Engine<'static, 'static>, Status> {
    check(handle)?;
    // SAFETY: the caller's promise. Only `initialize` writes the word, behind a valid engine.
    unsafe {
        if (&raw const (*handle).initialized).read() != INITIALIZED {
            return Err(Status::Uninitialized);
        }
        Ok(&mut (*handle).engine)
    }
}

/// Makes an engine in a handle.
///
/// # Safety
/// `handle` is null or points to a `thimble_engine_t`; `model` and `scratch` are memory of those
/// lengths, or null, which stays as long as the handle is used, `scratch` for nobody else.
pub unsafe fn initialize(
    handle: *mut Handle,
    model: &'static [u8],
    scratch: *mut u32,
    scratch_bytes: usize,
) -> Result<(), Status> {
    check(handle)?;
    // SAFETY: the caller's promise.
    let scratch = unsafe { slice_mut(scratch, scratch_bytes / 4)? };
    let engine = Engine::new(model, scratch)?;
    // SAFETY: the pointer is aligned and not null, and the caller promises the memory.
    unsafe { handle.write(Handle { initialized: INITIALIZED, engine }) };
    Ok(())
}

/// Initializes a handle for a model.
///
/// # Safety
/// As [`initialize`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_init(
    handle: *mut Handle,
    model: *const u8,
    model_bytes: usize,
    scratch: *mut u32,
    scratch_bytes: usize,
) -> Status {
    // SAFETY: the caller's promise.
    Status::of(unsafe { slice(model, model_bytes) }.and_then(|model| {
        // SAFETY: the caller's promise.
        unsafe { initialize(handle, model, scratch, scratch_bytes) }
    }))
}

/// Stores the bytes of scratch memory that a model needs.
///
/// # Safety
/// `model` is memory of this length, or null; `bytes` is null or a number to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_scratch_bytes(
    model: *const u8,
    model_bytes: usize,
    bytes: *mut usize,
) -> Status {
    // SAFETY: the caller's promise.
    Status::of(unsafe { slice(model, model_bytes) }.and_then(|model| {
        let model: Model<'_> = Model::parse(model).map_err(|_| Status::Model)?;
        // SAFETY: the caller's promise.
        unsafe { store(bytes, model.scratch_len().wrapping_mul(4)) };
        Ok(())
    }))
}

/// Stores numbers of values and of their bytes.
///
/// # Safety
/// `handle` as for [`engine`]; the others are null or numbers to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_shape(
    handle: *mut Handle,
    inputs: *mut usize,
    input_bytes: *mut usize,
    outputs: *mut usize,
    output_bytes: *mut usize,
) -> Status {
    // SAFETY: the caller's promise.
    Status::of(unsafe { engine(handle) }.map(|engine| {
        let model = engine.model();
        // SAFETY: the caller's promise.
        unsafe {
            store(inputs, model.input_len());
            store(input_bytes, model.input_bytes());
            store(outputs, model.output_len());
            store(output_bytes, model.output_bytes());
        }
    }))
}

/// Runs the model on the bytes of quantized values.
///
/// # Safety
/// `handle` as for [`engine`]; the others are null or memory of these lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_run(
    handle: *mut Handle,
    input: *const u8,
    input_bytes: usize,
    output: *mut u8,
    output_bytes: usize,
) -> Status {
    let run = || {
        // SAFETY: the caller's promise.
        let (engine, input, output) = unsafe {
            (engine(handle)?, slice(input, input_bytes)?, slice_mut(output, output_bytes)?)
        };
        write(engine.run_bytes(input)?, output)
    };
    Status::of(run())
}

/// Runs the model on raw counts.
///
/// # Safety
/// As [`thimble_run`]; `saturated` is null or a number to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_run_counts(
    handle: *mut Handle,
    counts: *const i16,
    inputs: usize,
    output: *mut u8,
    output_bytes: usize,
    saturated: *mut u32,
) -> Status {
    let run = || {
        // SAFETY: the caller's promise.
        let (engine, counts, output) =
            unsafe { (engine(handle)?, slice(counts, inputs)?, slice_mut(output, output_bytes)?) };
        let answer = engine.run_counts(counts)?;
        // SAFETY: the caller's promise.
        unsafe { store(saturated, answer.saturated()) };
        write(answer.bytes(), output)
    };
    Status::of(run())
}

/// Runs the model on real numbers.
///
/// # Safety
/// As [`thimble_run_counts`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_run_reals(
    handle: *mut Handle,
    reals: *const f32,
    inputs: usize,
    output: *mut u8,
    output_bytes: usize,
    saturated: *mut u32,
) -> Status {
    let run = || {
        // SAFETY: the caller's promise.
        let (engine, reals, output) =
            unsafe { (engine(handle)?, slice(reals, inputs)?, slice_mut(output, output_bytes)?) };
        let answer = engine.run_reals(reals)?;
        // SAFETY: the caller's promise.
        unsafe { store(saturated, answer.saturated()) };
        write(answer.bytes(), output)
    };
    Status::of(run())
}

/// Stores the index of the class that outputs stand for.
///
/// # Safety
/// As [`thimble_run`]; `index` is null or a number to be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_class(
    handle: *mut Handle,
    output: *const u8,
    output_bytes: usize,
    index: *mut usize,
) -> Status {
    let class = || {
        // SAFETY: the caller's promise.
        let (engine, output) = unsafe { (engine(handle)?, slice(output, output_bytes)?) };
        check_length(engine.model().output_bytes(), output_bytes)?;
        let class = Answer::new(engine.model(), output).class().ok_or(Status::Kind)?;
        // SAFETY: the caller's promise.
        unsafe { store(index, class.index()) };
        Ok(())
    };
    Status::of(class())
}

/// Writes the label of a class, cut off to `size` bytes with the zero at its end.
///
/// # Safety
/// `handle` as for [`engine`]; `text` is null or memory of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_label(
    handle: *mut Handle,
    index: usize,
    text: *mut c_char,
    size: usize,
) -> Status {
    let label = || {
        // SAFETY: the caller's promise.
        let (engine, text) = unsafe { (engine(handle)?, slice_mut(text.cast::<u8>(), size)?) };
        let labels = engine.model().output().kind.labels().ok_or(Status::Kind)?;
        let label = labels.get(index).ok_or(Status::Length)?;
        let (end, room) = text.split_last_mut().ok_or(Status::Length)?;
        *end = 0;
        copy(label.as_bytes(), room);
        if let Some(end) = room.get_mut(label.len()) {
            *end = 0;
        }
        Ok(())
    };
    Status::of(label())
}

/// Stores the real value that an output stands for.
///
/// # Safety
/// As [`thimble_class`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_real(
    handle: *mut Handle,
    output: *const u8,
    output_bytes: usize,
    index: usize,
    value: *mut f32,
) -> Status {
    let real = || {
        // SAFETY: the caller's promise.
        let (engine, output) = unsafe { (engine(handle)?, slice(output, output_bytes)?) };
        check_length(engine.model().output_bytes(), output_bytes)?;
        let answer = Answer::new(engine.model(), output);
        let real = answer.reals().nth(index).ok_or(Status::Length)?;
        // SAFETY: the caller's promise.
        unsafe { store(value, real) };
        Ok(())
    };
    Status::of(real())
}

/// Runs the self-tests of the model file.
///
/// # Safety
/// `handle` as for [`engine`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn thimble_self_test(handle: *mut Handle) -> Status {
    // SAFETY: the caller's promise.
    Status::of(
        unsafe { engine(handle) }
            .and_then(|engine| engine.self_test().map(|_| ()).map_err(|_| Status::SelfTest)),
    )
}

fn write(from: &[u8], to: &mut [u8]) -> Result<(), Status> {
    check_length(from.len(), to.len())?;
    copy(from, to);
    Ok(())
}

fn check_length(expected: usize, given: usize) -> Result<(), Status> {
    if expected == given { Ok(()) } else { Err(Status::Length) }
}
