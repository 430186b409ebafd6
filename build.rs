//! Sets the link arguments that make the root package's cdylib a Node addon.
fn main() {
    napi_build::setup();
}
