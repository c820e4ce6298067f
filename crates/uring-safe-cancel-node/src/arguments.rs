//! Reading the arguments of a raw callback. TypeScript has validated them; whatever is not as agreed
//! comes out as a default that the callee refuses, never as undefined behaviour.

use napi::sys;
use std::ffi::c_void;
use std::ptr;

/// The arguments of one call, at most `N`, and the data pointer of its function.
pub(crate) struct Arguments<const N: usize> {
    env: sys::napi_env,
    values: [sys::napi_value; N],
    pub(crate) data: *mut c_void,
}

impl<const N: usize> Arguments<N> {
    /// # Safety
    ///
    /// `env` and `info` are those of a running callback.
    #[inline]
    pub(crate) unsafe fn new(env: sys::napi_env, info: sys::napi_callback_info) -> Self {
        let mut values = [ptr::null_mut(); N];
        let mut count = N;
        let mut data = ptr::null_mut();
        // SAFETY: `values` has room for `count` values, and the caller vouches for the rest. Missing
        // arguments are filled with undefined.
        unsafe {
            sys::napi_get_cb_info(
                env,
                info,
                &mut count,
                values.as_mut_ptr(),
                ptr::null_mut(),
                &mut data,
            );
        }
        Self { env, values, data }
    }

    #[inline]
    pub(crate) fn value(&self, index: usize) -> sys::napi_value {
        self.values[index]
    }

    /// A number as an i32, or -1.
    #[inline]
    pub(crate) fn int(&self, index: usize) -> i32 {
        let mut number = -1;
        // SAFETY: the value belongs to the running callback; one that is no number leaves -1.
        unsafe { sys::napi_get_value_int32(self.env, self.values[index], &mut number) };
        number
    }

    /// A number as a u32, or `u32::MAX`.
    #[inline]
    pub(crate) fn uint(&self, index: usize) -> u32 {
        let mut number = u32::MAX;
        // SAFETY: as in `int`.
        unsafe { sys::napi_get_value_uint32(self.env, self.values[index], &mut number) };
        number
    }

    /// A number, or NaN.
    #[inline]
    pub(crate) fn number(&self, index: usize) -> f64 {
        let mut number = f64::NAN;
        // SAFETY: as in `int`.
        unsafe { sys::napi_get_value_double(self.env, self.values[index], &mut number) };
        number
    }

    /// The bytes of a typed array, as they lie now: null and 0 if it is none, or detached.
    ///
    /// The pointer is good until JavaScript runs again.
    #[inline]
    pub(crate) fn bytes(&self, index: usize) -> (*mut u8, usize) {
        // SAFETY: the value belongs to the running callback.
        unsafe { typed_array(self.env, self.values[index]) }
    }
}

/// What a typed array consists of.
pub(crate) trait Element {
    /// Node-API's name for such arrays.
    const KIND: sys::napi_typedarray_type;
}

impl Element for u8 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
}

impl Element for i32 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::int32_array;
}

impl Element for f64 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::float64_array;
}

/// The elements of a typed array, aligned for them, and their number: null and 0 if it is none of that
/// kind, or detached.
///
/// # Safety
///
/// `value` is a live value of `env`.
pub(crate) unsafe fn typed_array<T: Element>(
    env: sys::napi_env,
    value: sys::napi_value,
) -> (*mut T, usize) {
    let (mut kind, mut length, mut data) = (-1, 0, ptr::null_mut());
    // SAFETY: the caller vouches for the value; the pointers are to this frame.
    let status = unsafe {
        sys::napi_get_typedarray_info(
            env,
            value,
            &mut kind,
            &mut length,
            &mut data,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    if status != sys::Status::napi_ok || kind != T::KIND || data.is_null() {
        return (ptr::null_mut(), 0);
    }
    (data.cast(), length)
}

/// A number for JavaScript.
///
/// # Safety
///
/// `env` is that of a running callback.
#[inline]
pub(crate) unsafe fn from_int(env: sys::napi_env, number: i32) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: the caller vouches for `env`.
    unsafe { sys::napi_create_int32(env, number, &mut value) };
    value
}

/// A number for JavaScript.
///
/// # Safety
///
/// `env` is that of a running callback.
pub(crate) unsafe fn from_number(env: sys::napi_env, number: f64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: the caller vouches for `env`.
    unsafe { sys::napi_create_double(env, number, &mut value) };
    value
}
