use std::process::ExitCode;

fn main() -> ExitCode {
    comfrey::ui::program::main_of::<comfrey::plumbing::checkout_tree::CheckoutTree>(
        "comfrey-checkout-tree",
        "Writes a tree into a folder",
    )
}
