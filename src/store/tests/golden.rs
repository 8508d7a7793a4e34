//! The worked examples of `docs/formats.md` are what the store writes (invariant S10).

use crate::object::{Kind, ObjectId};
use crate::platform::identity::FileStamp;
use crate::store::known_files::{self, Known};
use crate::store::large::PlaceRecord;
use crate::store::locator::{At, Codec, Locator};
use crate::store::{format, frame, segment};

const FORMATS: &str = include_str!("../../../docs/formats.md");

/// The bytes of the block ```` ```hex NAME ````, whose lines are `HEX  what it is`.
fn example(name: &str) -> Vec<u8> {
    let (_, rest) = FORMATS.split_once(&format!("```hex {name}\n")).unwrap_or_else(|| panic!("no example {name}"));
    let (block, _) = rest.split_once("```").unwrap();
    let lines = block.lines().filter(|line| !line.starts_with("id "));
    let hex: String = lines.map(|line| line.split("  ").next().unwrap()).collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn stamp() -> FileStamp {
    let ten_o_clock = 1_795_168_800_000_000_000;
    FileStamp { device: 1, inode: 2, size: 1 << 20, modified: ten_o_clock, changed: ten_o_clock }
}

#[test]
fn the_format_file_of_the_document_is_what_a_new_store_gets() {
    let (_, rest) = FORMATS.split_once("```text format\n").unwrap();
    assert_eq!(format::text(), rest.split_once("```").unwrap().0);
}

#[test]
fn the_segment_and_frame_of_the_document_are_what_is_appended() {
    assert_eq!(segment::title(1).to_vec(), example("segment"));
    let mut bytes = Vec::new();
    let header = frame::append(Kind::Blob, ObjectId::of_blob(b"{}"), b"{}", &mut bytes);
    assert_eq!(bytes, example("frame"));
    assert_eq!(frame::Header::decode(&example("frame")), Some(header));
}

#[test]
fn the_locator_and_stamps_of_the_document_are_what_the_index_holds() {
    let at = At::Segment { segment: 1, offset: segment::START as u32, stored: 2, codec: Codec::Raw };
    assert_eq!(Locator { kind: Kind::Blob, size: 2, at }.encode().to_vec(), example("locator"));
    let verified = stamp().modified + 1_000_000_000;
    assert_eq!(PlaceRecord { stamp: stamp(), verified }.encode(), example("place"));
    let known = Known { id: Some(ObjectId::of_blob(b"{}")), ..Known::default() };
    assert_eq!(known_files::row(&stamp(), &known, verified).1, example("known-file"));
}
