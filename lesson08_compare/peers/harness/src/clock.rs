//! The clocks that a result line is made of. All count in nanoseconds.

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CLOCK_MONOTONIC.
pub fn now_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// What the process has used so far, all threads.
pub fn cpu_ns() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// User and system time of the process so far.
pub(crate) fn user_sys_ns() -> (u64, u64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1_000;
    (ns(usage.ru_utime), ns(usage.ru_stime))
}

/// Runs from `start` until `stop`: from inside the first task until the work is done.
pub struct Meter {
    wall: u64,
    cpu: u64,
    user: u64,
    sys: u64,
}

impl Meter {
    pub fn start() -> Meter {
        let (user, sys) = user_sys_ns();
        let cpu = cpu_ns();
        Meter {
            wall: now_ns(),
            cpu,
            user,
            sys,
        }
    }

    /// For `startup`: counts from the start of the process.
    pub fn since(wall: u64) -> Meter {
        Meter {
            wall,
            cpu: 0,
            user: 0,
            sys: 0,
        }
    }

    /// `ops` operations were done, and `check` came out.
    pub fn stop(self, ops: u64, check: u64) -> crate::Report {
        let wall = now_ns();
        let cpu = cpu_ns();
        let (user, sys) = user_sys_ns();
        crate::Report {
            ops,
            check,
            wall_ns: wall.saturating_sub(self.wall),
            cpu_ns: cpu - self.cpu,
            user_ns: user - self.user,
            sys_ns: sys - self.sys,
            more: Vec::new(),
        }
    }
}
