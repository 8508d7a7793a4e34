//! What workflows say, read once for each content of a file.
//!
//! The cache is a row a workflow in the table `caches`: key `reading`, NUL, environment, NUL, the workflow's key; value JSON with the id of
//! the file's bytes and the version of the reader. It can be lost at any time. Places in the file are not kept: who rewrites
//! reads the file.

use std::collections::BTreeSet;

use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, NodeReference, Origin, Reference, Signature, node_references, references};
use crate::object::ObjectId;
use crate::resolve::NodeNeed;
use crate::store::{RecordTable, Store};
use crate::workflow::Workflow;

use super::state::FoundWorkflow;

/// To be counted up whenever the same bytes are read otherwise than before.
const READER: u32 = 1;

/// The references of one workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    pub models: Vec<Reference>,
    /// Each type once for each package that its nodes declare; those of ComfyUI itself left out.
    pub nodes: Vec<NodeNeed>,
}

/// A workflow with what was read of it, or why nothing could be.
pub type Read<'w> = (&'w String, &'w FoundWorkflow, Result<Reading, String>);

/// Reads a workflow's bytes. Errors: why they are none.
pub fn read(bytes: &[u8], catalog: &Catalog) -> Result<Reading, String> {
    Ok(of(&crate::workflow::read(bytes).map_err(|error| error.to_string())?, catalog))
}

/// The same of a workflow that was read.
pub fn of(workflow: &Workflow<'_>, catalog: &Catalog) -> Reading {
    let nodes = node_references(workflow, catalog);
    let needs: BTreeSet<NodeNeed> = nodes.iter().filter(|node| !is_built_in(node.origin)).map(need).collect();
    Reading { models: references(workflow, catalog), nodes: needs.into_iter().collect() }
}

/// True for what needs no package.
pub fn is_built_in(origin: Origin) -> bool {
    !matches!(origin, Origin::Custom | Origin::Unknown)
}

/// What a node asks of packages.
pub fn need(node: &NodeReference) -> NodeNeed {
    NodeNeed {
        node_type: node.node_type.clone(),
        built_in: is_built_in(node.origin),
        cnr_id: node.cnr_id.clone(),
        ver: node.ver.clone(),
        aux_id: node.aux_id.clone(),
        signature: (!node.inputs.is_empty()).then(|| {
            let inputs = node.inputs.iter().map(|input| (input.name.as_str(), input.kind.as_str()));
            Signature::of(inputs).to_string()
        }),
    }
}

/// Reads workflows, whose bytes `bytes` gives, in parallel and in their order.
pub fn read_all<'w>(
    workflows: impl IntoIterator<Item = (&'w String, &'w FoundWorkflow)>,
    bytes: impl Fn(&FoundWorkflow) -> Result<Vec<u8>, String> + Sync,
    catalog: &Catalog,
) -> Vec<Read<'w>> {
    let workflows: Vec<_> = workflows.into_iter().collect();
    let one = |found: &FoundWorkflow| read(&bytes(found)?, catalog);
    workflows.par_iter().map(|(key, found)| (*key, *found, one(found))).collect()
}

/// The same from the cache, as far as it has them; what it has not is read and kept.
pub fn cached<'w>(
    store: &Store,
    environment: &str,
    workflows: impl IntoIterator<Item = (&'w String, &'w FoundWorkflow)>,
    bytes: impl Fn(&FoundWorkflow) -> Result<Vec<u8>, String> + Sync,
    catalog: &Catalog,
) -> Result<Vec<Read<'w>>, crate::store::Error> {
    let rows = store.records(RecordTable::Caches);
    let program = format!("{} {}", env!("CARGO_PKG_VERSION"), catalog.stamp());
    let mut asked = Vec::new();
    for (key, found) in workflows {
        let row_key = format!("reading\0{environment}\0{key}").into_bytes();
        let row = rows.get(&row_key)?;
        asked.push((key, found, row_key, row));
    }
    let one = |(key, found, row_key, row): (&'w String, &'w FoundWorkflow, Vec<u8>, Option<Vec<u8>>)| {
        let row: Option<Row> = row.and_then(|row| serde_json::from_slice(&row).ok());
        match row.filter(|row| row.of == found.id && row.reader == READER && row.program == program) {
            Some(row) => ((key, found, row.reading), None),
            None => match bytes(found) {
                Ok(bytes) => {
                    let reading = read(&bytes, catalog);
                    let row = Row { of: found.id, reader: READER, program: program.clone(), reading };
                    // A row that cannot be written as JSON is read again the next time.
                    let value = serde_json::to_vec(&row).ok();
                    ((key, found, row.reading), value.map(|value| (row_key, Some(value))))
                }
                // A file that cannot be read now may be readable the next time.
                Err(reason) => ((key, found, Err(reason)), None),
            },
        }
    };
    let (readings, changes): (Vec<Read<'w>>, Vec<_>) = asked.into_par_iter().map(one).unzip();
    let mut changes: Vec<_> = changes.into_iter().flatten().collect();
    if !changes.is_empty() {
        changes.sort_unstable();
        // A store that cannot be written to has only lost time.
        drop(rows.apply(changes));
    }
    Ok(readings)
}

#[derive(Serialize, Deserialize)]
struct Row {
    of: ObjectId,
    reader: u32,
    /// The program's version and the catalog's stamp.
    program: String,
    reading: Result<Reading, String>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::object::RelativePath;

    #[test]
    fn a_content_is_read_once_whether_it_is_a_workflow_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(&folder.path().join(".comfrey")).unwrap();
        let text = br#"{"nodes":[{"id":4,"type":"VAELoader","widgets_values":["a.pt"]},
            {"id":5,"type":"Custom","properties":{"cnr_id":"pack","ver":"1"}}],"links":[]}"#;
        let found = |name: &str, bytes: &[u8]| FoundWorkflow {
            path: RelativePath::new(format!("workflows/{name}.json")).unwrap(),
            id: ObjectId::of_blob(bytes),
            file: name.into(),
        };
        let (good, bad) = (("a".to_owned(), found("a", text)), ("b".to_owned(), found("b", b"{")));
        let reads = AtomicUsize::new(0);
        let bytes = |found: &FoundWorkflow| {
            reads.fetch_add(1, Ordering::Relaxed);
            Ok(if found.file.ends_with("a") { text.to_vec() } else { b"{".to_vec() })
        };
        let catalog = Catalog::built_in();
        let all = || [(&good.0, &good.1), (&bad.0, &bad.1)];
        let first = cached(&store, "demo", all(), bytes, &catalog).unwrap();
        let second = cached(&store, "demo", all(), bytes, &catalog).unwrap();
        assert_eq!(reads.load(Ordering::Relaxed), 2);
        let reading = second[0].2.as_ref().unwrap();
        assert_eq!((reading.models[0].name.as_str(), reading.nodes[0].cnr_id.as_deref()), ("a.pt", Some("pack")));
        assert_eq!(reading.nodes, first[0].2.as_ref().unwrap().nodes);
        assert!(second[1].2.as_ref().unwrap_err().starts_with("not JSON"));
        cached(&store, "other", all(), bytes, &catalog).unwrap();
        assert_eq!(reads.load(Ordering::Relaxed), 4);
    }
}
