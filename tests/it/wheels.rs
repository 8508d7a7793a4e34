//! Python packages made in the test, and uv made to find nothing else.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::write::SimpleFileOptions;

/// A folder of wheels that stands for the package index.
pub struct Wheels {
    folder: PathBuf,
    uv: PathBuf,
}

/// The machine's uv; nothing, said loudly, where there is none. With `COMFREY_REQUIRE_ALL` its absence is a failure.
///
/// Under Wine there is none: uv for Windows wants a Python for Windows, which cannot be had there.
/// Instead: `a_python_that_cannot_be_made_takes_the_environment_with_it` runs every step with a script in uv's place.
pub fn uv() -> Option<PathBuf> {
    let named = std::env::var_os("COMFREY_UV").map(PathBuf::from).filter(|path| path.is_file());
    let name = format!("uv{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|uv| uv.is_file()));
    if found.is_none() {
        eprintln!("\n*** uv is not there: THIS TEST OF PYTHON PACKAGES HAS TESTED NOTHING (set COMFREY_UV) ***\n");
        assert!(std::env::var_os("COMFREY_REQUIRE_ALL").is_none(), "uv is wanted by COMFREY_REQUIRE_ALL");
    }
    found
}

impl Wheels {
    /// An empty folder in `above`; nothing where there is no uv.
    pub fn new(above: &Path) -> Option<Self> {
        let uv = uv()?;
        let folder = above.join("wheels");
        std::fs::create_dir_all(&folder).unwrap();
        Some(Wheels { folder, uv })
    }

    /// Puts a wheel into it, with one module that says its version.
    pub fn add(&self, name: &str, version: &str, requires: &[&str]) {
        self.add_with(name, version, requires, &[]);
    }

    /// The same with some data in it.
    pub fn add_with(&self, name: &str, version: &str, requires: &[&str], data: &[u8]) {
        let module = name.replace('-', "_");
        let info = format!("{module}-{version}.dist-info");
        let requires: String = requires.iter().map(|line| format!("Requires-Dist: {line}\n")).collect();
        let files = [
            (format!("{module}/__init__.py"), format!("VERSION = \"{version}\"\n")),
            (
                format!("{info}/METADATA"),
                format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}"),
            ),
            (
                format!("{info}/WHEEL"),
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned(),
            ),
        ];
        let record: String = files.iter().map(|(path, _)| format!("{path},,\n")).collect();
        let file = std::fs::File::create(self.folder.join(format!("{module}-{version}-py3-none-any.whl"))).unwrap();
        let mut zip = zip::ZipWriter::new(file);
        let record = (format!("{info}/RECORD"), format!("{record}{info}/RECORD,,\n"));
        for (path, text) in files.into_iter().chain([record]) {
            zip.start_file(path, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        if !data.is_empty() {
            zip.start_file(format!("{module}/data.bin"), SimpleFileOptions::default()).unwrap();
            zip.write_all(data).unwrap();
        }
        zip.finish().unwrap();
    }

    pub fn uv(&self) -> &Path {
        &self.uv
    }

    /// Lets a program find uv, these wheels, and no others.
    pub fn apply(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy().into_owned();
            if name_text.starts_with("UV_") || name_text.starts_with("PIP_") {
                command.env_remove(name);
            }
        }
        command
            .env("COMFREY_UV", &self.uv)
            .env("UV_FIND_LINKS", &self.folder)
            .env("UV_NO_INDEX", "1")
            .env("UV_OFFLINE", "1")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_CACHE_DIR", self.folder.with_file_name("uv-cache"));
    }
}
