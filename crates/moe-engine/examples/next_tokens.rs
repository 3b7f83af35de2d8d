//! Goes on with a prompt of token ids, each time with the most likely token.

use std::env::args;
use std::error::Error;
use std::process::ExitCode;

use moe_engine::{Generation, Model, Options, Request};

/// ```sh
/// cargo run --release -p moe-engine --example next_tokens -- path/to/gpt-oss-20b 976,10915,382
/// ```
fn main() -> ExitCode {
    let mut args = args().skip(1);
    let (Some(model), Some(prompt)) = (args.next(), args.next()) else {
        eprintln!("usage: next_tokens MODEL ID,ID,...");
        return ExitCode::from(2);
    };
    match generate(&model, &prompt) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn generate(path: &str, prompt: &str) -> Result<(), Box<dyn Error>> {
    let prompt: Vec<u32> = prompt.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let model = Model::open(path, &Options::default())?;
    let request = Request { max_new: 16, ..Request::new(&prompt[..]) };
    for step in Generation::new(&model, [request])? {
        println!("{}", step?.token);
    }
    Ok(())
}
