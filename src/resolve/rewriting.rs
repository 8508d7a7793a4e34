//! What a workflow must say so that ComfyUI finds the file.

use std::ops::Range;

use crate::catalog::Reference;
use crate::catalog::folders;

use super::model::{Resolution, Status};

/// The value that ComfyUI's list shows, on this system, for the file at `place` (`directory/below/name`) when it lists
/// `folders`; nothing if it does not look there.
pub fn listed_value(place: &str, folders: &[String]) -> Option<String> {
    let below = folders
        .iter()
        .flat_map(|key| folders::directories(key))
        .find_map(|directory| place.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')))?;
    Some(below.replace('/', std::path::MAIN_SEPARATOR_STR))
}

/// The changes that make a workflow name its resolved models as ComfyUI lists them here, for `workflow::rewrite`. Values
/// that are right already are not among them.
pub fn changes(references: &[Reference], resolutions: &[Resolution]) -> Vec<(Range<usize>, String)> {
    let change = |(reference, resolution): (&Reference, &Resolution)| {
        let chosen = resolution.chosen.as_ref().filter(|_| resolution.status == Status::Resolved)?;
        let value = listed_value(&chosen.local(), &reference.folders)?;
        (value != reference.value).then(|| (reference.place.clone(), value))
    };
    references.iter().zip(resolutions).filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::{resolve_model, tests::reference};
    use super::*;
    use crate::models::Inventory;
    use crate::models::inventory::tests::file;

    #[test]
    fn a_value_is_what_comfyui_lists_on_this_system() {
        let folders = ["diffusion_models".to_owned()];
        let separator = std::path::MAIN_SEPARATOR;
        assert_eq!(listed_value("unet/a/b.pt", &folders), Some(format!("a{separator}b.pt")));
        assert_eq!(listed_value("diffusion_models/b.pt", &folders).as_deref(), Some("b.pt"));
        assert_eq!(listed_value("loras/b.pt", &folders), None);
    }

    #[test]
    #[cfg(not(windows))]
    fn only_values_that_are_wrong_here_change() {
        let inventory = Inventory::new(vec![file("loras/sub/a.pt", "1"), file("loras/b.pt", "2")]);
        let mut moved = reference("a.pt", &["loras"]);
        moved.place = 5..11;
        let mut windows = reference("sub/a.pt", &["loras"]);
        windows.value = "sub\\a.pt".into();
        let references = [moved, windows, reference("b.pt", &["loras"]), reference("c.pt", &["loras"])];
        let resolutions: Vec<_> = references.iter().map(|r| resolve_model(r, &inventory)).collect();
        let expected = [(5..11, "sub/a.pt".to_owned()), (0..0, "sub/a.pt".to_owned())];
        assert_eq!(changes(&references, &resolutions), expected);
    }
}
