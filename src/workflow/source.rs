//! The bytes of a file that holds a workflow, and the workflow in them: JSON, or the metadata of a picture, a video, a sound.

use std::io::{self, Read, Seek, SeekFrom};

use super::embedded::{self, Container, EmbeddedError};
use super::format::{self, ReadError};
use super::graph::Workflow;

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The file itself.
    Json(Vec<u8>),
    /// What ran, and beside it the drawing that it was made from.
    Embedded { container: Container, prompt: Option<Vec<u8>>, drawing: Option<Vec<u8>> },
}

/// Why a file gives no workflow.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
}

impl Source {
    /// Reads a file of `size` bytes: all of it, or of a media file the metadata alone.
    ///
    /// # Errors
    /// The file; a media file without a workflow.
    pub fn read(file: &mut (impl Read + Seek), size: u64) -> Result<Source, SourceError> {
        if let Some(found) = embedded::find(file, size)? {
            return Ok(Source::Embedded { container: found.container, prompt: found.prompt, drawing: found.workflow });
        }
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Source::Json(bytes))
    }

    /// The workflow. Where there is a prompt, that is what ran; the drawing beside it adds where nodes and models are from.
    ///
    /// # Errors
    /// What is no workflow. A prompt that cannot be read is passed over where there is a drawing that can.
    pub fn workflow(&self) -> Result<Workflow<'_>, ReadError> {
        match self {
            Source::Json(bytes) => format::read(bytes),
            Source::Embedded { prompt: Some(prompt), drawing: Some(drawing), .. } => {
                let drawing = format::read(drawing);
                match (format::read(prompt), drawing) {
                    (Ok(mut prompt), Ok(drawing)) => {
                        prompt.learn_from(&drawing);
                        Ok(prompt)
                    }
                    (Ok(only), Err(_)) | (Err(_), Ok(only)) => Ok(only),
                    (Err(error), Err(_)) => Err(error),
                }
            }
            Source::Embedded { prompt: one, drawing: other, .. } => {
                format::read(one.as_ref().or(other.as_ref()).map_or(&[], Vec::as_slice))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWING: &str = r#"{"nodes":[{"id":4,"type":"X","title":"T","widgets_values":["stale"],
        "properties":{"cnr_id":"pack","ver":"1.2","models":[{"name":"a.pt","url":"u"}]}}],"links":[]}"#;
    const PROMPT: &str = r#"{"4":{"class_type":"X","inputs":{"name":"a.pt","bias":NaN}}}"#;

    fn embedded(prompt: Option<&str>, drawing: Option<&str>) -> Source {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Source::Embedded { container: Container::Png, prompt: bytes(prompt), drawing: bytes(drawing) }
    }

    #[test]
    fn what_ran_counts_and_the_drawing_says_where_things_are_from() {
        let source = embedded(Some(PROMPT), Some(DRAWING));
        let workflow = source.workflow().unwrap();
        assert_eq!(workflow.format, super::super::Format::Api);
        let node = &workflow.nodes[0];
        assert_eq!((node.package.cnr_id.as_deref(), node.title.as_deref()), (Some("pack"), Some("T")));
        assert_eq!(node.declared[0].url.as_deref(), Some("u"));
        let wrapped = format!(r#"{{"prompt":{PROMPT},"extra_data":{{"extra_pnginfo":{{"workflow":{DRAWING}}}}}}}"#);
        let source = Source::read(&mut io::Cursor::new(wrapped.as_bytes()), wrapped.len() as u64).unwrap();
        assert_eq!(source.workflow().unwrap().nodes[0].package.ver.as_deref(), Some("1.2"));
    }

    #[test]
    fn one_that_cannot_be_read_leaves_the_other() {
        assert_eq!(embedded(Some("{}"), Some(DRAWING)).workflow().unwrap().nodes.len(), 1);
        assert_eq!(embedded(Some(PROMPT), Some("[")).workflow().unwrap().nodes.len(), 1);
        assert!(embedded(Some("{}"), Some("[")).workflow().is_err());
        assert!(embedded(None, None).workflow().is_err());
    }
}
