//! Roles are embedded in the binary; a new or changed file there has to build it anew.

fn main() {
    println!("cargo::rerun-if-changed=roles");
    println!("cargo::rerun-if-changed=build.rs");
}
