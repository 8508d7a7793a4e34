//! `bbox/…` and `segm/…` before a name choose the folder whose key ends alike: Impact's detectors list two folders in one.

use std::ops::Range;

/// The folders that a value means, and the part of it that names a file there. Without a prefix, all of both.
pub(in crate::catalog) fn chosen(text: &str, folders: &[String]) -> (Vec<String>, Option<Range<usize>>) {
    if let Some((prefix, _)) = text.split_once(['/', '\\']) {
        let ending = format!("_{prefix}");
        if let Some(folder) = folders.iter().find(|folder| folder.ends_with(&ending)) {
            return (vec![folder.clone()], Some(prefix.len() + 1..text.len()));
        }
    }
    (folders.to_vec(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_chooses_a_folder() {
        let folders = ["ultralytics_bbox".to_owned(), "ultralytics_segm".to_owned()];
        assert_eq!(chosen("segm/a.pt", &folders), (vec!["ultralytics_segm".to_owned()], Some(5..9)));
        assert_eq!(chosen("sub/a.pt", &folders), (folders.to_vec(), None));
        assert_eq!(chosen("a.pt", &folders), (folders.to_vec(), None));
    }
}
