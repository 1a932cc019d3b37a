//! smol as a contestant of the lab. Modes: `multi`, smol::spawn with --workers threads,
//! and `local`, a LocalExecutor on the calling thread.

// The templates are compiled twice, once with each mode's `rt`: that is the idea.
#![allow(clippy::duplicate_mod)]

mod common;
mod demo;
mod local;
mod multi;
mod serve;

use harness::{Options, Peer, Report, OUTSIDE, READS, TASKS};

const MORE: &[&str] = &["jitter", "echo", "http"];

static PEER: Peer = Peer {
    name: "smol",
    version: env!("RUNTIME_VERSION"),
    offers: &[
        ("multi", TASKS),
        ("multi", OUTSIDE),
        ("multi", READS),
        ("multi", MORE),
        ("local", TASKS),
        ("local", READS),
        ("local", MORE),
        ("local", &["wake"]), // it takes two executors of one thread each
    ],
    demos: &[("multi", demo::DEMOS), ("local", demo::DEMOS)],
    run,
    demo: demo::demo,
};

fn main() {
    harness::main(&PEER)
}

fn run(options: &'static Options) -> Report {
    let local = options.mode == "local";
    if local && options.workers > 1 {
        harness::not_offered("mode 'local' has one worker");
    }
    match options.workload {
        "echo" | "http" => serve::serve(options),
        "wake" => local::wake::run(options),
        "jitter" if local => local::jitter::run(options),
        "jitter" => multi::jitter::run(options),
        name if OUTSIDE.contains(&name) => multi::outside::run(options),
        name if READS.contains(&name) && local => local::reads::run(options),
        name if READS.contains(&name) => multi::reads::run(options),
        _ if local => local::tasks::run(options),
        _ => multi::tasks::run(options),
    }
}
