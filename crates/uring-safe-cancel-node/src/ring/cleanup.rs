use napi::sys;

/// How the environment's end is heard of.
pub(crate) enum Cleanup {
    /// Not at all: before the ring is set up, and when nothing is left of it.
    None,
    /// An asynchronous hook, which is removed when libuv has closed the handles.
    Asynchronous(sys::napi_async_cleanup_hook_handle),
    /// A plain hook, where nothing has to be waited for. (Deno frees the handle of an asynchronous hook
    /// itself when the hook returns: removing it from within would free it twice.)
    Plain,
}
