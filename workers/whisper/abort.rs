//! Ending a running transcription: the one place that hands whisper.cpp a raw pointer.
//!
//! whisper.cpp asks between two computations whether to go on, so an end takes effect within one
//! window of audio. The safe wrapper of the binding passes its closure under another type than the
//! trampoline reads, so the raw call is used.

#![expect(unsafe_code, reason = "the binding offers no sound way to set the abort callback")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use whisper_rs::FullParams;

/// Makes the run with `params` end early once `flag` is set.
///
/// `flag` is borrowed for the life of the parameters themselves (`'p` also bounds the type), so the
/// pointer cannot outlive what it points to.
pub(super) fn on_flag<'p>(params: &mut FullParams<'p, '_>, flag: &'p AtomicBool) {
    let pointer = std::ptr::from_ref(flag).cast_mut().cast::<c_void>();
    // SAFETY: `asked` only reads the flag, atomically, and touches no state of whisper.cpp; `pointer`
    // comes from a reference that lives as long as `params`, the only value that holds it.
    unsafe {
        params.set_abort_callback(Some(asked));
        params.set_abort_callback_user_data(pointer);
    }
}

unsafe extern "C" fn asked(user_data: *mut c_void) -> bool {
    // SAFETY: `user_data` is the pointer set in `on_flag`, made from a live `&AtomicBool`; it is never
    // null, is aligned, and is only read through a shared reference.
    let flag = unsafe { &*user_data.cast::<AtomicBool>() };
    flag.load(Ordering::Relaxed)
}
