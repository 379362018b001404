//! The products as they are built: by a real builder, from bases of the same content as the real ones, and run.

mod bases;
mod builds;
mod digests;
mod refusals;
mod runs;
mod sources;

use std::path::{Path, PathBuf};

use sbi::model::config::Config;
use sbi::model::pins::Pins;
use sbi::templates;

/// What the publisher of one product gets.
struct Rendered {
    folder: tempfile::TempDir,
    product: String,
}

impl Rendered {
    fn new(product: &str) -> Self {
        let config = Config::parse(&format!(
            r#"
            [github]
            repository = "Acme/base-images"
            visibility = "public"
            [aws]
            account = "123456789012"
            region = "eu-central-1"
            [ecr]
            repository = "acme/{product}"
            [publish]
            auth = "oidc"
            images = ["{product}"]
            release = "v1.0.0"
            environment = "release"
            [publisher]
            name = "Acme Ltd"
            security-contact = "security@acme.example"
            "#
        ))
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        for file in templates::render(&config, &Pins::default()).unwrap() {
            let path = folder.path().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &file.text).unwrap();
        }
        Self { folder, product: product.to_owned() }
    }

    /// The folder that the image is built from.
    fn image(&self) -> PathBuf {
        self.folder.path().join("images").join(&self.product)
    }

    fn example(&self) -> PathBuf {
        self.image().join("example")
    }
}

/// Every product of the catalogue, by its folder's name.
fn products() -> Vec<String> {
    templates::images().into_iter().map(|image| image.name.to_string()).collect()
}

/// What `image.toml` says.
fn facts(product: &str) -> toml::Table {
    let path = crate::support::tools::root().join("images").join(product).join("image.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

/// Every regular file below a folder, links not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}
