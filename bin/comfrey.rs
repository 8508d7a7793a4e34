use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::porcelain::dispatch::main()
}
