use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::write_tree::WriteTree>(
        "comfrey-write-tree",
        "Stores a folder as a tree and prints the tree's id",
    )
}
