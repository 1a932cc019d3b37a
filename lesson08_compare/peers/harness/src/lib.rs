//! What the Rust peers of the lab share: everything that does not depend on a runtime.
//!
//! A peer is one small crate. Its `build.rs` takes the version from the `=` pin in its
//! own Cargo.toml; harness is a build-dependency for that:
//!
//! ```text
//! fn main() { harness::pin::export("tokio"); }
//! ```
//!
//! Its `main` hands a table to [`main`], which parses the words, answers --list and
//! --version, refuses what is not offered, and prints the result line:
//!
//! ```text
//! fn main() {
//!     harness::main(&harness::Peer {
//!         name: "tokio",
//!         version: env!("RUNTIME_VERSION"),
//!         offers: &[("multi", harness::TASKS), ("multi", &["echo", "http"])],
//!         demos: &[("multi", &["panic", "cancel", "drop"])],
//!         run: |options| match options.workload { "echo" | "http" => serve(options), .. },
//!         demo: |options| ..,
//!     })
//! }
//! ```
//!
//! `run` returns a [`Report`]; a server returns never. A failure anywhere is
//! [`fail`]`("one sentence")`, or just a panic: in a workload, a panic of any thread
//! ends the process with its message as that one sentence, and status 1.
//!
//! The workloads themselves are written once, in the files of `template/`. They are not
//! part of this crate but are compiled into the peer, as modules beside a module `rt`
//! that says how this runtime spawns, yields, sleeps and so on:
//!
//! ```text
//! mod rt { .. }                                    // see template/tasks.rs for what it has
//! #[path = "../../harness/template/tasks.rs"]
//! mod tasks;                                       // then: tasks::run(options) -> Report
//! ```
//!
//! So every peer runs the same lines, with its runtime's types in them: nothing is boxed
//! or called through a pointer for the sake of sharing. A trait could not do that for
//! runtimes whose tasks must be `Send` and for those whose handles cannot be, at once.
//! A peer with two kinds of tasks mounts the templates twice. A template that asks more
//! of `rt` than a runtime has is left out:
//!
//! | template | workloads | list |
//! | --- | --- | --- |
//! | tasks.rs | spawn, yield, ping-pong, ... timers, parked, startup | [`TASKS`] |
//! | outside.rs | spawn-idle, spawn-busy, remote-spawn | [`OUTSIDE`] |
//! | wake.rs | wake | `&["wake"]` |
//! | jitter.rs | jitter | `&["jitter"]` |
//! | reads.rs | read, hog | [`READS`] |
//!
//! For demos there is [`demo`]. For servers there are [`serve::start`] (listening socket, signals, the "listening on"
//! line), [`serve::count`] and [`http::Heads`] with [`http::answers`].

mod args;
mod clock;
pub mod demo;
pub mod http;
pub mod jitter;
mod memory;
pub mod pin;
mod report;
pub mod serve;
pub mod wake;

pub use args::Options;
pub use clock::{cpu_ns, now_ns, Meter};
pub use memory::{open_file, private_dirty, AlignedBlock, BLOCK_SIZE};
pub use report::{Percentiles, Report};

use std::io::Write;

/// The workloads of template/tasks.rs.
pub const TASKS: &[&str] = &[
    "spawn",
    "yield",
    "ping-pong",
    "round-trip",
    "chain",
    "mpsc",
    "mpsc-contended",
    "fib",
    "skynet",
    "tree",
    "timers",
    "timer-churn",
    "parked",
    "startup",
];
/// The workloads of template/outside.rs.
pub const OUTSIDE: &[&str] = &["spawn-idle", "spawn-busy", "remote-spawn"];
/// The workloads of template/reads.rs.
pub const READS: &[&str] = &["read", "hog"];

/// What one program is and can do. Everything in it lives as long as the program.
pub struct Peer {
    pub name: &'static str,
    pub version: &'static str,
    /// Modes and what each offers; a mode may appear several times.
    pub offers: &'static [(&'static str, &'static [&'static str])],
    /// Modes and the demos each can show.
    pub demos: &'static [(&'static str, &'static [&'static str])],
    /// Does `options.workload` in `options.mode`; only called for a pair that is offered.
    pub run: fn(&'static Options) -> Report,
    /// Shows `options.demo` in `options.mode`: at most ten lines on stdout.
    pub demo: fn(&'static Options),
}

/// Never returns: the exit status is 0, or 1 for a failure, 2 for a wrong word, 3 for a
/// pair of mode and workload that is not offered.
pub fn main(peer: &'static Peer) -> ! {
    let options: &'static Options = Box::leak(Box::new(args::parse(peer)));
    if let Some(demo) = options.demo {
        require(peer.demos, options.mode, demo);
        (peer.demo)(options);
        leave(0);
    }
    require(peer.offers, options.mode, options.workload);
    report::remember(peer, options);
    std::panic::set_hook(Box::new(|what| {
        fail(&format!("panicked: {what}").replace('\n', " "))
    }));
    report::print_and_exit(&(peer.run)(options))
}

/// One sentence on stderr, then status 1. For anything that goes wrong while working.
pub fn fail(sentence: &str) -> ! {
    complain(sentence, 1)
}

/// One sentence on stderr, then status 3. For a pair of mode and workload that exists, but
/// not with these options (two workers in a mode that has one, for example).
pub fn not_offered(sentence: &str) -> ! {
    complain(sentence, 3)
}

fn require(offers: &[(&str, &[&str])], mode: &str, what: &str) {
    let offered = |&(m, names): &(&str, &[&str])| m == mode && names.contains(&what);
    if !offers.iter().any(offered) {
        complain(&format!("mode '{mode}' does not offer '{what}'"), 3);
    }
}

fn complain(sentence: &str, status: i32) -> ! {
    let path = std::env::args().next().unwrap_or_default();
    let program = path.rsplit('/').next().unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "{program}: {sentence}");
    leave(status)
}

/// Ends the process here and now: no destructor of a runtime, no atexit handler.
pub fn leave(status: i32) -> ! {
    let _ = std::io::stdout().flush();
    unsafe { libc::_exit(status) }
}

/// The finaliser of splitmix64.
pub fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    #[test]
    fn mix_is_splitmix64() {
        // The first number of splitmix64 seeded with 0, from its reference code.
        assert_eq!(super::mix(0), 0xE220_A839_7B1D_CDAF);
    }
}
