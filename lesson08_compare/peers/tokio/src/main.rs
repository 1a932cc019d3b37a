//! tokio as a contestant of the lab. Modes: `multi`, the work-stealing runtime with
//! --workers threads, and `current`, the one that runs its tasks on the calling thread.

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
#[path = "../../harness/template/wake.rs"]
mod wake;

use harness::{Options, Peer, Report, OUTSIDE, READS, TASKS};
use std::sync::atomic::Ordering;

const MORE: &[&str] = &["jitter", "echo", "http"];

static PEER: Peer = Peer {
    name: "tokio",
    version: env!("RUNTIME_VERSION"),
    offers: &[
        ("multi", TASKS),
        ("multi", OUTSIDE),
        ("multi", READS),
        ("multi", MORE),
        ("current", TASKS),
        ("current", OUTSIDE),
        ("current", READS),
        ("current", MORE),
        ("current", &["wake"]), // it takes two runtimes of one thread each
    ],
    demos: &[("multi", demo::DEMOS), ("current", demo::DEMOS)],
    run,
    demo: demo::demo,
};

fn main() {
    harness::main(&PEER)
}

fn run(options: &'static Options) -> Report {
    rt::CURRENT.store(options.mode == "current", Ordering::Relaxed);
    if options.mode == "current" && options.workers > 1 {
        harness::not_offered("mode 'current' has one worker");
    }
    match options.workload {
        "echo" | "http" => serve::serve(options),
        "jitter" => jitter::run(options),
        "wake" => wake::run(options),
        name if OUTSIDE.contains(&name) => outside::run(options),
        name if READS.contains(&name) => reads::run(options),
        _ => tasks::run(options),
    }
}
