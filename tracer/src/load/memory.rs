//! The allocator of the C library, which is asked to give back what is free.
#![expect(unsafe_code, reason = "the C library offers this as a function of C alone")]

/// Gives memory that is free back to the system, where the C library can do that.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the function takes a number, and locks what it touches itself.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
