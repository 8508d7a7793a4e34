use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::gc::Gc>("comfrey-gc", "Deletes what nothing needs")
}
