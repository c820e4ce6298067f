//! Link flags of a Node-API addon.

fn main() {
    napi_build::setup();
    // A worker's teardown unloads the addon before libuv has called the last close callback: the code
    // must stay where it is until the process ends.
    println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
}
