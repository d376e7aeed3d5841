//! The program `wirespan`.

fn main() -> std::process::ExitCode {
    wirespan::cli::main()
}
