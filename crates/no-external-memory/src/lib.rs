//! With LD_PRELOAD it makes Node.js behave as Electron does: `napi_create_external_arraybuffer` answers that the runtime allows
//! no such buffers.
//!
//! The addon looks its functions up by name, in the program before all libraries. So it is the look-up that is replaced.

use std::ffi::{c_char, c_int, c_void, CStr};

/// `napi_no_external_buffers_allowed` of js_native_api_types.h.
const NO_EXTERNAL_BUFFERS_ALLOWED: c_int = 22;

/// The versions that the C library's own `dlsym` may have.
const VERSIONS: [&CStr; 3] = [c"GLIBC_2.34", c"GLIBC_2.17", c"GLIBC_2.2.5"];

extern "C" fn forbidden(
    _env: *mut c_void,
    _data: *mut c_void,
    _length: usize,
    _finalizer: *mut c_void,
    _hint: *mut c_void,
    _result: *mut c_void,
) -> c_int {
    NO_EXTERNAL_BUFFERS_ALLOWED
}

type Lookup = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;

/// The C library's `dlsym`, but for one name.
///
/// # Safety
///
/// As of dlsym(3).
#[no_mangle]
pub unsafe extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the caller gives a string, as dlsym(3) asks for.
    if unsafe { CStr::from_ptr(name) } == c"napi_create_external_arraybuffer" {
        return forbidden as *mut c_void;
    }
    for version in VERSIONS {
        // SAFETY: the names are strings, and what is found is a function of dlsym's type.
        unsafe {
            let found = libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr());
            if !found.is_null() {
                return std::mem::transmute::<*mut c_void, Lookup>(found)(handle, name);
            }
        }
    }
    std::ptr::null_mut()
}
