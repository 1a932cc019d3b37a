//! The result: one line of JSON.

use crate::{Options, Peer};
use std::fmt::Write;
use std::sync::OnceLock;

/// What a workload returns; see [`crate::Meter::stop`].
#[derive(Debug)]
pub struct Report {
    pub ops: u64,
    pub check: u64,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub user_ns: u64,
    pub sys_ns: u64,
    /// Further members, such as `bytes`.
    pub more: Vec<(String, u64)>,
}

impl Report {
    pub fn with(mut self, name: &str, value: u64) -> Report {
        self.more.push((name.to_string(), value));
        self
    }

    /// Prints it and ends the process here, before anything is torn down.
    pub fn print_and_exit(&self) -> ! {
        print_and_exit(self)
    }
}

static WHO: OnceLock<(&'static Peer, &'static Options)> = OnceLock::new();

pub(crate) fn remember(peer: &'static Peer, options: &'static Options) {
    let _ = WHO.set((peer, options));
}

pub(crate) fn print_and_exit(report: &Report) -> ! {
    let (peer, options) = WHO.get().expect("harness::main runs first");
    println!("{}", json(peer, options, report));
    crate::leave(0)
}

/// The names need no escaping: they are this program's own.
fn json(peer: &Peer, options: &Options, report: &Report) -> String {
    let mut line = format!(
        "{{\"runtime\":\"{}\",\"version\":\"{}\",\"mode\":\"{}\",\"workload\":\"{}\",\
         \"workers\":{},\"n\":{}",
        peer.name, peer.version, options.mode, options.workload, options.workers, options.n
    );
    let mut put = |name: &str, value| write!(line, ",\"{name}\":{value}").unwrap();
    put("ops", report.ops);
    put("check", report.check);
    put("wall_ns", report.wall_ns);
    put("cpu_ns", report.cpu_ns);
    put("user_ns", report.user_ns);
    put("sys_ns", report.sys_ns);
    for (name, value) in &report.more {
        put(name, *value);
    }
    line.push('}');
    line
}

/// Every sample is kept: the workloads that need percentiles have few.
#[derive(Default)]
pub struct Percentiles {
    samples: Vec<u64>,
}

impl Percentiles {
    pub fn with_capacity(n: usize) -> Percentiles {
        Percentiles {
            samples: Vec::with_capacity(n),
        }
    }

    pub fn add(&mut self, ns: u64) {
        self.samples.push(ns);
    }

    pub fn count(&self) -> u64 {
        self.samples.len() as u64
    }

    /// The smallest sample that `percent` of all do not exceed; 0 if there is none.
    pub fn at(&mut self, percent: usize) -> u64 {
        self.samples.sort_unstable();
        let rank = (self.samples.len() * percent).div_ceil(100);
        match self.samples.get(rank.saturating_sub(1)) {
            Some(sample) => *sample,
            None => 0,
        }
    }

    pub fn max(&mut self) -> u64 {
        self.at(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_one_to_hundred() {
        let mut p = Percentiles::default();
        assert_eq!((p.at(50), p.max()), (0, 0));
        (1..=100).rev().for_each(|ns| p.add(ns));
        assert_eq!((p.at(50), p.at(99), p.max()), (50, 99, 100));
    }
}
