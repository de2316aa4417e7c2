//! The program `evolora`: reads its arguments and does what they say.

fn main() -> std::process::ExitCode {
    evolora::cli::main()
}
