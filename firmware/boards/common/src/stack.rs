//! Stack depth, measured by painting: bytes that are no longer paint were used.
//!
//! It lies below the statics, and ends where RAM begins (see [`fault`](crate::fault)).

#[cfg(target_arch = "arm")]
use cortex_m_rt::STACK_PAINT_VALUE as PAINT;

/// The paint, which is that of cortex-m-rt.
#[cfg(target_arch = "riscv32")]
const PAINT: u32 = 0xcccc_cccc;

// SAFETY: the linker script defines both; nothing but their addresses is used.
unsafe extern "C" {
    // The linker script's: the stack grows down from `_stack_start` to the end at most.
    static _stack_start: u32;
    #[link_name = "_stack_end"]
    static END: u32;
}

/// Bytes below the stack pointer that [`depth_of`] leaves unpainted, for its own frame.
const MARGIN: usize = 64;
/// The most bytes of stack that [`depth_of`] paints: a greater depth is reported
/// as this.
const PAINTED: usize = 32 * 1024;

/// Paints what is free of the stack. On Arm the start-up code has done so; elsewhere a board calls
/// this first of all.
#[cfg(target_arch = "riscv32")]
#[inline(never)]
pub fn paint() {
    repaint(bottom(), stack_pointer().saturating_sub(MARGIN));
    PAINTED_ALL.store(true, core::sync::atomic::Ordering::Relaxed);
}

/// Whether the board has had the stack painted.
#[cfg(target_arch = "riscv32")]
static PAINTED_ALL: core::sync::atomic::AtomicBool = core::sync::atomic::AtomicBool::new(false);

/// Depth of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Bytes that were used at the deepest.
    Used(usize),
    /// Down to the last word of it.
    Overrun,
}

/// Stack that was used at the deepest since the start, or since [`depth_of`] painted it again; none
/// where the board has not had it painted.
pub fn high_water() -> Option<Depth> {
    #[cfg(target_arch = "riscv32")]
    if !PAINTED_ALL.load(core::sync::atomic::Ordering::Relaxed) {
        return None;
    }
    Some(match deepest(bottom()) {
        lowest if lowest == bottom() => Depth::Overrun,
        lowest => Depth::Used(top().saturating_sub(lowest)),
    })
}

/// Bytes of stack that `work` uses at its deepest, itself included.
#[inline(never)]
pub fn depth_of<R>(work: impl FnOnce() -> R) -> usize {
    let from = stack_pointer();
    let lowest = from.saturating_sub(PAINTED).max(bottom());
    repaint(lowest, from.saturating_sub(MARGIN));
    work();
    from.saturating_sub(deepest(lowest))
}

/// Address just above the stack.
fn top() -> usize {
    &raw const _stack_start as usize
}

/// Address of the lowest word of the stack.
fn bottom() -> usize {
    &raw const END as usize
}

/// Address of the lowest word, from `lowest` on, that is no longer paint.
fn deepest(lowest: usize) -> usize {
    let mut word = lowest as *const u32;
    // SAFETY: from the lowest word up to `_stack_start` is RAM that belongs to nothing but the stack;
    // it is read by words, on word boundaries, and volatile, since frames in use lie there too.
    while (word as usize) < top() && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    word as usize
}

/// Paints the free part of the stack, from the address `lowest` up to the address `below`.
fn repaint(lowest: usize, below: usize) {
    let mut word = lowest as *mut u32;
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

#[cfg(target_arch = "riscv32")]
fn stack_pointer() -> usize {
    let pointer;
    // SAFETY: it copies a register, nothing else.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack)) };
    pointer
}
