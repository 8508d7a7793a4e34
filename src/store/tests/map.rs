//! A store against a plain map: whatever is done to both, they hold the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{bytes_of, check, read_all};
use crate::object::{Kind, ObjectId};
use crate::observer::Silent;
use crate::store::{Error, LinkPolicy, Store, StoreOptions, Writer};

#[derive(Debug, Clone)]
enum Step {
    Put {
        kind: Kind,
        length: usize,
        seed: u64,
    },
    PutStream {
        length: usize,
        seed: u64,
    },
    PutFile {
        length: usize,
        seed: u64,
        policy: LinkPolicy,
    },
    Publish,
    /// The writer goes without publishing.
    Drop,
    /// A second writer publishes one object beside the first.
    Beside {
        seed: u64,
    },
    Reopen,
    Read {
        seed: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![8 => 0usize..3000, 1 => (1usize << 20) - 1..(1 << 20) + 2];
    let kind = prop::sample::select(Kind::ALL.to_vec());
    let policies = vec![LinkPolicy::Auto, LinkPolicy::Copy, LinkPolicy::Hardlink, LinkPolicy::Reference];
    let policy = prop::sample::select(policies);
    let seed = 0u64..12;
    prop_oneof![
        6 => (kind, length.clone(), seed.clone()).prop_map(|(kind, length, seed)| Step::Put { kind, length, seed }),
        2 => (length.clone(), seed.clone()).prop_map(|(length, seed)| Step::PutStream { length, seed }),
        2 => (length, seed.clone(), policy)
            .prop_map(|(length, seed, policy)| Step::PutFile { length, seed, policy }),
        3 => Just(Step::Publish),
        1 => Just(Step::Drop),
        1 => seed.clone().prop_map(|seed| Step::Beside { seed }),
        1 => Just(Step::Reopen),
        2 => seed.prop_map(|seed| Step::Read { seed }),
    ]
}

type Map = BTreeMap<ObjectId, (Kind, Vec<u8>)>;

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let mut store = Store::create(&dir).unwrap();
    let mut writer: Option<Writer> = None;
    let (mut published, mut pending) = (Map::new(), Map::new());
    for (number, step) in steps.into_iter().enumerate() {
        let writing = match &mut writer {
            Some(writer) => writer,
            none => none.insert(store.writer().unwrap()),
        };
        match step {
            Step::Put { kind, length, seed } => {
                let bytes = bytes_of(length, seed);
                let id = writing.put(kind, &bytes).unwrap();
                pending.insert(id, (kind, bytes));
            }
            Step::PutStream { length, seed } => {
                let bytes = bytes_of(length, seed);
                let stored = writing.put_stream(&mut &bytes[..], &Silent).unwrap();
                pending.insert(stored.id, (Kind::Blob, bytes));
            }
            Step::PutFile { length, seed, policy } => {
                let bytes = bytes_of(length, seed);
                let path = folder.path().join(number.to_string());
                std::fs::write(&path, &bytes).unwrap();
                let stored = writing.put_file(&path, policy, &Silent).unwrap();
                pending.insert(stored.id, (Kind::Blob, bytes));
            }
            Step::Publish => {
                writing.publish().unwrap();
                published.append(&mut pending);
            }
            Step::Drop => {
                writer = None;
                pending.clear();
            }
            Step::Beside { seed } => {
                let bytes = bytes_of(500, seed);
                let other = store.writer().unwrap();
                let id = other.put(Kind::Blob, &bytes).unwrap();
                other.publish().unwrap();
                published.insert(id, (Kind::Blob, bytes));
            }
            Step::Reopen => {
                writer = None;
                pending.clear();
                store = Store::open(&dir, &StoreOptions::default()).unwrap();
            }
            Step::Read { seed } => {
                let id = ObjectId::of_blob(&bytes_of(500, seed));
                match published.get(&id) {
                    Some((kind, bytes)) => {
                        prop_assert_eq!(store.info(&id).unwrap().map(|info| info.kind), Some(*kind));
                        prop_assert_eq!(&read_all(&store, &id).unwrap(), bytes);
                    }
                    None => prop_assert!(matches!(store.read(&id), Err(Error::NotFound(_)))),
                }
            }
        }
    }
    drop(writer);
    prop_assert_eq!(check(&dir), published);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_store_holds_what_a_map_would(steps in prop::collection::vec(step(), 1..25)) {
        play(steps)?;
    }
}
