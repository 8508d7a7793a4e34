use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::show_ref::ShowRef>(
        "comfrey-show-ref",
        "Lists refs and the snapshots they name",
    )
}
