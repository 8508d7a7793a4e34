//! The one entry: which container, and what is in it.

use std::io::{self, Read, Seek};

use super::container::{Container, HEAD};
use super::findings::Findings;
use super::source::{Problem, Source};
use super::{flac, glb, isobmff, jpeg, matroska, mp3, ogg, png, safetensors, svg, webp};

/// What a container held: at least one of the two, as UTF-8 text that looks like a JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    pub container: Container,
    /// What the editor showed.
    pub workflow: Option<Vec<u8>>,
    /// What ran.
    pub prompt: Option<Vec<u8>>,
}

/// Why a container gives no workflow.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error("{0} without a workflow in its metadata")]
    Nothing(Container),
    #[error("{0} with generation parameters in its metadata, as AUTOMATIC1111's web UI writes them, but no workflow")]
    Parameters(Container),
    #[error("{container} that cannot be read: {problem}")]
    Damaged { container: Container, problem: Problem },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Looks for a workflow in the metadata of a media file of `size` bytes. Nothing for a file that is no known container.
///
/// What was found before damage counts: a picture that is cut off in its pixels still has its workflow.
///
/// # Errors
/// A container without a workflow or one that cannot be read; the source.
pub fn find(source: &mut (impl Read + Seek), size: u64) -> Result<Option<Embedded>, EmbeddedError> {
    let mut source = Source::new(source, size);
    let head = match source.head(HEAD) {
        Ok(head) => head,
        Err(Problem::Io(error)) => return Err(error.into()),
        // Shorter than its size says: nothing begins with these bytes.
        Err(_) => return Ok(None),
    };
    let Some(container) = Container::of(&head, size) else { return Ok(None) };
    let mut findings = Findings::default();
    let read = match container {
        Container::Png => png::read(&mut source, &mut findings),
        Container::WebP => webp::read(&mut source, &mut findings),
        Container::Jpeg => jpeg::read(&mut source, &mut findings),
        Container::Avif | Container::Mp4 => isobmff::read(&mut source, &mut findings),
        Container::Matroska => matroska::read(&mut source, &mut findings),
        Container::Flac => flac::read(&mut source, 0, &mut findings),
        Container::Ogg => ogg::read(&mut source, &mut findings),
        Container::Mp3 => mp3::read(&mut source, &mut findings),
        Container::Glb => glb::read(&mut source, &mut findings),
        Container::Svg => svg::read(&mut source, &mut findings),
        Container::Safetensors => safetensors::read(&mut source, &mut findings),
    };
    match read {
        Err(Problem::Io(error)) => Err(error.into()),
        _ if findings.any() => Ok(Some(Embedded { container, workflow: findings.workflow, prompt: findings.prompt })),
        Err(problem) => Err(EmbeddedError::Damaged { container, problem }),
        Ok(()) if findings.parameters => Err(EmbeddedError::Parameters(container)),
        Ok(()) => Err(EmbeddedError::Nothing(container)),
    }
}
