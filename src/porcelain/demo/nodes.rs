//! Custom nodes: one cloned with git, one from the registry, one written by hand.

use std::io;
use std::path::Path;

use super::installation::write;

/// Where the node lies that was put there by git.
pub const CLONED: &str = "comfyui-portrait-tools";
/// The one from the registry.
pub const REGISTRY: &str = "comfyui-colour-lab";
/// The one that exists nowhere else.
pub const OWN: &str = "my_film_grain";

/// How many operators each of the larger packages has; a file each.
const OPERATORS: usize = 60;

/// Fills `custom_nodes`.
pub fn make(custom_nodes: &Path) -> io::Result<()> {
    package(
        &custom_nodes.join(CLONED),
        "Portrait",
        "2.4.1",
        "https://github.com/example-nodes/comfyui-portrait-tools",
    )?;
    let git = custom_nodes.join(CLONED).join(".git");
    write(&git.join("HEAD"), "ref: refs/heads/main\n")?;
    write(&git.join("packed-refs"), "6b1f8ad1c5a87e2ab4f2d3f1d2c9a6f0b7e4c3d2 refs/heads/main\n")?;
    let url = "https://github.com/example-nodes/comfyui-portrait-tools.git";
    write(&git.join("config"), &format!("[core]\n\tbare = false\n[remote \"origin\"]\n\turl = {url}\n"))?;

    let registry = custom_nodes.join(REGISTRY);
    package(&registry, "Colour", "1.8.0", "https://github.com/example-nodes/comfyui-colour-lab")?;
    write(&registry.join(".tracking"), "__init__.py\npyproject.toml\nrequirements.txt\n")?;

    let own = custom_nodes.join(OWN);
    write(&own.join("__init__.py"), OWN_NODE)?;
    // What Python leaves behind: no part of the node.
    write(&own.join("__pycache__").join("__init__.cpython-312.pyc"), "\u{1}bytecode")?;
    write(&custom_nodes.join("example_node.py.example"), "# rename to .py\n")
}

/// A package of nodes with an operator a file.
fn package(folder: &Path, word: &str, version: &str, url: &str) -> io::Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let project = format!(
        "[project]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [\"numpy>=1.26\", \"pillow\"]\n\n\
         [project.urls]\nRepository = \"{url}\"\n\n[tool.comfy]\nPublisherId = \"example-nodes\"\nDisplayName = \"{word} Tools\"\n"
    );
    write(&folder.join("pyproject.toml"), &project)?;
    write(&folder.join("requirements.txt"), "numpy>=1.26\npillow\n")?;
    write(&folder.join("README.md"), &format!("# {word} tools for ComfyUI\n\nPut this folder into `custom_nodes`.\n"))?;
    let mut init = String::from("NODE_CLASS_MAPPINGS = {}\n");
    for number in 0..OPERATORS {
        let class = operator_class(word, number);
        init += &format!("from .operators.op_{number:02} import {class}\nNODE_CLASS_MAPPINGS[\"{class}\"] = {class}\n");
        write(&folder.join("operators").join(format!("op_{number:02}.py")), &operator(&class, number))?;
    }
    write(&folder.join("__init__.py"), &init)?;
    write(&folder.join("web").join("js").join("widgets.js"), "import { app } from \"../../scripts/app.js\";\n")
}

fn operator_class(word: &str, number: usize) -> String {
    if word == "Colour" && number == 0 { "ColourGrade".into() } else { format!("{word}Operator{number:02}") }
}

fn operator(class: &str, number: usize) -> String {
    let mut text = format!(
        "import numpy as np\n\n\nclass {class}:\n    CATEGORY = \"image/tools\"\n    RETURN_TYPES = (\"IMAGE\",)\n    \
         FUNCTION = \"run\"\n\n    @classmethod\n    def INPUT_TYPES(cls):\n        return {{\"required\": {{\"image\": (\"IMAGE\",)}}}}\n\n    \
         def run(self, image):\n"
    );
    for step in 0..12 {
        let factor = ((number * 37 + step * 11) % 100) as f64 / 100.0;
        text += &format!(
            "        image = np.clip(image * {:.2} + {factor:.2} * np.roll(image, {step}, axis=1), 0, 1)\n",
            1.0 - factor
        );
    }
    text + "        return (image,)\n"
}

const OWN_NODE: &str = "\
import numpy as np


class FilmGrain:
    \"\"\"Grain as of an old film.\"\"\"

    CATEGORY = \"image/film\"
    RETURN_TYPES = (\"IMAGE\",)
    FUNCTION = \"run\"
    STRENGTH = 0.04

    @classmethod
    def INPUT_TYPES(cls):
        return {\"required\": {\"image\": (\"IMAGE\",)}}

    def run(self, image):
        noise = np.random.default_rng(7).normal(0, self.STRENGTH, image.shape)
        return (np.clip(image + noise, 0, 1),)


NODE_CLASS_MAPPINGS = {\"FilmGrain\": FilmGrain}
";
