//! Sets what the linker needs to leave Node's symbols open.

fn main() {
    napi_build::setup();
}
