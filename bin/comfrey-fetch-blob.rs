use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::fetch_blob::FetchBlob>(
        "comfrey-fetch-blob",
        "Downloads files, verifies and stores them",
    )
}
