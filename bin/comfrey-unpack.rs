use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::unpack::Unpack>(
        "comfrey-unpack",
        "Verifies a pack on standard input and stores its objects",
    )
}
