//! One file a plumbing program: its arguments and its body.

pub mod cat_object;
pub mod checkout_tree;
pub mod commit_tree;
pub mod diff_tree;
pub mod fetch_blob;
pub mod fsck;
pub mod gc;
pub mod hash_object;
pub mod index_dir;
pub mod ls_tree;
pub mod make_tree;
pub mod pack;
pub mod parse_workflow;
pub mod resolve;
pub mod rev_list;
pub mod rev_parse;
pub mod rewrite_workflow;
pub mod show_ref;
pub mod unpack;
pub mod update_ref;
pub mod write_tree;
