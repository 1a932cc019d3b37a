//! glommio as a contestant of the lab: one executor a thread, three io_uring rings each.
//!
//! One mode, `core`: one executor on the main thread, not bound to a CPU, so that the
//! affinity that the program was started with counts. More than one worker makes sense
//! for the servers only (an executor and a listening socket each); tasks cannot move.
//!
//! Not offered: spawn-idle, spawn-busy and remote-spawn. An executor takes tasks from its
//! own thread only; from elsewhere come wakes and, through its shared channels, values.

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

static PEER: Peer = Peer {
    name: "glommio",
    version: env!("RUNTIME_VERSION"),
    offers: &[
        ("core", TASKS),
        ("core", READS),
        ("core", &["wake", "jitter", "echo", "http"]),
    ],
    demos: &[("core", demo::DEMOS)],
    run,
    demo: demo::demo,
};

fn main() {
    harness::main(&PEER)
}

fn run(options: &'static Options) -> Report {
    let serves = ["echo", "http"].contains(&options.workload);
    if options.workers > 1 && !serves {
        harness::not_offered("an executor is one thread: only the servers take more workers");
    }
    match options.workload {
        "echo" | "http" => serve::serve(options),
        "jitter" => jitter::run(options),
        "wake" => wake::run(options),
        name if READS.contains(&name) => reads::run(options),
        _ => tasks::run(options),
    }
}
