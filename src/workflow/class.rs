//! What a node's type names, going by its form.

/// The name of the group that a node's type names, if it does.
pub(super) fn group_of(class: &str) -> Option<&str> {
    class.strip_prefix("workflow/").or_else(|| class.strip_prefix("workflow>"))
}

/// True for a type that is the id of a subgraph: a UUID.
pub(super) fn is_subgraph_id(class: &str) -> bool {
    let lengths = class.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && class.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}
