//! monoio as a contestant of the lab: one thread, one queue of tasks, one driver.
//!
//! Two modes, after the driver: `uring`, and `legacy`, which is epoll. Several workers are
//! several runtimes that share nothing, so only the servers take more than one.
//!
//! Not offered: spawn-idle, spawn-busy and remote-spawn. A runtime takes tasks from its
//! own thread only.

mod demo;
mod rt;
mod serve;

#[path = "../../harness/template/jitter.rs"]
mod jitter;
#[path = "../../harness/template/reads.rs"]
mod reads;
#[path = "../../harness/template/tasks.rs"]
mod tasks;
#[path = "../../harness/template/wake.rs"]
mod wake;

use harness::{Options, Peer, Report, READS, TASKS};
use std::sync::atomic::Ordering;

const MORE: &[&str] = &["wake", "jitter", "echo", "http"];

static PEER: Peer = Peer {
    name: "monoio",
    version: env!("RUNTIME_VERSION"),
    offers: &[
        ("uring", TASKS),
        ("uring", READS),
        ("uring", MORE),
        ("legacy", TASKS),
        ("legacy", READS),
        ("legacy", MORE),
    ],
    demos: &[("uring", demo::DEMOS), ("legacy", demo::DEMOS)],
    run,
    demo: demo::demo,
};

fn main() {
    harness::main(&PEER)
}

fn run(options: &'static Options) -> Report {
    rt::LEGACY.store(options.mode == "legacy", Ordering::Relaxed);
    let serves = ["echo", "http"].contains(&options.workload);
    if options.workers > 1 && !serves {
        harness::not_offered("a runtime is one thread: only the servers take more workers");
    }
    match options.workload {
        "echo" | "http" => serve::serve(options),
        "jitter" => jitter::run(options),
        "wake" => wake::run(options),
        name if READS.contains(&name) => reads::run(options),
        _ => tasks::run(options),
    }
}
