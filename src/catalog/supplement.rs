//! Owners of node classes that the registries' lists leave out: nodes that exist only in a package's part for the editor, and
//! classes that were renamed or deleted and still stand in older workflows.
//!
//! Found by going through public workflows for classes that no list explains.

/// A class, or with `*` in front the end of its name, and the repository that has (or had) it.
const OWNERS: &[(&str, &str)] = &[
    ("* (LoraManager)", "willmiao/ComfyUI-Lora-Manager"),
    ("* (rgthree)", "rgthree/rgthree-comfy"),
    ("GetNode", "kijai/ComfyUI-KJNodes"),
    ("IPAdapterApply", "cubiq/ComfyUI_IPAdapter_plus"),
    ("IPAdapterApplyEncoded", "cubiq/ComfyUI_IPAdapter_plus"),
    ("IPAdapterApplyFaceID", "cubiq/ComfyUI_IPAdapter_plus"),
    ("InsightFaceLoader", "cubiq/ComfyUI_IPAdapter_plus"),
    ("SetNode", "kijai/ComfyUI-KJNodes"),
];

/// The repository (`owner/name`, on GitHub) that owns exactly this class.
pub(super) fn by_class(class: &str) -> Option<&'static str> {
    OWNERS.binary_search_by(|(known, _)| (*known).cmp(class)).ok().map(|found| OWNERS[found].1)
}

/// The repository whose classes all end like this one.
pub(super) fn by_ending(class: &str) -> Option<&'static str> {
    let mut endings = OWNERS.iter().filter_map(|(known, repository)| Some((known.strip_prefix('*')?, *repository)));
    endings.find(|(ending, _)| class.ends_with(ending)).map(|(_, repository)| repository)
}

/// Every repository named here, once.
pub(super) fn repositories() -> Vec<&'static str> {
    let mut repositories: Vec<_> = OWNERS.iter().map(|(_, repository)| *repository).collect();
    repositories.sort_unstable();
    repositories.dedup();
    repositories
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_whole_and_by_their_ending() {
        assert!(OWNERS.is_sorted_by_key(|(class, _)| class));
        assert_eq!(by_class("SetNode"), Some("kijai/ComfyUI-KJNodes"));
        assert_eq!(by_class("* (rgthree)"), by_ending("Fast Groups Muter (rgthree)"));
        assert_eq!(by_ending("Label (rgthree) "), None);
        assert_eq!(by_class("KSampler"), None);
        assert_eq!(repositories().len(), 4);
    }
}
