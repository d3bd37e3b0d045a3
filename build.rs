//! Roles are embedded in the binary; a new or changed file there has to build it anew.
#![expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=roles");
    println!("cargo::rerun-if-changed=build.rs");
}
