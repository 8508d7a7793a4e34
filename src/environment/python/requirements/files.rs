//! The files of a folder that may say what it asks for.

use std::io;
use std::path::{Path, PathBuf};

/// A file of this size asks for nothing that a person wrote.
const MOST_BYTES: u64 = 1 << 20;

/// The text of a file of the folder, in the encodings that editors on Windows write; nothing when there is none.
pub(super) fn text_of(path: &Path) -> io::Result<Option<String>> {
    let bytes = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Ok(metadata) if metadata.len() > MOST_BYTES => return Err(io::Error::other("it is too large")),
        Ok(_) => std::fs::read(path)?,
    };
    let units = |decode: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| decode([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    Ok(Some(match bytes.as_slice() {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        all => String::from_utf8_lossy(all).into_owned(),
    }))
}

/// `a/b/../c` without going through the file system; nothing where it leads out of the folder.
pub(super) fn inside(folder: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    if path.starts_with('/') || Path::new(&path).is_absolute() || path.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path relative to the folder as a path of this system.
pub(super) fn below(folder: &Path, relative: &str) -> PathBuf {
    relative.split('/').fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_folder() {
        assert_eq!(inside("", "a/./b.txt").as_deref(), Some("a/b.txt"));
        assert_eq!(inside("sub", "../b.txt").as_deref(), Some("b.txt"));
        assert_eq!(inside("sub", "..\\..\\b.txt"), None);
        assert_eq!(inside("", "/etc/passwd"), None);
        assert_eq!(inside("", "C:\\x"), None);
    }
}
