//! The functions that a page calls.
//!
//! No pointer comes in: a page writes into the buffer and reads the result by their addresses.

use std::cell::RefCell;

use crate::picture;
use crate::session::Session;

/// Buffers of the module and its model.
#[derive(Default)]
struct Module {
    buffer: Vec<u8>,
    result: Vec<u8>,
    session: Option<Session>,
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
}

impl Module {
    /// Keeps a result; returns 0, or 1 for an error.
    fn finish(&mut self, result: Result<Vec<u8>, String>) -> u32 {
        let status = u32::from(result.is_err());
        self.result = result.unwrap_or_else(String::into_bytes);
        status
    }
}

/// Returns the address of a buffer of this many bytes, whose content is zero.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_buffer(len: usize) -> usize {
    MODULE.with_borrow_mut(|module| {
        module.buffer = vec![0; len];
        module.buffer.as_ptr().addr()
    })
}

/// Returns the address of the result of the last call.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_result() -> usize {
    MODULE.with_borrow(|module| module.result.as_ptr().addr())
}

/// Returns the length of the result of the last call in bytes.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_result_len() -> usize {
    MODULE.with_borrow(|module| module.result.len())
}

/// Loads the model file in the buffer.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_load() -> u32 {
    MODULE.with_borrow_mut(|module| {
        let loaded = Session::load(std::mem::take(&mut module.buffer));
        let described = loaded.map(|session| module.session.insert(session).describe());
        module.finish(described)
    })
}

/// Runs the model on the input in the buffer: values (0), counts (1) or real numbers (2).
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_run(form: u32) -> u32 {
    MODULE.with_borrow_mut(|module| {
        let Module { session, buffer, .. } = module;
        let result = match session {
            Some(session) => session.run(form, buffer),
            None => Err("no model is loaded".into()),
        };
        module.finish(result)
    })
}

/// Runs the self-tests of the model; returns their number, or −1 if one fails.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_self_test() -> i32 {
    MODULE.with_borrow_mut(|module| {
        let passed = match &mut module.session {
            Some(session) => session.self_test(),
            None => Err("no model is loaded".into()),
        };
        let count = passed.as_ref().map_or(-1, |count| *count);
        module.finish(passed.map(|_| Vec::new()));
        count
    })
}

/// Preprocesses the image in the buffer, behind `text` bytes that describe the preprocessing.
// SAFETY: no other symbol has this name.
#[allow(unsafe_code)]
#[unsafe(no_mangle)]
pub extern "C" fn thimble_prepare(text: usize, width: u32, height: u32) -> u32 {
    MODULE.with_borrow_mut(|module| {
        let prepared = picture::prepare(std::mem::take(&mut module.buffer), text, width, height);
        module.finish(prepared)
    })
}
