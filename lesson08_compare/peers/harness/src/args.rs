//! The command line of WORKLOADS.md.

use crate::{complain, Peer};

#[derive(Default)]
pub struct Options {
    pub mode: &'static str,
    /// Empty if a demo was asked for.
    pub workload: &'static str,
    pub demo: Option<&'static str>,
    pub workers: usize,
    pub n: u64,
    pub threads: usize,
    pub depth: usize,
    pub file: Option<&'static str>,
    pub direct: bool,
    pub since: Option<u64>,
    pub port: u16,
    pub stats: bool,
}

impl Options {
    /// The file of the workloads that read.
    pub fn file(&self) -> &'static str {
        match self.file {
            Some(path) => path,
            None => wrong(&format!("{} needs --file PATH", self.workload)),
        }
    }
}

struct Workload {
    name: &'static str,
    n: u64,
    unit: u64, // n is a multiple of it
}

const fn workload(name: &'static str, n: u64, unit: u64) -> Workload {
    Workload { name, n, unit }
}

/// Every name in WORKLOADS.md, whoever offers it.
const WORKLOADS: &[Workload] = &[
    workload("spawn", 1_000_000, 1),
    workload("spawn-idle", 10_000, 1),
    workload("spawn-busy", 10_000, 1),
    workload("remote-spawn", 80_000, 1),
    workload("yield", 1_000, 1),
    workload("ping-pong", 100_000, 1_000),
    workload("round-trip", 1_000_000, 1),
    workload("chain", 1_000_000, 1_000),
    workload("mpsc", 1_000_000, 5_000),
    workload("mpsc-contended", 1_000_000, 5),
    workload("fib", 27, 1),
    workload("skynet", 1_000_000, 1),
    workload("tree", 2_000, 1),
    workload("timers", 1_000_000, 1),
    workload("timer-churn", 1_000_000, 100),
    workload("parked", 1_000_000, 1),
    workload("wake", 20_000, 1),
    workload("jitter", 500, 1),
    workload("startup", 1, 1),
    workload("read", 100_000, 1),
    workload("hog", 2_000, 1),
    workload("echo", 1, 1),
    workload("http", 1, 1),
];

const DEMOS: &[&str] = &["panic", "cancel", "drop", "mix"];

fn wrong(sentence: &str) -> ! {
    complain(sentence, 2)
}

/// A whole decimal number within [low, high].
fn number(option: &str, text: &str, low: u64, high: u64) -> u64 {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(n) if digits && (low..=high).contains(&n) => n,
        _ => wrong(&format!("{option} takes {low} to {high}, not '{text}'")),
    }
}

/// Answers --list and --version itself and leaves for good after a word that is wrong.
pub fn parse(peer: &Peer) -> Options {
    let mut options = Options {
        workers: 1,
        threads: 1,
        depth: 64,
        ..Options::default()
    };
    let mut n = None;
    // The words live as long as the program: nothing below has to copy or own them.
    let mut words = std::env::args_os()
        .skip(1)
        .map(|word| match word.into_string() {
            Ok(word) => &*word.leak(),
            Err(word) => wrong(&format!("{word:?} is not UTF-8")),
        });
    while let Some(option) = words.next() {
        let mut value = || match words.next() {
            Some(value) => value,
            None => wrong(&format!("{option} needs a value")),
        };
        match option {
            "--list" => list(peer),
            "--version" => {
                println!("{} {}", peer.name, peer.version);
                crate::leave(0)
            }
            "--mode" => options.mode = value(),
            "--workload" => options.workload = value(),
            "--demo" => options.demo = Some(value()),
            "--workers" => options.workers = number(option, value(), 1, 1024) as usize,
            "--n" => n = Some(number(option, value(), 0, u64::MAX >> 1)),
            "--threads" => options.threads = number(option, value(), 1, 1024) as usize,
            "--depth" => options.depth = number(option, value(), 1, 65536) as usize,
            "--file" => options.file = Some(value()),
            "--direct" => options.direct = true,
            "--since" => options.since = Some(number(option, value(), 0, u64::MAX)),
            "--port" => options.port = number(option, value(), 0, 65535) as u16,
            "--stats" => options.stats = true,
            _ => wrong(&format!("'{option}' is no option")),
        }
    }
    check_names(peer, &options);
    if options.demo.is_none() {
        options.n = check_n(&options, n);
    }
    options
}

fn list(peer: &Peer) -> ! {
    for (mode, workloads) in peer.offers {
        for workload in *workloads {
            println!("{mode} {workload}");
        }
    }
    crate::leave(0)
}

fn check_names(peer: &Peer, options: &Options) {
    if options.mode.is_empty() {
        wrong("--mode MODE is missing");
    }
    let modes = peer.offers.iter().chain(peer.demos);
    if !modes
        .map(|&(mode, _)| mode)
        .any(|mode| mode == options.mode)
    {
        wrong(&format!("there is no mode '{}'", options.mode));
    }
    match options.demo {
        Some(_) if !options.workload.is_empty() => {
            wrong("--workload and --demo exclude each other")
        }
        Some(demo) if !DEMOS.contains(&demo) => wrong(&format!("there is no demo '{demo}'")),
        None if options.workload.is_empty() => wrong("--workload NAME is missing"),
        _ => (),
    }
}

fn check_n(options: &Options, n: Option<u64>) -> u64 {
    let name = options.workload;
    let Some(known) = WORKLOADS.iter().find(|known| known.name == name) else {
        wrong(&format!("there is no workload '{name}'"));
    };
    let n = n.unwrap_or(known.n);
    if n % known.unit != 0 {
        wrong(&format!("--n of {name} is a multiple of {}", known.unit));
    }
    let mut power = 1;
    while name == "skynet" && power < n {
        power *= 10;
    }
    if name == "skynet" && power != n {
        wrong("--n of skynet is a power of ten");
    }
    if name == "fib" && n > 60 {
        wrong("--n of fib is 60 at most");
    }
    if name == "startup" && options.since.is_none() {
        wrong("startup needs --since NS");
    }
    if ["read", "hog"].contains(&name) {
        options.file();
    }
    n
}
