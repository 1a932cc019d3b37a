//! async-std as a contestant of the lab. Mode: `multi`, task::spawn with --workers
//! threads. There is no `wake`: it has no runtime of one thread, only one for the process.

mod demo;
mod rt;
mod serve;

#[path = "../../harness/template/jitter.rs"]
mod jitter;
#[path = "../../harness/template/outside.rs"]
mod outside;
#[path = "../../harness/template/reads.rs"]
mod reads;
#[path = "../../harness/template/tasks.rs"]
mod tasks;

use harness::{Options, Peer, Report, OUTSIDE, READS, TASKS};

static PEER: Peer = Peer {
    name: "async-std",
    version: env!("RUNTIME_VERSION"),
    offers: &[
        ("multi", TASKS),
        ("multi", OUTSIDE),
        ("multi", READS),
        ("multi", &["jitter", "echo", "http"]),
    ],
    demos: &[("multi", demo::DEMOS)],
    run,
    demo: demo::demo,
};

fn main() {
    harness::main(&PEER)
}

fn run(options: &'static Options) -> Report {
    match options.workload {
        "echo" | "http" => serve::serve(options),
        "jitter" => jitter::run(options),
        name if OUTSIDE.contains(&name) => outside::run(options),
        name if READS.contains(&name) => reads::run(options),
        _ => tasks::run(options),
    }
}
