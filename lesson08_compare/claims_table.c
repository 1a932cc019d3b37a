/* claims_table: what the article says, sentence by sentence.
 *
 * Quotes are its own words, cut where "..." stands. Two things decide whether an entry is
 * fair: the bounds, which are the article's numbers where it has numbers and else the
 * least that a reader would call a difference (5 or 10 percent), and the value. For
 * throughput that is CPU a request: over loopback requests a second measure the load
 * generator as much as the server, and a server that needs 20 percent less CPU serves 25
 * percent more on a CPU that is full. */
#include "lesson08_compare/claims.h"

#include "common/container.h"

/* "f times faster" is 1 / f of the CPU. */
#define FASTER(f) (1 / (f))
#define PACED "echo-64-paced http-64-paced"
#define MANY "http-256 http-1024 echo-1000 echo-1k-1000"
#define READS "read-64 read-128 direct-64 direct-128"
#define OTHERS "tokio/multi async-std smol/multi glommio"

/* clang-format off */
const struct claim claims[] = {
    /* ---- throughput */
    { "http-tokio-smol", "throughput",
      "Tokio and smol are within 5-10% of each other for typical web workloads.",
      "CPU a request, smol over Tokio, one worker: 0.90 to 1.10",
      claim_ratio, "http-64-paced http-16 http-64 http-256 http-1024", "smol/multi",
      "tokio/multi", .value = &claim_cpu, .low = 0.9, .high = 1.1 },
    { "http-glommio", "throughput",
      "Glommio can be 20-40% faster for high-connection-count scenarios on Linux",
      "CPU a request, glommio over Tokio, 256 connections and more: at most 1/1.2",
      claim_ratio, MANY, "glommio", "tokio/multi", .value = &claim_cpu, .high = FASTER(1.2) },
    { "because-of-uring", "throughput", "... primarily due to io_uring.",
      "CPU a request, our core/uring over our core/epoll, where only the driver differs: "
      "at most 1/1.1", claim_ratio, MANY, "core/uring", "core/epoll", .value = &claim_cpu,
      .high = FASTER(1.1) },
    { "highest-throughput", "throughput",
      "Highest possible I/O throughput on Linux.",
      "CPU a request, glommio over the raw io_uring loop: at most 1.1",
      claim_ratio, PACED, "glommio", "raw-uring", .value = &claim_cpu, .high = 1.1 },
    { "many-connections-smol", "throughput",
      "Less optimized for high-concurrency workloads.",
      "CPU a request, smol over Tokio, 256 connections and more: at least 1.05",
      claim_ratio, MANY, "smol/multi", "tokio/multi", .value = &claim_cpu, .low = 1.05 },
    { "shrinks", "throughput",
      "The difference shrinks as application logic (database queries, business logic) "
      "dominates.", "not tested", claim_untested,
      .remark = "no row of the lab has application logic; it follows by arithmetic if "
                "the logic costs the same everywhere" },
    { "kernel-bypass", "throughput",
      "io_uring with SQPOLL can achieve near-kernel-bypass performance.", "not tested",
      claim_untested,
      .remark = "there is no network stack here that bypasses the kernel" },

    /* ---- latency */
    { "migration-jitter", "latency",
      "Tokio's work-stealing adds 5-15 microseconds of jitter from task migration.",
      "from a timer's wake to the poll, Tokio with 2 workers: median of stolen tasks "
      "minus median of those that stayed, 5 to 15 us",
      claim_within, "jitter-2w", "tokio/multi", NULL, .value = &claim_moved,
      .low = 5, .high = 15 },
    { "glommio-jitter", "latency",
      "Glommio's thread-per-core model gives sub-microsecond jitter in I/O dispatch.",
      "from a timer's wake to the poll, glommio, 64 tasks due at once: p99 below 1 us",
      claim_within, "jitter", "glommio", NULL, .value = &claim_p99, .high = 1,
      .remark = "with 64 tasks due at once the last waits for 63 polls" },
    { "predictable", "latency",
      "Predictable latencies. No work-stealing means no cache invalidation from task "
      "migration.", "p99 of a request at a fixed rate, glommio over Tokio: at most 1",
      claim_ratio, PACED, "glommio", "tokio/multi", .value = &claim_p99, .high = 1 },
    { "steal-costs-tokio", "latency",
      "Work-stealing adds overhead for latency-sensitive workloads.",
      "CPU an operation, Tokio's multi_thread over its current_thread, one worker: at "
      "least 1.05", claim_ratio, PACED " ping-pong", "tokio/multi", "tokio/current",
      .value = &claim_cpu, .low = 1.05 },
    { "steal-costs-ours", "latency",
      "Work-stealing balances load across cores but adds cache invalidation overhead.",
      "CPU an operation, our steal/epoll over current/epoll, one worker: at least 1.05",
      claim_ratio, PACED " ping-pong", "steal/epoll", "current/epoll", .value = &claim_cpu,
      .low = 1.05, .remark = "on one worker nothing is stolen: this is the cost of queues "
      "that could be stolen from" },
    { "steal-balances", "latency", "Work-stealing balances load across cores ...",
      "wall time of fib, Tokio with 2 workers over itself with 1: at most 0.75",
      claim_across, "fib-2w fib", "tokio/multi", NULL, .value = &claim_wall, .high = 0.75,
      .remark = "its tasks take less than a microsecond each; larger ones may gain" },

    /* ---- memory */
    { "smol-memory", "memory", "smol has the lowest baseline memory usage.",
      "what the echo server occupies (Private_Dirty) before the load: smol the lowest",
      claim_lowest, "echo-64 echo-64-paced http-256", "smol/multi", OTHERS, .value = &claim_idle },
    { "tokio-task", "memory",
      "Tokio's task representation is more optimized (smaller per-task overhead).",
      "bytes a parked task: Tokio the lowest of the four", claim_lowest, "parked",
      "tokio/multi", OTHERS, .value = &claim_bytes },
    { "glommio-memory", "memory", "Glommio's io_uring buffers use more memory ...",
      "what the echo server occupies before the load, glommio over Tokio: at least 1.2",
      claim_ratio, "echo-64 echo-64-paced http-256", "glommio", "tokio/multi",
      .value = &claim_idle, .low = 1.2 },
    { "glommio-copies", "memory", "... but avoid copies.", "not tested", claim_untested,
      .remark = "what the kernel copies is not visible from outside" },

    /* ---- weight */
    { "smol-compiles", "weight", "smol: fastest to compile by far.",
      "CPU seconds of a clean build: smol the lowest of the four", claim_lowest, "weight",
      "smol/multi", OTHERS, .value = &claim_build },
    { "tokio-compiles", "weight", "Tokio with all features: slowest.",
      "CPU seconds of a clean build: Tokio \"full\" the highest of the four",
      claim_highest, "weight", "tokio/multi", OTHERS, .value = &claim_build },
    { "glommio-compiles", "weight", "glommio: moderate ...",
      "CPU seconds of a clean build: between smol and Tokio", claim_between, "weight",
      "glommio", "smol/multi tokio/multi", .value = &claim_build },
    { "small-binaries", "weight",
      "The whole runtime compiles fast and produces small binaries.",
      "bytes of the peer's program, stripped, without its demo mix: smol the lowest",
      claim_lowest, "weight", "smol/multi", OTHERS, .value = &claim_binary },
    { "ten-percent", "weight",
      "smol gives you 90% of Tokio's capabilities at 10% of the dependency weight.",
      "lines of code with all that is compiled for it, smol over Tokio: at most 0.15",
      claim_ratio, "weight", "smol/multi", "tokio/multi", .value = &claim_lines, .high = 0.15,
      .remark = "the 90 percent are not tested" },
    { "smol-crates", "weight", "Minimal dependency tree -> smol.",
      "packages that are compiled for it on this platform: smol the lowest of the four",
      claim_lowest, "weight", "smol/multi", OTHERS, .value = &claim_crates },
    { "tokio-heavy", "weight",
      "Heavy dependency tree. tokio with all features pulls in a lot of code.",
      "lines of code with all that is compiled for it: Tokio \"full\" the highest of the "
      "four", claim_highest, "weight", "tokio/multi", OTHERS, .value = &claim_lines },
    { "async-std-lighter", "weight", "Lighter than Tokio for simple use cases.",
      "lines of code with all that is compiled for it, async-std over Tokio: at most 1",
      claim_ratio, "weight", "async-std", "tokio/multi", .value = &claim_lines, .high = 1 },
    { "smol-1500", "weight", "... the core is around 1500 lines of code ...",
      "lines neither blank nor comment of smol, async-executor and async-task: 1,000 to "
      "2,000", claim_size, .crate = "smol async-executor async-task", .low = 1000,
      .high = 2000, .remark = "the article may count otherwise; I/O, timers and the "
      "blocking pool are in further crates" },

    /* ---- files */
    { "file-gain", "files",
      "Glommio's advantage for file I/O is significant ... measurable.",
      "CPU a read of 4 KiB, glommio over Tokio: at most 1/1.1", claim_ratio, READS,
      "glommio", "tokio/multi", .value = &claim_cpu, .high = FASTER(1.1) },
    { "tokio-files", "files", "Tokio's file operations aren't truly async - they run on "
      "a blocking thread pool.", "in its source: fs::read goes through asyncify, which "
      "is spawn_blocking", claim_source, .crate = "tokio", .file = "src/fs/read.rs",
      .text = "asyncify(move || std::fs::read", .remark = "behind tokio_unstable, Linux "
      "builds can use io_uring for some of them" },
    { "glommio-files", "files", "Actually async - no blocking threads involved",
      "in its source: DmaFile::read_at becomes an operation of the ring", claim_source,
      .crate = "glommio", .file = "src/io/dma_file.rs", .text = ".read_dma(",
      .remark = "reads only; for some calls (rename, mkdir) it has a thread" },
    { "smol-files", "files", "smol - uses async-io's blocking pool",
      "in async-io's source: is there a function that unblocks?", claim_source,
      .crate = "async-io", .file = "src", .text = "unblock(",
      .remark = "the pool is the crate `blocking`, which async-fs uses; the effect is "
      "what the article says" },

    /* ---- how they are made */
    { "tokio-drivers", "design", "Work-stealing thread pool with per-thread I/O drivers.",
      "in Tokio's source: the workers' parkers do not share one driver", claim_source,
      .crate = "tokio", .file = "src/runtime/scheduler/multi_thread/park.rs",
      .text = "driver: TryLock<Driver>", .high = -1,
      .remark = "one driver, behind a lock that whoever parks first gets" },
    { "async-std-stack", "design", "Uses async-io and polling crates under the hood - "
      "the same stack that smol uses.", "in its Cargo.toml: it depends on async-io",
      claim_source, .crate = "async-std", .file = "Cargo.toml",
      .text = "dependencies.async-io" },
    { "smol-threads", "design", "SMOL_THREADS=4 sets the executor thread count",
      "in smol's source", claim_source, .crate = "smol", .file = "src/spawn.rs",
      .text = "\"SMOL_THREADS\"", .remark = "without it the global executor has one thread" },
    { "smol-no-wheel", "design", "No built-in timer wheel ...",
      "in async-io's source: timers are in an ordered map", claim_source,
      .crate = "async-io", .file = "src/reactor.rs",
      .text = "BTreeMap<(Instant, usize), Waker>" },
    { "smol-os-timers", "design", "... (uses OS timers)",
      "in async-io's source: timers are not in a map of its own", claim_source,
      .crate = "async-io", .file = "src/reactor.rs",
      .text = "BTreeMap<(Instant, usize), Waker>", .high = -1,
      .remark = "the kernel is told only the earliest, as the time-out of the wait" },
    { "glommio-sqpoll", "design", "io_uring with SQPOLL ... (among glommio's strengths)",
      "in glommio's source: a ring is set up with SQPOLL", claim_source,
      .crate = "glommio", .file = "src/sys", .text = "SetupFlags::SQPOLL",
      .remark = "its bindings know the flag, no ring of its executor is given it" },
    { "glommio-5.8", "design", "Requires kernel 5.8+ for full io_uring support.",
      "in glommio's own README", claim_source, .crate = "glommio", .file = "README.md",
      .text = "minimum version at this time is 5.8" },
    { "glommio-pin", "design", "LocalExecutorBuilder::default().pin_to_cpu(0)",
      "in glommio's source: there is such a function", claim_source, .crate = "glommio",
      .file = "src/executor", .text = "pub fn pin_to_cpu",
      .remark = "today it is LocalExecutorBuilder::new(Placement::Fixed(0))" },
    { "glommio-balance", "design", "Load balancing is your problem.",
      "in glommio's source: nothing steals", claim_source, .crate = "glommio",
      .file = "src", .text = "steal", .high = -1 },
    { "traits", "design", "The async traits (Future, AsyncRead, AsyncWrite) are "
      "runtime-agnostic", "in Tokio's source: it has no AsyncRead of its own",
      claim_source, .crate = "tokio", .file = "src/io/async_read.rs",
      .text = "pub trait AsyncRead", .high = -1,
      .remark = "Future is common to all; between the two AsyncReads stands "
      "tokio-util's compat" },

    /* ---- how they end */
    { "tokio-panic", "failure", "Tokio JoinHandle - can detect panics",
      "demo panic: is_panic() is true", claim_demo, .who = "tokio/multi",
      .file = "panic", .text = "is_panic() is true" },
    { "tokio-cancel", "failure", "Err(e) if e.is_cancelled() => ... task cancelled",
      "demo cancel: is_cancelled() is true", claim_demo, .who = "tokio/multi",
      .file = "cancel", .text = "is_cancelled() is true" },
    { "smol-panic", "failure", "let result = task.await; // panics propagate",
      "demo panic: the joiner gets the panic", claim_demo, .who = "smol/multi",
      .file = "panic", .text = "the panic goes on in who awaits the task" },
    { "glommio-panic", "failure", "glommio - panics abort the executor",
      "demo panic: it comes out of run", claim_demo, .who = "glommio", .file = "panic",
      .text = "it comes out of the executor's run" },
    { "mixing", "failure", "you can mix runtimes in the same application",
      "demo mix: smol's block_on in a thread of Tokio's pool", claim_demo,
      .who = "smol/multi", .file = "mix", .text = "by channel: Ok(42)",
      .remark = "Tokio's own I/O and timers need a Tokio runtime to be entered" },
};
/* clang-format on */
const int claim_count = (int)ARRAY_SIZE(claims);
