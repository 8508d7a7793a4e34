//! Which uv: the one that the user names, the machine's, the workspace's own, or one that is installed there now.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::observer::Observer;
use crate::store::staging::Staging;

use super::seam::io_error;
use super::{PythonError, outside};

/// The variable that names the uv to use.
pub const VARIABLE: &str = "COMFREY_UV";

/// The workspace's own tools, below its `.comfrey`.
const TOOLS: &str = "tools";

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The store's folder, `WORKSPACE/.comfrey`.
    pub store: &'a Path,
    /// The value of [`VARIABLE`].
    pub named: Option<&'a Path>,
    /// The folders of `PATH`, as that variable has them.
    pub path: &'a std::ffi::OsStr,
}

/// The uv that is there: named, on the `PATH`, in the workspace; nothing when there is none.
///
/// # Errors
/// The one that is named is not there.
pub fn find(search: &Search<'_>) -> Result<Option<PathBuf>, PythonError> {
    if let Some(named) = search.named.filter(|named| !named.as_os_str().is_empty()) {
        return match named.is_file() {
            true => Ok(Some(named.to_owned())),
            false => Err(PythonError::NotUv { path: named.to_owned(), reason: "there is no such file".to_owned() }),
        };
    }
    let name = program("uv");
    let on_path = std::env::split_paths(search.path).map(|folder| folder.join(&name)).find(|path| path.is_file());
    Ok(on_path.or_else(|| own(search.store)))
}

/// The workspace's own uv, if it has one.
fn own(store: &Path) -> Option<PathBuf> {
    let folder = store.join(TOOLS).join("uv");
    ["bin", "Scripts"].map(|below| folder.join(below).join(program("uv"))).into_iter().find(|path| path.is_file())
}

fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Installs uv into the workspace with the machine's `python3 -m pip`, whose own settings say from where. It is there as a whole or
/// not at all.
///
/// # Errors
/// [`PythonError::NoUv`] with what pip said.
pub fn install(search: &Search<'_>, observer: &dyn Observer) -> Result<PathBuf, PythonError> {
    let refused = |why: String| PythonError::NoUv { tried: Some(why) };
    let staging = Staging::new(search.store, "uv")?;
    let target = staging.new_path();
    let mut said = None;
    for words in interpreters() {
        let mut command = Command::new(words[0]);
        command.env("PATH", search.path).args(&words[1..]);
        command.args(["-m", "pip", "install", "--target"]).arg(&target).args([
            "--disable-pip-version-check",
            "--no-input",
            "uv",
        ]);
        match outside::run(&mut command, "installing uv", None, observer) {
            Ok(ended) if ended.status.success() => {
                said = None;
                break;
            }
            Ok(ended) => {
                let lines = ended.last_lines(4).join("\n  ");
                said = Some(format!("`{} -m pip install uv` failed:\n  {lines}", words.join(" ")));
            }
            Err(PythonError::Interrupted) => return Err(PythonError::Interrupted),
            Err(_) => {
                said.get_or_insert_with(|| "there is no Python on the PATH to install it with".to_owned());
            }
        }
    }
    if let Some(why) = said {
        return Err(refused(why));
    }
    let tools = search.store.join(TOOLS);
    std::fs::create_dir_all(&tools).map_err(io_error(&tools))?;
    let place = tools.join("uv");
    if let Err(error) = std::fs::rename(&target, &place) {
        // Another program may have been faster.
        return own(search.store).ok_or(error).map_err(io_error(&place));
    }
    own(search.store).ok_or_else(|| refused("pip installed something that holds no uv".to_owned()))
}

/// How Python is called on this system.
fn interpreters() -> Vec<Vec<&'static str>> {
    match cfg!(windows) {
        true => vec![vec!["py", "-3"], vec!["python"], vec!["python3"]],
        false => vec![vec!["python3"], vec!["python"]],
    }
}
