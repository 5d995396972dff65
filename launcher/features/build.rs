//! Nothing: without a build script cargo would leave out the build dependencies, and their features.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
