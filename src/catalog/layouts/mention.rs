//! Nodes that mention models and read none.

/// Savers and notes that repeat a name, to write it beside a picture for one: nothing has to be there for them.
const ECHOES: [&str; 5] =
    ["Image Saver", "Lora Info (LoraManager)", "SDPromptSaver", "Save Image (LoraManager)", "Save Image w/Metadata"];

/// Nodes with a picker that adds a name to their text; what counts then stands in the text.
const PICKERS: [&str; 10] = [
    "BasicPipeToDetailerPipe",
    "BasicPipeToDetailerPipeSDXL",
    "EditDetailerPipe",
    "EditDetailerPipeSDXL",
    "ImpactWildcardEncode",
    "ImpactWildcardProcessor",
    "Power Prompt (rgthree)",
    "SDXL Power Prompt - Positive (rgthree)",
    "ToDetailerPipe",
    "ToDetailerPipeSDXL",
];

pub(in crate::catalog) fn is_echo(class: &str) -> bool {
    ECHOES.contains(&class.trim())
}

pub(in crate::catalog) fn is_picker(class: &str) -> bool {
    PICKERS.contains(&class.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_sorted() {
        assert!(ECHOES.is_sorted() && PICKERS.is_sorted());
        assert!(is_echo("Save Image w/Metadata") && is_picker("ToDetailerPipe") && !is_echo("SaveImage"));
    }
}
