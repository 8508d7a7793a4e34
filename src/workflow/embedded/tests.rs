//! Every container, written here byte by byte, whole and broken.

use std::io::Cursor;

use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;

use super::*;

const WORKFLOW: &str = r#"{"nodes":[{"id":1,"type":"A"}],"links":[],"note":"ü"}"#;
const PROMPT: &str = r#"{"1":{"class_type":"A","inputs":{"x":NaN}}}"#;

fn looked_for(bytes: &[u8]) -> Result<Option<Embedded>, EmbeddedError> {
    find(&mut Cursor::new(bytes), bytes.len() as u64)
}

fn found(bytes: &[u8]) -> Embedded {
    looked_for(bytes).unwrap().unwrap()
}

fn reason(bytes: &[u8]) -> String {
    looked_for(bytes).unwrap_err().to_string()
}

#[track_caller]
fn holds_both(container: Container, bytes: &[u8]) {
    let found = found(bytes);
    let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(found.container, container);
    assert_eq!(text(found.workflow).as_deref(), Some(WORKFLOW));
    assert_eq!(text(found.prompt).as_deref(), Some(PROMPT));
}

fn big(number: usize) -> [u8; 4] {
    (number as u32).to_be_bytes()
}

fn little(number: usize) -> [u8; 4] {
    (number as u32).to_le_bytes()
}

fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&big(content.len()), &kind[..], content, &[0; 4]].concat()
}

fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
    let head = chunk(b"IHDR", &[0; 13]);
    [&b"\x89PNG\r\n\x1a\n"[..], &head, &chunks.concat(), &chunk(b"IDAT", b"pixels"), &chunk(b"IEND", b"")].concat()
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

fn text_chunk(kind: &[u8; 4], key: &str, text: &str) -> Vec<u8> {
    let content = match kind {
        b"zTXt" => [key.as_bytes(), b"\0\0", &packed(text.as_bytes())].concat(),
        b"iTXt" => [key.as_bytes(), b"\0\x01\0de\0Schl\0", &packed(text.as_bytes())].concat(),
        _ => [key.as_bytes(), b"\0", text.as_bytes()].concat(),
    };
    chunk(kind, &content)
}

/// EXIF with texts in the first folder, and a UserComment in the second.
fn exif(texts: &[(u16, &str)], comment: Option<&[u8]>, little: bool) -> Vec<u8> {
    let u16 = |number: u16| if little { number.to_le_bytes() } else { number.to_be_bytes() };
    let u32 = |number: usize| if little { (number as u32).to_le_bytes() } else { (number as u32).to_be_bytes() };
    let mut out = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
    out.extend(u32(8));
    let entries = texts.len() + usize::from(comment.is_some());
    out.extend(u16(entries as u16));
    let mut data_at = 8 + 2 + entries * 12 + 4;
    let mut data = Vec::new();
    for (tag, text) in texts {
        out.extend([u16(*tag), u16(2)].concat());
        out.extend([u32(text.len() + 1), u32(data_at)].concat());
        data.extend([text.as_bytes(), b"\0"].concat());
        data_at += text.len() + 1;
    }
    if let Some(comment) = comment {
        out.extend([u16(0x8769), u16(4)].concat());
        out.extend([u32(1), u32(data_at)].concat());
        data.extend([u16(1), u16(0x9286), u16(if little { 1 } else { 7 })].concat());
        data.extend([u32(comment.len()), u32(data_at + 2 + 12 + 4), u32(0)].concat());
        data.extend(comment);
    }
    out.extend(u32(0));
    out.extend(data);
    out
}

fn comfy_exif(little: bool) -> Vec<u8> {
    let (workflow, prompt) = (format!("workflow:{WORKFLOW}"), format!("prompt:{PROMPT}"));
    exif(&[(0x010f, &workflow), (0x0110, &prompt)], None, little)
}

fn webp(exif: &[u8]) -> Vec<u8> {
    let padding = vec![0; exif.len() % 2];
    let chunks = [&b"VP8 "[..], &little(3), b"abc\0", b"EXIF", &little(exif.len()), exif, &padding].concat();
    [b"RIFF", &little(chunks.len() + 4)[..], b"WEBP", &chunks].concat()
}

fn jpeg(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [b"\xff\xd8\xff\xe0\0\x04ab\xff\xff", &[kind][..], &length, content, b"\xff\xda\0\x02pixels"].concat()
}

fn part(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&big(content.len() + 8), &kind[..], content].concat()
}

fn mp4(moov: &[u8]) -> Vec<u8> {
    let large = [&big(1)[..], b"mdat", &20u64.to_be_bytes(), b"data"].concat();
    [part(b"ftyp", b"isom\0\0\0\0"), large, part(b"moov", moov)].concat()
}

fn keys_and_list() -> Vec<u8> {
    let key = |name: &str| [&big(name.len() + 8)[..], b"mdta", name.as_bytes()].concat();
    let keys = [&[0; 4][..], &big(2), &key("workflow"), &key("prompt")].concat();
    let value = |text: &str| part(b"data", &[&big(1)[..], &big(0), text.as_bytes()].concat());
    let list = [part(&big(1), &value(WORKFLOW)), part(&big(2), &value(PROMPT))].concat();
    let handler = part(b"hdlr", &[0; 25]);
    part(b"meta", &[&[0; 4][..], &handler, &part(b"keys", &keys), &part(b"ilst", &list)].concat())
}

fn avif(in_meta: bool) -> Vec<u8> {
    let item = [&big(0)[..], &comfy_exif(false)].concat();
    let brand = part(b"ftyp", b"avif\0\0\0\0");
    let entry = part(b"infe", b"\x02\0\0\0\0\x07\0\0Exif\0");
    let info = part(b"iinf", &[b"\0\0\0\0\0\x01", &entry[..]].concat());
    let place = |start: usize, method: u8| {
        let fixed = [0, 7, 0, method, 0, 0, 0, 1];
        part(b"iloc", &[&b"\x01\0\0\0\x44\0\0\x01"[..], &fixed, &big(start), &big(item.len())].concat())
    };
    let meta = |place: Vec<u8>, data: &[u8]| {
        part(b"meta", &[&[0; 4][..], &part(b"hdlr", &[0; 25]), &info, &place, data].concat())
    };
    if in_meta {
        return [brand, meta(place(0, 1), &part(b"idat", &item))].concat();
    }
    let data_at = brand.len() + meta(place(0, 0), b"").len() + 8;
    [brand, meta(place(data_at, 0), b""), part(b"mdat", &item)].concat()
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &(content.len() as u32 | 0x1000_0000).to_be_bytes(), content].concat()
}

fn webm() -> Vec<u8> {
    let simple = |name: &str, text: &str| {
        element(b"\x67\xc8", &[element(b"\x45\xa3", name.as_bytes()), element(b"\x44\x87", text.as_bytes())].concat())
    };
    let tag = element(b"\x73\x73", &[simple("WORKFLOW", WORKFLOW), simple("PROMPT", PROMPT)].concat());
    let tags = element(b"\x12\x54\xc3\x67", &tag);
    // Segment and cluster of unknown length, as a live recording has them.
    let cluster = [&b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff"[..], &element(b"\xa3", b"block")].concat();
    [element(b"\x1a\x45\xdf\xa3", b"webm"), b"\x18\x53\x80\x67\xff".to_vec(), cluster, tags].concat()
}

fn comments() -> Vec<u8> {
    let string = |text: &str| [&little(text.len())[..], text.as_bytes()].concat();
    let (workflow, prompt) = (format!("workflow={WORKFLOW}"), format!("PROMPT={PROMPT}"));
    [string("maker"), little(3).to_vec(), string("title=x"), string(&workflow), string(&prompt)].concat()
}

fn flac() -> Vec<u8> {
    let comments = comments();
    [b"fLaC\0\0\0\x02ab", &[0x84][..], &big(comments.len())[1..], &comments, b"sound"].concat()
}

fn ogg() -> Vec<u8> {
    let page = |flags: u8, pieces: &[u8], content: &[u8]| {
        [&b"OggS\0"[..], &[flags], &[0; 8], b"strm", &[0; 8], &[pieces.len() as u8], pieces, content].concat()
    };
    let packet = [b"OpusTags", &comments()[..], &[b' '; 300]].concat();
    // The packet goes over two pages.
    let (first, second) = packet.split_at(255);
    let rest: Vec<u8> = second.chunks(255).map(|piece| piece.len() as u8).collect();
    [page(2, &[8], b"OpusHead"), page(0, &[255], first), page(1, &rest, second), b"sound".to_vec()].concat()
}

fn id3(version: u8, encoded: impl Fn(&str, &str) -> Vec<u8>) -> Vec<u8> {
    let safe = |number: usize| [21, 14, 7, 0].map(|shift| (number >> shift & 0x7f) as u8);
    let frame = |name: &str, text: &str| {
        let content = encoded(name, text);
        let length = if version == 4 { safe(content.len()) } else { big(content.len()) };
        [b"TXXX", &length[..], &[0, 0], &content].concat()
    };
    let frames = [frame("prompt", PROMPT), frame("workflow", WORKFLOW), vec![0; 20]].concat();
    [b"ID3", &[version, 0, 0][..], &safe(frames.len()), &frames, b"\xff\xfbsound"].concat()
}

fn id3_utf8() -> Vec<u8> {
    id3(4, |name, text| [b"\x03", name.as_bytes(), b"\0", text.as_bytes(), b"\0"].concat())
}

fn glb() -> Vec<u8> {
    let text = serde_json::to_string(WORKFLOW).unwrap();
    let json = format!(r#"{{"asset":{{"version":"2.0","extras":{{"workflow":{text},"prompt":{PROMPT}}}}}}} "#);
    [b"glTF", &little(2)[..], &little(999), &little(json.len()), b"JSON", json.as_bytes(), b"binary"].concat()
}

fn svg() -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>\n<svg width=\"1\">\n  <metadata>\n<![CDATA[\n{{\"prompt\": {PROMPT}, \"workflow\": {WORKFLOW}}}\n  ]]>\n</metadata></svg>"
    )
    .into_bytes()
}

fn safetensors() -> Vec<u8> {
    let metadata = serde_json::json!({"__metadata__": {"prompt": PROMPT, "workflow": WORKFLOW}, "t": {"shape": [1]}});
    let header = metadata.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), b"weights"].concat()
}

/// One of each, as ComfyUI writes it.
fn all() -> Vec<(Container, Vec<u8>)> {
    let texts = [text_chunk(b"tEXt", "workflow", WORKFLOW), text_chunk(b"tEXt", "prompt", PROMPT)];
    vec![
        (Container::Png, png(&texts)),
        (Container::WebP, webp(&comfy_exif(true))),
        (Container::Jpeg, jpeg(0xe1, &[b"Exif\0\0", &comfy_exif(false)[..]].concat())),
        (Container::Avif, avif(false)),
        (Container::Mp4, mp4(&part(b"udta", &keys_and_list()))),
        (Container::Matroska, webm()),
        (Container::Flac, flac()),
        (Container::Ogg, ogg()),
        (Container::Mp3, id3_utf8()),
        (Container::Glb, glb()),
        (Container::Svg, svg()),
        (Container::Safetensors, safetensors()),
    ]
}

#[test]
fn every_container_gives_what_comfyui_puts_there() {
    for (container, bytes) in all() {
        holds_both(container, &bytes);
    }
}

#[test]
fn every_kind_of_png_text_is_read_under_keys_of_any_case() {
    for kind in [b"zTXt", b"iTXt", b"comf"] {
        let texts = [text_chunk(kind, "Workflow", WORKFLOW), text_chunk(kind, "Prompt", PROMPT)];
        holds_both(Container::Png, &png(&texts));
    }
    // After the pixels, as animations have it, and as EXIF.
    let mut animation = png(&[]);
    let end = animation.len() - 12;
    let late = [text_chunk(b"comf", "workflow", WORKFLOW), chunk(b"eXIf", &comfy_exif(true))].concat();
    animation.splice(end..end, late);
    holds_both(Container::Png, &animation);
}

#[test]
fn latin_1_becomes_utf_8() {
    let content = [b"workflow\0{\"nodes\":[],\"links\":\"", &[0xfc][..], b"\"}"].concat();
    let found = found(&png(&[chunk(b"tEXt", &content)]));
    assert_eq!(found.workflow.unwrap(), "{\"nodes\":[],\"links\":\"ü\"}".as_bytes());
}

#[test]
fn exif_is_read_in_both_orders_of_bytes_and_with_and_without_its_name() {
    for little in [true, false] {
        holds_both(Container::WebP, &webp(&comfy_exif(little)));
        holds_both(Container::WebP, &webp(&[b"Exif\0\0", &comfy_exif(little)[..]].concat()));
    }
    holds_both(Container::Avif, &avif(true));
}

#[test]
fn a_user_comment_is_read_in_every_encoding() {
    let both = format!(r#"{{"prompt":{PROMPT},"workflow":{WORKFLOW}}}"#);
    let units: Vec<u16> = both.encode_utf16().collect();
    let encodings = [
        [b"ASCII\0\0\0", both.as_bytes()].concat(),
        [&[0; 8], both.as_bytes()].concat(),
        [b"UNICODE\0".to_vec(), units.iter().flat_map(|unit| unit.to_be_bytes()).collect()].concat(),
        [b"UNICODE\0".to_vec(), units.iter().flat_map(|unit| unit.to_le_bytes()).collect()].concat(),
    ];
    for comment in encodings {
        let exif_data = [b"Exif\0\0", &exif(&[], Some(&comment), false)[..]].concat();
        holds_both(Container::Jpeg, &jpeg(0xe1, &exif_data));
        holds_both(Container::WebP, &webp(&exif(&[], Some(&comment), true)));
    }
}

#[test]
fn a_document_in_a_comment_is_split_as_video_helper_suite_writes_it() {
    let prompt = serde_json::to_string(PROMPT).unwrap();
    let both = format!(r#"{{"prompt": {prompt}, "workflow": {WORKFLOW}, "CreationTime": "now"}}"#);
    let value = part(b"data", &[&big(1)[..], &big(0), both.as_bytes()].concat());
    let meta = part(b"meta", &[&[0; 4][..], &part(b"ilst", &part(b"\xa9cmt", &value))].concat());
    holds_both(Container::Mp4, &mp4(&part(b"udta", &meta)));
    let quicktime = part(b"\xa9cmt", &[&[0, 9, 0, 0], both.as_bytes()].concat());
    holds_both(Container::Mp4, &mp4(&part(b"udta", &quicktime)));
    holds_both(Container::Jpeg, &jpeg(0xfe, both.as_bytes()));
    // One document alone says by its form which of the two it is.
    assert_eq!(found(&jpeg(0xfe, PROMPT.as_bytes())).prompt.unwrap(), PROMPT.as_bytes());
    assert_eq!(found(&jpeg(0xfe, WORKFLOW.as_bytes())).workflow.unwrap(), WORKFLOW.as_bytes());
}

#[test]
fn boxes_of_mp4_are_found_where_tools_put_them() {
    let meta = keys_and_list();
    let quicktime = part(b"meta", &meta[12..]);
    for moov in [part(b"udta", &meta), meta.clone(), quicktime, part(b"udta", &[&meta[..], &[0; 4]].concat())] {
        holds_both(Container::Mp4, &mp4(&moov));
    }
    holds_both(Container::Mp4, &[mp4(b""), part(b"udta", &meta)].concat());
}

#[test]
fn id3_is_read_in_every_version_and_encoding_and_text_without_a_tag_too() {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    };
    holds_both(Container::Mp3, &id3(3, |name, text| [&[1][..], &utf16(name), &[0, 0], &utf16(text)].concat()));
    let raw = format!("\0\0prompt\0{PROMPT}\0workflow\0{WORKFLOW}\0");
    holds_both(Container::Mp3, &[b"\xff\xfbsound", raw.as_bytes()].concat());
    // A tag before FLAC.
    let mut tagged = id3(4, |_, _| Vec::new());
    tagged.truncate(tagged.len() - 7);
    let found = found(&[tagged, flac()].concat());
    assert_eq!(found.workflow.unwrap(), WORKFLOW.as_bytes());
}

#[test]
fn an_svg_may_hold_entities_and_the_end_mark_of_its_section() {
    let entities = WORKFLOW.replace('"', "&quot;");
    let drawing = format!("<svg><metadata id='m'>workflow:{entities}</metadata></svg>");
    assert_eq!(found(drawing.as_bytes()).workflow.unwrap(), WORKFLOW.as_bytes());
    let odd = r#"{"nodes":[],"links":"]]> ]]>"}"#;
    let drawing = format!("<!-- x --><svg><metadata><![CDATA[{{\"workflow\":{odd}}}]]></metadata></svg>");
    assert_eq!(found(drawing.as_bytes()).workflow.unwrap(), odd.as_bytes());
}

#[test]
fn what_has_no_workflow_says_why() {
    let parameters = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7";
    let image = png(&[text_chunk(b"tEXt", "parameters", parameters)]);
    assert!(reason(&image).contains("a PNG image with generation parameters"), "{}", reason(&image));
    assert_eq!(reason(&png(&[])), "a PNG image without a workflow in its metadata");
    // Words under the same key, and a prompt with alternatives.
    for words in ["a cat", "{red|blue} cat"] {
        assert!(reason(&png(&[text_chunk(b"tEXt", "prompt", words)])).contains("without a workflow"));
    }
    assert!(looked_for(b"{\"nodes\":[]}").unwrap().is_none());
    assert!(looked_for(b"").unwrap().is_none());
}

#[test]
fn a_file_that_is_cut_off_after_its_metadata_still_has_its_workflow() {
    let (_, mut image) = all().swap_remove(0);
    image.truncate(image.len() - 20);
    holds_both(Container::Png, &image);
    assert!(reason(&image[..30]).contains("it ends in the middle of its chunks"), "{}", reason(&image[..30]));
}

#[test]
fn lengths_that_a_file_only_claims_take_no_memory() {
    let head = b"\x89PNG\r\n\x1a\n";
    let claims = [
        [&head[..], &big(0x7fff_ffff), b"tEXtworkflow"].concat(),
        [&head[..], &big(0xffff_ffff), b"tEXtworkflow"].concat(),
        [&b"RIFF\xff\xff\xff\xffWEBPEXIF"[..], &[0xff; 4], &[0; 8]].concat(),
        [b"fLaC", &[0x84, 0xff, 0xff, 0xff][..], &[0xff; 8]].concat(),
        [&part(b"ftyp", b"isom")[..], &big(1), b"moov", &u64::MAX.to_be_bytes()].concat(),
        b"\x1a\x45\xdf\xa3\x80\x12\x54\xc3\x67\x01\xff\xff\xff\xff\xff\xff\xfe".to_vec(),
        [b"ID3\x04\0\0", &[0x7f; 4][..], b"TXXX"].concat(),
        [b"glTF", &[0xff; 12][..], b"JSON", &[b' '; 8]].concat(),
    ];
    for bytes in claims {
        assert!(matches!(looked_for(&bytes), Err(EmbeddedError::Damaged { .. })), "{bytes:?}");
    }
    // A size that is not true.
    let (_, image) = all().swap_remove(0);
    assert!(find(&mut Cursor::new(&image[..40]), u64::MAX).is_ok_and(|found| found.is_none()));
}

#[test]
fn text_that_unpacks_to_more_than_the_limit_is_refused() {
    let zeros = packed(&vec![b' '; 16 << 20]);
    let bomb = chunk(b"zTXt", &[b"workflow\0\0", &zeros[..]].concat());
    let many: Vec<Vec<u8>> = vec![bomb; 20];
    assert!(reason(&png(&many)).contains("larger than 256 MiB"), "{}", reason(&png(&many)));
}

#[test]
fn places_without_length_in_an_avif_do_not_go_on_for_ever() {
    let entry = part(b"infe", b"\x02\0\0\0\0\x07\0\0Exif\0");
    let info = part(b"iinf", &[b"\0\0\0\0\0\x01", &entry[..]].concat());
    let items = [0, 7, 0, 0, 0xff, 0xff].repeat(60_000);
    let places = part(b"iloc", &[&b"\0\0\0\0\0\0\xff\xff"[..], &items].concat());
    let meta = part(b"meta", &[&[0; 4][..], &info, &places].concat());
    assert!(reason(&[part(b"ftyp", b"avif"), meta].concat()).contains("without a workflow"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn broken_files_are_refused_or_read_and_never_a_crash(
        chosen in 0usize..12, cut in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let (_, mut bytes) = all().swap_remove(chosen);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let _ = looked_for(&bytes);
    }
}
