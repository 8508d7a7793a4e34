//! A file that holds a workflow, whatever it is: a JSON document, or media with one inside.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::embedded::{self, Container, Embedded, EmbeddedError};
use super::format::ReadError;
use super::graph::Workflow;

/// The largest JSON document that is read into memory. Real workflows stay below 10 MiB.
pub const MAX_JSON: u64 = 1 << 30;

/// The document of a workflow, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What [`super::read`] reads.
    pub document: Vec<u8>,
    pub part: Part,
    /// The editor's graph of the same run, where `document` is what ran. It says more of widgets, muted nodes and
    /// models that are declared.
    pub editor: Option<Vec<u8>>,
}

/// What of a file the document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The `prompt` in a container's metadata.
    Prompt(Container),
    /// The `workflow` in a container's metadata.
    Workflow(Container),
}

impl Part {
    /// The container that the document was in.
    pub fn container(self) -> Option<Container> {
        match self {
            Part::Whole => None,
            Part::Prompt(container) | Part::Workflow(container) => Some(container),
        }
    }
}

/// Why a file gives no document.
#[derive(Debug, thiserror::Error)]
pub enum HeldError {
    #[error("{0}")]
    Embedded(EmbeddedError),
    #[error("neither media that can hold a workflow nor a JSON document: larger than {} GiB", MAX_JSON >> 30)]
    TooLarge,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<EmbeddedError> for HeldError {
    fn from(error: EmbeddedError) -> Self {
        match error {
            EmbeddedError::Io(error) => HeldError::Io(error),
            error => HeldError::Embedded(error),
        }
    }
}

/// The workflow document that a file is or holds. Of media only the metadata is read.
///
/// # Errors
/// Media without a workflow, or damaged; a file that is too large to be a document; the file system.
pub fn open(path: &Path) -> Result<Held, HeldError> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if let Some(embedded) = embedded::find(&mut file, size)? {
        return Ok(embedded.into());
    }
    if size > MAX_JSON {
        return Err(HeldError::TooLarge);
    }
    // From the beginning again, and no more than was announced: the file may grow meanwhile.
    let mut document = Vec::with_capacity(size as usize);
    io::Seek::rewind(&mut file)?;
    file.take(MAX_JSON).read_to_end(&mut document)?;
    Ok(Held::whole(document))
}

/// The same for bytes, such as those of a pipe.
///
/// # Errors
/// Media without a workflow, or damaged.
pub fn of_bytes(bytes: Vec<u8>) -> Result<Held, HeldError> {
    let size = bytes.len() as u64;
    match embedded::find(&mut Cursor::new(&bytes), size)? {
        Some(embedded) => Ok(embedded.into()),
        None => Ok(Held::whole(bytes)),
    }
}

impl Held {
    fn whole(document: Vec<u8>) -> Self {
        Held { document, part: Part::Whole, editor: None }
    }

    /// The document as a workflow. Where it is what ran, the editor's graph adds where nodes and models are from.
    ///
    /// # Errors
    /// A document that is no workflow. The editor's graph is passed over where it cannot be read.
    pub fn workflow(&self) -> Result<Workflow<'_>, ReadError> {
        let mut workflow = super::read(&self.document)?;
        if let Some(Ok(editor)) = self.editor.as_deref().map(super::read) {
            workflow.learn_from(&editor);
        }
        Ok(workflow)
    }
}

/// Where both are there, `prompt` is what ran; the editor's graph may have been changed since.
impl From<Embedded> for Held {
    fn from(embedded: Embedded) -> Self {
        let Embedded { container, workflow, prompt } = embedded;
        match (prompt, workflow) {
            (Some(prompt), editor) if editor.is_none() || super::read(&prompt).is_ok() => {
                Held { document: prompt, part: Part::Prompt(container), editor }
            }
            (_, workflow) => {
                Held { document: workflow.unwrap_or_default(), part: Part::Workflow(container), editor: None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = r#"{"1":{"class_type":"A","inputs":{}}}"#;
    const WORKFLOW: &str = r#"{"nodes":[],"links":[]}"#;

    fn drawing(of: &str) -> Vec<u8> {
        format!("<svg><metadata><![CDATA[{of}]]></metadata></svg>").into_bytes()
    }

    #[test]
    fn what_ran_comes_first_and_the_editors_graph_stays_at_hand() {
        let held = of_bytes(drawing(&format!(r#"{{"prompt":{PROMPT},"workflow":{WORKFLOW}}}"#))).unwrap();
        assert_eq!(held.document, PROMPT.as_bytes());
        assert_eq!((held.part, held.editor.as_deref()), (Part::Prompt(Container::Svg), Some(WORKFLOW.as_bytes())));
        // A prompt that cannot be read does not hide the workflow.
        let held = of_bytes(drawing(&format!(r#"{{"prompt":{{}},"workflow":{WORKFLOW}}}"#))).unwrap();
        assert_eq!((held.part, held.document.as_slice()), (Part::Workflow(Container::Svg), WORKFLOW.as_bytes()));
    }

    #[test]
    fn the_editors_graph_says_where_nodes_and_models_of_a_prompt_are_from() {
        let prompt = r#"{"4":{"class_type":"X","inputs":{"name":"a.pt","bias":NaN}}}"#;
        let editor = r#"{"nodes":[{"id":4,"type":"X","title":"T","widgets_values":["stale"],
            "properties":{"cnr_id":"pack","ver":"1.2","models":[{"name":"a.pt","url":"u"}]}}],"links":[]}"#;
        let held = Held { document: prompt.into(), part: Part::Prompt(Container::Png), editor: Some(editor.into()) };
        let workflow = held.workflow().unwrap();
        assert_eq!(workflow.format, super::super::Format::Api);
        let node = &workflow.nodes[0];
        assert_eq!((node.package.cnr_id.as_deref(), node.title.as_deref()), (Some("pack"), Some("T")));
        assert_eq!(node.declared[0].url.as_deref(), Some("u"));
        // The same sent to ComfyUI's server.
        let sent = format!(r#"{{"prompt":{prompt},"extra_data":{{"extra_pnginfo":{{"workflow":{editor}}}}}}}"#);
        assert_eq!(super::super::read(sent.as_bytes()).unwrap().nodes[0].package.ver.as_deref(), Some("1.2"));
        // A graph that cannot be read changes nothing.
        assert!(Held { editor: Some(b"[".to_vec()), ..held }.workflow().is_ok());
    }

    #[test]
    fn a_json_file_is_its_own_document_and_media_are_told_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, WORKFLOW).unwrap();
        assert_eq!(open(&path).unwrap(), Held::whole(WORKFLOW.into()));
        std::fs::write(&path, drawing(&format!(r#"{{"prompt":{PROMPT}}}"#))).unwrap();
        assert_eq!(open(&path).unwrap().part.container(), Some(Container::Svg));
        std::fs::write(&path, drawing("nothing")).unwrap();
        assert!(open(&path).unwrap_err().to_string().contains("without a workflow"));
    }
}
