//! How deep the stack went: it is painted, and what is no longer paint was used.

#[cfg(target_arch = "arm")]
use cortex_m_rt::STACK_PAINT_VALUE as PAINT;

unsafe extern "C" {
    // The linker script's: the stack grows down from `_stack_start` to `_stack_end` at most.
    static _stack_start: u32;
    static _stack_end: u32;
}

/// What `stack::depth_of` leaves unpainted below the stack pointer, for its own frame, in bytes.
const MARGIN: usize = 64;

/// Bytes of stack that were used at the deepest since the start, or since [`depth_of`] painted
/// it again. The start-up code has painted all of it.
pub fn high_water() -> usize {
    top() - deepest()
}

/// Bytes of stack that `work` uses at its deepest, itself included.
#[inline(never)]
pub fn depth_of<R>(work: impl FnOnce() -> R) -> usize {
    let from = stack_pointer();
    repaint(from - MARGIN);
    work();
    from.saturating_sub(deepest())
}

/// Address just above the stack.
fn top() -> usize {
    &raw const _stack_start as usize
}

/// Address of the lowest word that is no longer paint.
fn deepest() -> usize {
    let mut word = &raw const _stack_end;
    // SAFETY: from `_stack_end` up to `_stack_start` is RAM that belongs to nothing but the stack;
    // it is read by words, on word boundaries, and volatile, since frames in use lie there too.
    while (word as usize) < top() && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    word as usize
}

/// Paints the free part of the stack, up to the address `below`.
fn repaint(below: usize) {
    let mut word = (&raw const _stack_end).cast_mut();
    while (word as usize) < below {
        // SAFETY: it is RAM of the stack below every frame in use: `below` is `MARGIN` under the
        // caller's stack pointer, and this function's own frame is smaller than that. An interrupt
        // may use what is painted here, but has returned before the next word is.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

#[cfg(target_arch = "arm")]
fn stack_pointer() -> usize {
    cortex_m::register::msp::read() as usize
}
