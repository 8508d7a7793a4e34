use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::update_ref::UpdateRef>(
        "comfrey-update-ref",
        "Changes refs, if they are what was expected",
    )
}
