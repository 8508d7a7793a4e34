//! Objects from a store into a pack.
//!
//! One thread reads and verifies ahead, a batch on all cores at a time; the other feeds the compressor, whose own threads do most of
//! the work. Large blobs pass through as streams, so memory does not grow with them.

use std::collections::HashSet;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::pack::{PackError, PackOptions, PackWriter, Packed};
use crate::object::{Kind, ObjectId};
use crate::observer::{Observer, Unit};
use crate::store::{self, Info, ObjectReader, Place, Store};

/// Small objects are read ahead in batches of so many bytes.
const BATCH: u64 = 2 << 20;

/// Why objects cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// In the order in which they were asked for.
    #[error("{} of the objects to pack are not in the store, the first is {}", .0.len(), .0[0])]
    Absent(Vec<ObjectId>),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// What the reading thread hands over.
enum Read {
    Batch(Vec<(ObjectId, Kind, Vec<u8>)>),
    Stream(ObjectId, Box<ObjectReader>),
    Failed(store::Error),
}

/// Writes a pack of the objects `ids`, in this order, each once. Nothing is written before all of them are known to be there.
pub fn send(
    store: &Store,
    ids: Vec<ObjectId>,
    output: impl Write,
    options: &PackOptions,
    observer: &dyn Observer,
) -> Result<Packed, SendError> {
    let mut held = HashSet::with_capacity(ids.len());
    let ids: Vec<ObjectId> = ids.into_iter().filter(|id| held.insert(*id)).collect();
    let infos = store.infos(&ids)?;
    let absent: Vec<ObjectId> = ids.iter().zip(&infos).filter(|(_, info)| info.is_none()).map(|(id, _)| *id).collect();
    if !absent.is_empty() {
        return Err(SendError::Absent(absent));
    }
    let objects: Vec<(ObjectId, Info)> = ids.into_iter().zip(infos.into_iter().flatten()).collect();
    let bytes = objects.iter().map(|(_, info)| info.size).sum();
    observer.started("packing", Unit::Bytes, Some(bytes));
    let mut writer = PackWriter::begin(output, &held, bytes, options, observer)?;
    let result = std::thread::scope(|scope| {
        let (ahead, reads) = sync_channel(4);
        scope.spawn(|| read_ahead(store, &objects, ahead));
        write(&mut writer, reads)
    });
    result?;
    let packed = writer.finish()?;
    observer.finished();
    Ok(packed)
}

fn write(writer: &mut PackWriter<'_, impl Write>, reads: Receiver<Read>) -> Result<(), SendError> {
    for read in reads {
        match read {
            Read::Batch(objects) => {
                for (id, kind, bytes) in objects {
                    writer.object(id, kind, &bytes)?;
                }
            }
            Read::Stream(id, mut reader) => {
                let (kind, size) = (reader.kind(), reader.size());
                writer.stream(id, kind, size, &mut *reader)?;
            }
            Read::Failed(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads until all is read, something fails, or nobody listens any more.
fn read_ahead(store: &Store, mut objects: &[(ObjectId, Info)], ahead: SyncSender<Read>) {
    while let Some((id, info)) = objects.first() {
        let is_small = |info: &Info| matches!(info.place, Place::Segment { .. });
        let (read, taken) = if is_small(info) {
            let mut bytes = 0;
            let in_batch = |(_, info): &&(ObjectId, Info)| {
                bytes += info.size;
                is_small(info) && bytes <= BATCH
            };
            let count = objects.iter().take_while(in_batch).count().max(1);
            let ids: Vec<ObjectId> = objects[..count].iter().map(|(id, _)| *id).collect();
            let batch = store.read_all(&ids).map(|found| {
                Read::Batch(ids.into_iter().zip(found).map(|(id, (kind, bytes))| (id, kind, bytes)).collect())
            });
            (batch, count)
        } else {
            (store.open_object(id).map(|reader| Read::Stream(*id, Box::new(reader))), 1)
        };
        let failed = read.is_err();
        if ahead.send(read.unwrap_or_else(Read::Failed)).is_err() || failed {
            return;
        }
        objects = &objects[taken..];
    }
}
