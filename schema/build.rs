//! Compiles `proto/*.proto` with protox, so no protoc is needed on the machine.

use std::{env, error::Error, fs, path::PathBuf};

use protox::prost::Message as _;

const PROTOS: [&str; 4] = [
    "loms.proto",
    "loms_alias.proto",
    "comments.proto",
    "comments_alias.proto",
];

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts by variables"
)]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    if env::var_os("CARGO_FEATURE_PROTO").is_none() {
        return Ok(());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(true)
        .build_server(true)
        .compile_fds(descriptors)?;
    Ok(())
}
