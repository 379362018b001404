//! `sbi render`: the files of the GitHub repository on disk, offline.

use std::path::Path;

use super::answers;
use super::console::Console;
use crate::cli::{GlobalFlags, RenderArgs};
use crate::failure::Failure;
use crate::model::desired::RenderedFile;
use crate::model::lock::{LOCK_FILE, Lock};
use crate::model::pins::Pins;
use crate::templates;
use crate::ui::Glyph;

/// # Errors
/// Bad or missing answers; files in the way, all of them at once and before any is written.
pub(super) fn run(global: &GlobalFlags, arguments: &RenderArgs, console: &Console) -> Result<(), Failure> {
    let config = answers::offline(&arguments.answers, &global.config)?;
    let pins = pins_beside(&global.config)?;
    let by_tag: Vec<String> =
        templates::references(&config)?.into_iter().filter(|reference| pins.get(reference).is_none()).collect();
    if !by_tag.is_empty() {
        let text = format!("named by tag, for want of a digest in {LOCK_FILE}: {}", by_tag.join(", "));
        console.line(Glyph::Waiting, &text);
    }
    let files = templates::render(&config, &pins)?;
    let written = write(&files, &arguments.out, arguments.force)?;
    for path in written {
        console.result(&format!("{}\n", arguments.out.join(path).display()))?;
    }
    Ok(())
}

/// The digests of the `sbi.lock` that lies beside `sbi.toml`, as in a checkout of the GitHub repository.
///
/// # Errors
/// When there is such a file and it can't be used.
fn pins_beside(config_file: &Path) -> Result<Pins, Failure> {
    let path = config_file.with_file_name(LOCK_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Lock::parse(&text)?.images),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Pins::default()),
        Err(error) => Err(Failure::usage(format!("`{}` can't be read", path.display())).caused_by(error)),
    }
}

/// Writes what differs and returns its paths.
///
/// # Errors
/// When files that differ are in the way and `force` is off: then nothing was written.
pub(super) fn write<'f>(files: &'f [RenderedFile], out: &Path, force: bool) -> Result<Vec<&'f str>, Failure> {
    let found = |file: &RenderedFile| std::fs::read(out.join(&file.path)).ok();
    let differing: Vec<&RenderedFile> =
        files.iter().filter(|file| found(file).is_none_or(|text| text != file.text.as_bytes())).collect();
    let in_the_way: Vec<&str> = differing
        .iter()
        .filter(|file| out.join(&file.path).symlink_metadata().is_ok())
        .map(|file| file.path.as_str())
        .collect();
    if !force && !in_the_way.is_empty() {
        return Err(Failure::usage(format!(
            "{} already holds other versions of: {}",
            out.display(),
            in_the_way.join(", ")
        ))
        .hinted("nothing was written; choose an empty folder, or `--force` to overwrite them"));
    }
    for file in &differing {
        let path = out.join(&file.path);
        let folder = path.parent().unwrap_or(out);
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&path, &file.text))
            .map_err(|error| Failure::new(format!("{} can't be written", path.display())).caused_by(error))?;
    }
    Ok(differing.into_iter().map(|file| file.path.as_str()).collect())
}
