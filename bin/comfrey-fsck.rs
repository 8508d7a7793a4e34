use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::fsck::Fsck>(
        "comfrey-fsck",
        "Checks the store, and lists every fault with who needs it",
    )
}
