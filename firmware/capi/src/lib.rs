//! The engine and the model slots as a static library for C. Its header is
//! `host-trainer/export/src/templates/thimble.h`; `host-trainer export lib` writes both.
//!
//! This crate turns pointers into references and errors into status codes, and does nothing else.
//!
//! | module | content |
//! |---|---|
//! | `status` | status codes and their texts |
//! | `memory` | checks of pointers |
//! | `engine` | a model in scratch memory |
//! | `flash` | a flash that C reads, erases and writes |
//! | `slots` | two models in flash, and updates |
#![no_std]

mod engine;
mod flash;
mod memory;
mod slots;
mod status;

// SAFETY: no library has it: whoever links code that can panic is told so.
#[cfg(not(debug_assertions))]
unsafe extern "C" {
    safe fn thimble_can_panic() -> !;
}

/// Never linked: nothing here panics.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(not(debug_assertions))]
    thimble_can_panic();
    #[cfg(debug_assertions)]
    loop {
        core::hint::spin_loop();
    }
}
