//! What a workflow must say so that ComfyUI finds the file.

use std::ops::Range;

use crate::catalog::folders;
use crate::catalog::{Names, Reference};

use super::model::{Resolution, Status};
use super::similar::is_extension;

/// The value that ComfyUI's list shows, on this system, for the file or folder at `place` (`directory/below/name`) when its
/// loader is that of `reference`; nothing if it does not look there.
///
/// A name without extension in a text stays one, with `/` between folders. Nodes find LoRAs named like that in any folder, so
/// nothing need be said of theirs.
pub fn listed_value(place: &str, reference: &Reference) -> Option<String> {
    let below = reference
        .folders
        .iter()
        .flat_map(|key| folders::directories(key))
        .find_map(|directory| place.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')))?;
    let has_extension = |name: &str| name.rsplit_once('.').is_some_and(|(_, extension)| is_extension(extension));
    if reference.names == Names::Stem && has_extension(below) && !has_extension(&reference.name) {
        let is_embedding = reference.folders.iter().any(|key| key == "embeddings");
        return below.rsplit_once('.').map(|(stem, _)| stem.to_owned()).filter(|_| is_embedding);
    }
    Some(below.replace('/', std::path::MAIN_SEPARATOR_STR))
}

/// The changes that make a workflow name its resolved models as ComfyUI lists them here, for `workflow::rewrite`. Values
/// that are right already are not among them.
pub fn changes(references: &[Reference], resolutions: &[Resolution]) -> Vec<(Range<usize>, String)> {
    let change = |(reference, resolution): (&Reference, &Resolution)| {
        let local = resolution.local().filter(|_| resolution.status == Status::Resolved)?;
        let value = listed_value(&local, reference)?;
        (value != reference.value).then(|| (reference.place.clone(), value))
    };
    references.iter().zip(resolutions).filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::tests::{reference, resolve};
    use super::*;
    use crate::models::Inventory;
    use crate::models::inventory::tests::file;

    #[test]
    fn a_value_is_what_comfyui_lists_on_this_system() {
        let unet = reference("x.pt", &["diffusion_models"]);
        let separator = std::path::MAIN_SEPARATOR;
        assert_eq!(listed_value("unet/a/b.pt", &unet), Some(format!("a{separator}b.pt")));
        assert_eq!(listed_value("diffusion_models/b.pt", &unet).as_deref(), Some("b.pt"));
        assert_eq!(listed_value("loras/b.pt", &unet), None);
        let stem = |path, folder| Reference { names: Names::Stem, ..reference(path, &[folder]) };
        let embedding = stem("bad", "embeddings");
        assert_eq!(listed_value("embeddings/sub/bad.pt", &embedding).as_deref(), Some("sub/bad"));
        assert_eq!(listed_value("loras/sub/ink.pt", &stem("ink", "loras")), None);
        assert_eq!(listed_value("diffusers/sd-1.5", &reference("sd", &["diffusers"])).as_deref(), Some("sd-1.5"));
    }

    #[test]
    fn only_values_that_are_wrong_here_change() {
        let (here, elsewhere) = if cfg!(windows) { ("sub\\a.pt", "sub/a.pt") } else { ("sub/a.pt", "sub\\a.pt") };
        let inventory = Inventory::new(vec![file("loras/sub/a.pt", "1"), file("loras/b.pt", "2")]);
        let mut moved = reference("a.pt", &["loras"]);
        moved.place = 5..11;
        let mut foreign = reference("sub/a.pt", &["loras"]);
        foreign.value = elsewhere.into();
        let references = [moved, foreign, reference("b.pt", &["loras"]), reference("c.pt", &["loras"])];
        let resolutions: Vec<_> = references.iter().map(|r| resolve(r, &inventory)).collect();
        let expected = [(5..11, here.to_owned()), (0..0, here.to_owned())];
        assert_eq!(changes(&references, &resolutions), expected);
    }
}
