use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::rev_list::RevList>(
        "comfrey-rev-list",
        "Lists snapshots, children before parents, and what they need",
    )
}
