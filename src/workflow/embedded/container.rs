//! Which container is this? Told by its first bytes, never by a file's name.

use std::fmt;

/// A format of files that can carry a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// APNG too.
    Png,
    WebP,
    Jpeg,
    /// AVIF, and HEIF of which it is a kind.
    Avif,
    /// MP4, MOV, M4V, M4A.
    Mp4,
    /// WebM and MKV.
    Matroska,
    Flac,
    /// Opus and Vorbis.
    Ogg,
    Mp3,
    Glb,
    Svg,
    /// `.latent` too.
    Safetensors,
}

/// How much of a file [`Container::of`] wants to see.
pub(super) const HEAD: u64 = 4096;

/// safetensors' own limit for its header.
pub(super) const MAX_SAFETENSORS_HEADER: u64 = 100_000_000;

impl Container {
    /// The container that begins with `head`, the first [`HEAD`] bytes of a file of `size` bytes.
    pub(super) fn of(head: &[u8], size: u64) -> Option<Container> {
        let at = |place: usize, bytes: &[u8]| head.get(place..).is_some_and(|rest| rest.starts_with(bytes));
        match head {
            _ if at(0, b"\x89PNG\r\n\x1a\n") => Some(Container::Png),
            _ if at(0, b"RIFF") && at(8, b"WEBP") => Some(Container::WebP),
            _ if at(0, b"\xff\xd8\xff") => Some(Container::Jpeg),
            _ if at(4, b"ftyp") => Some(if is_image_brand(head.get(8..12)) { Container::Avif } else { Container::Mp4 }),
            // QuickTime files of old begin with the film itself.
            _ if at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") => Some(Container::Mp4),
            _ if at(0, b"\x1a\x45\xdf\xa3") => Some(Container::Matroska),
            _ if at(0, b"fLaC") => Some(Container::Flac),
            _ if at(0, b"OggS") => Some(Container::Ogg),
            _ if at(0, b"glTF") => Some(Container::Glb),
            _ if at(0, b"ID3") => Some(Container::Mp3),
            // The beginning of a frame of layer III.
            [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => Some(Container::Mp3),
            _ if is_svg(head) => Some(Container::Svg),
            _ if is_safetensors(head, size) => Some(Container::Safetensors),
            _ => None,
        }
    }

    /// The word that JSON has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Container::Png => "png",
            Container::WebP => "webp",
            Container::Jpeg => "jpeg",
            Container::Avif => "avif",
            Container::Mp4 => "mp4",
            Container::Matroska => "webm",
            Container::Flac => "flac",
            Container::Ogg => "ogg",
            Container::Mp3 => "mp3",
            Container::Glb => "glb",
            Container::Svg => "svg",
            Container::Safetensors => "safetensors",
        }
    }
}

/// As it stands in a message.
impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Container::Png => "a PNG image",
            Container::WebP => "a WebP image",
            Container::Jpeg => "a JPEG image",
            Container::Avif => "an AVIF image",
            Container::Mp4 => "an MP4 or MOV file",
            Container::Matroska => "a WebM or MKV file",
            Container::Flac => "a FLAC file",
            Container::Ogg => "an Ogg file",
            Container::Mp3 => "an MP3 file",
            Container::Glb => "a GLB file",
            Container::Svg => "an SVG image",
            Container::Safetensors => "a safetensors file",
        })
    }
}

fn is_image_brand(brand: Option<&[u8]>) -> bool {
    const BRANDS: [&[u8]; 7] = [b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"miaf"];
    brand.is_some_and(|brand| BRANDS.contains(&brand))
}

/// XML in which an `svg` element begins.
fn is_svg(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    head.starts_with(b"<") && head.windows(4).any(|window| window == b"<svg")
}

/// The length of a JSON header that fits, and the header's first byte.
fn is_safetensors(head: &[u8], size: u64) -> bool {
    let Some((length, rest)) = head.split_first_chunk::<8>() else { return false };
    let length = u64::from_le_bytes(*length);
    (2..=MAX_SAFETENSORS_HEADER).contains(&length) && length + 8 <= size && rest.first() == Some(&b'{')
}
