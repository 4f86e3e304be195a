//! Checks of pointers that C hands over.

use crate::status::Status;

/// Views memory of C.
///
/// # Errors
/// [`Status::Null`], [`Status::Alignment`].
///
/// # Safety
/// Unless it is null, `from` points to `len` elements that nobody writes while the slice is used.
pub unsafe fn slice<'a, T>(from: *const T, len: usize) -> Result<&'a [T], Status> {
    check(from)?;
    // SAFETY: the caller's promise; the pointer is neither null nor unaligned.
    Ok(unsafe { core::slice::from_raw_parts(from, len) })
}

/// Views memory of C that may be written.
///
/// # Errors
/// [`Status::Null`], [`Status::Alignment`].
///
/// # Safety
/// Unless it is null, `from` points to `len` elements that nobody else uses while the slice is.
pub unsafe fn slice_mut<'a, T>(from: *mut T, len: usize) -> Result<&'a mut [T], Status> {
    check(from)?;
    // SAFETY: the caller's promise; the pointer is neither null nor unaligned.
    Ok(unsafe { core::slice::from_raw_parts_mut(from, len) })
}

/// Writes a value unless the pointer is null.
///
/// # Safety
/// Unless it is null, `to` points to a value that nobody else uses.
pub unsafe fn store<T>(to: *mut T, value: T) {
    if check(to).is_ok() {
        // SAFETY: the caller's promise; the pointer is neither null nor unaligned.
        unsafe { to.write(value) };
    }
}

/// Checks a pointer.
pub fn check<T>(pointer: *const T) -> Result<(), Status> {
    if pointer.is_null() {
        return Err(Status::Null);
    }
    if !pointer.is_aligned() {
        return Err(Status::Alignment);
    }
    Ok(())
}

/// Copies as much as there is: `copy_from_slice` would bring a panic along.
pub fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
