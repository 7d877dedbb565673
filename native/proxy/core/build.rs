//! Compiles the messages that cross the boundary to TypeScript.

fn main() -> std::io::Result<()> {
    const ROOT: &str = "../../../proto";
    const FILES: [&str; 2] = ["../../../proto/weir/snapshot.proto", "../../../proto/weir/authorization.proto"];

    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
    }
    prost_build::Config::new().compile_protos(&FILES, &[ROOT])
}
