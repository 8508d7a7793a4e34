//! Paths by their full names; and as bytes and back, losing nothing: what the index stores of files outside the store.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The full name of what is at `path`, links resolved; on Windows in the `\\?\` form, which has no limit on length.
///
/// Errors: nothing is there, or it may not be seen.
pub fn full(path: &Path) -> io::Result<PathBuf> {
    let resolved = std::fs::canonicalize(path);
    #[cfg(windows)]
    {
        // Some file systems and Wine cannot tell the final name of a long path: then it is taken as it is written.
        const ERROR_INVALID_FUNCTION: i32 = 1;
        const ERROR_MORE_DATA: i32 = 234;
        if let Err(Some(ERROR_INVALID_FUNCTION | ERROR_MORE_DATA)) = resolved.as_ref().map_err(io::Error::raw_os_error)
        {
            return std::path::absolute(path);
        }
    }
    resolved
}

/// A full name as people and other programs write it: on Windows without the `\\?\` of [`full`] where it means the same without.
pub fn plain(path: PathBuf) -> PathBuf {
    #[cfg(windows)]
    return dunce::simplified(&path).to_owned();
    #[cfg(not(windows))]
    path
}

/// `path` as an absolute one without `.` and `..`, symlinks kept as they are called where that is possible.
pub fn plain_path(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut made = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                // Behind a symlink `..` leads elsewhere than the text says.
                if made.is_symlink() {
                    made = full(&made).map(plain).unwrap_or(made);
                }
                made.pop();
            }
            Component::CurDir => {}
            other => made.push(other),
        }
    }
    made
}

/// What is named `name` in the folder `above`, whatever that name holds: `Path::join` takes `a:b` for a place on another drive.
pub fn in_folder(above: &Path, name: impl AsRef<OsStr>) -> PathBuf {
    if cfg!(unix) || above.as_os_str().is_empty() {
        return above.join(name.as_ref());
    }
    let mut path = above.as_os_str().to_owned();
    if !path.as_encoded_bytes().ends_with(b"\\") {
        path.push("\\");
    }
    path.push(name);
    PathBuf::from(path)
}

/// The same file or folder, whatever way it is spelled.
pub fn same_place(a: &Path, b: &Path) -> bool {
    match (full(a), full(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// The bytes of a path: as they are on Unix, UTF-16 little endian on Windows.
pub fn to_bytes(path: &Path) -> Vec<u8> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        path.as_os_str().as_bytes().to_vec()
    }
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStrExt;
        path.as_os_str().encode_wide().flat_map(u16::to_le_bytes).collect()
    }
}

/// The path with these bytes.
pub fn from_bytes(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
    }
    #[cfg(windows)]
    {
        use std::os::windows::ffi::OsStringExt;
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        PathBuf::from(std::ffi::OsString::from_wide(&units))
    }
}

/// The path that a line of another program names: its bytes; on Windows UTF-8, or else in the console's code page, in which the system's own
/// programs write, such as `dir`.
pub fn from_line(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    }
    #[cfg(windows)]
    match String::from_utf8(bytes) {
        Ok(text) => PathBuf::from(text),
        Err(error) => from_code_page(error.as_bytes()),
    }
}

#[cfg(windows)]
fn from_code_page(bytes: &[u8]) -> PathBuf {
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::Globalization::MultiByteToWideChar;
    use windows_sys::Win32::System::Console::GetConsoleOutputCP;
    // No code page makes more units of a text than it has bytes.
    let mut units = vec![0u16; bytes.len()];
    let (length, room) = (i32::try_from(bytes.len()).unwrap_or(0), i32::try_from(units.len()).unwrap_or(0));
    // SAFETY: both lengths are those of the slices. Where there is no console its page is 0, which stands for the region's own: so such
    // programs take it, too.
    let made =
        unsafe { MultiByteToWideChar(GetConsoleOutputCP(), 0, bytes.as_ptr(), length, units.as_mut_ptr(), room) };
    units.truncate(usize::try_from(made).unwrap_or(0));
    PathBuf::from(std::ffi::OsString::from_wide(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_plain_without_changing_where_they_lead() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("c/d")).unwrap();
        assert_eq!(plain_path(&root.join("a/./b/../../c")), root.join("c"));
        assert_eq!(plain_path(&root.join("a/../absent")), root.join("absent"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(root.join("c/d"), root.join("link")).unwrap();
            assert_eq!(plain_path(&root.join("link")), root.join("link"));
            assert_eq!(plain_path(&root.join("link/../d")), root.join("c/d"));
        }
    }

    #[test]
    fn whatever_a_name_holds_it_stays_in_its_folder() {
        let folder = std::env::temp_dir();
        for name in ["a", "a:b", "C:", "C:x", "nul"] {
            let path = in_folder(&folder, name);
            assert!(path.starts_with(&folder) && path.to_str().unwrap().ends_with(name), "{}", path.display());
        }
        assert_eq!(in_folder(Path::new(""), "a"), Path::new("a"));
    }

    #[test]
    fn a_line_is_a_path_in_utf_8() {
        assert_eq!(from_line("ä b".into()), Path::new("ä b"));
    }

    #[test]
    fn a_path_survives_its_bytes() {
        for text in ["", "/models/a b.safetensors", "/ä/ß/漢"] {
            assert_eq!(from_bytes(&to_bytes(Path::new(text))), Path::new(text));
        }
    }
}
