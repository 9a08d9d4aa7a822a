//! Builds the Python extension (`src/wsgi`) and leaves it where `main.rs` embeds it: one binary
//! holds everything.
//!
//! The extension is a cdylib for every CPython from 3.9 on, so no Python is needed here. It gets a
//! target directory of its own: the outer build holds the lock of the usual one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for part in ["src/wsgi", "src/sys", "src/wire", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={part}");
    }
    let built = build(&root, &out.join("extension"));
    let embedded = out.join("_liege.so");
    if let Err(error) = std::fs::copy(&built, &embedded) {
        panic!("copy {} to {}: {error}", built.display(), embedded.display());
    }
}

fn build(root: &Path, target: &Path) -> PathBuf {
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo
        .current_dir(root)
        .args(["build", "--release", "--package", "liege-wsgi", "--target-dir"])
        .arg(target)
        .env("PYO3_BUILD_EXTENSION_MODULE", "1")
        .env("PYO3_NO_PYTHON", "1")
        // A wrapper such as clippy's, and flags of the outer build, are not for this one.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if Path::new(root).join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the Python extension (liege-wsgi) did not build: {status}");
    target.join("release/libliege_wsgi.so")
}
