package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// times: the clocks that a result line is made of, in nanoseconds.
type times struct {
	wall, cpu, user, sys uint64
}

const (
	clockMonotonic = 1
	clockProcess   = 2 // CLOCK_PROCESS_CPUTIME_ID: all threads
)

// The standard library has no function for it.
func clock(which uintptr) uint64 {
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, which, uintptr(unsafe.Pointer(&now)), 0)
	return uint64(now.Nano())
}

func timesNow() times {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return times{clock(clockMonotonic), clock(clockProcess), uint64(usage.Utime.Nano()),
		uint64(usage.Stime.Nano())}
}

// report: what a workload returns.
type report struct {
	ops, check uint64
	took       times
	more       []extra // further members
}

type extra struct {
	name  string
	value uint64
}

// done: the work that began at `start` is done.
func done(start times, ops, check uint64) report {
	now := timesNow()
	return report{ops: ops, check: check, took: times{now.wall - start.wall,
		now.cpu - start.cpu, now.user - start.user, now.sys - start.sys}}
}

func (r report) with(name string, value uint64) report {
	r.more = append(r.more, extra{name, value})
	return r
}

// The names need no escaping: they are this program's own.
func (r report) print(o *options) {
	fmt.Printf(`{"runtime":"go","version":"%s","mode":"%s","workload":"%s","workers":%d,`+
		`"n":%d,"ops":%d,"check":%d,"wall_ns":%d,"cpu_ns":%d,"user_ns":%d,"sys_ns":%d`,
		version(), modeName, o.workload.name, o.workers, o.n, r.ops, r.check,
		r.took.wall, r.took.cpu, r.took.user, r.took.sys)
	for _, e := range r.more {
		fmt.Printf(`,"%s":%d`, e.name, e.value)
	}
	fmt.Println("}")
	os.Exit(0)
}

// percentiles: every sample is kept, the workloads that need them have few.
type percentiles []time.Duration

// The smallest sample that `percent` of all do not exceed; 0 if there is none.
func (p percentiles) at(percent int) uint64 {
	sort.Slice(p, func(i, j int) bool { return p[i] < p[j] })
	rank := (len(p)*percent + 99) / 100
	if rank == 0 {
		return 0
	}
	return uint64(p[rank-1])
}

// privateDirty: the bytes that this process alone has written to.
func privateDirty() uint64 {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		fail("no memory statistics", err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == "Private_Dirty:" {
			kib, _ := strconv.ParseUint(words[1], 10, 64)
			return kib * 1024
		}
	}
	complain(1, "/proc/self/smaps_rollup has no Private_Dirty")
	return 0
}

// mix: the finaliser of splitmix64.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
	x = (x ^ (x >> 27)) * 0x94D049BB133111EB
	return x ^ (x >> 31)
}
