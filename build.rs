//! Embeds the catalogue: every file of every folder below `images/`, and `templates/image/`, which each of them gets.

// `{:?}` of a string is a Rust literal.
#![allow(clippy::use_debug)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut code = String::new();
    // A folder that is watched is watched to its last file, so a new one is found too.
    for watched in ["build.rs", "images", "templates/image"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    let _ = writeln!(code, "const SHARED: Files = &{};", embed(&root.join("templates/image"))?);
    let _ = writeln!(code, "const PRODUCTS: &[(&str, Files)] = &[");
    for folder in entries(&root.join("images"))?.iter().filter(|path| path.is_dir()) {
        let _ = writeln!(code, "({:?}, &{}),", name(folder), embed(folder)?);
    }
    let _ = writeln!(code, "];");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("catalogue.rs"), code)
}

/// `[("path/below/folder", include_str!("/its/path")), …]`, sorted.
fn embed(folder: &Path) -> io::Result<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in entries(&next)? {
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    let mut list = String::from("[");
    for path in &found {
        let below: Vec<_> =
            path.strip_prefix(folder).unwrap_or(path).iter().map(|part| part.to_string_lossy()).collect();
        let _ = write!(list, "({:?}, include_str!({:?})), ", below.join("/"), path);
    }
    Ok(list + "]")
}

/// What a folder holds, sorted. Hidden files are an editor's or a system's own.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !name(&path).starts_with('.') {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
