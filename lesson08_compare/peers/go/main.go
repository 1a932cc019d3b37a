// peer_go: Go's own scheduler in the lab of lesson 8. See WORKLOADS.md.
//
// A task is a goroutine. It has no handle and no result, so a join is what Go programs
// do instead: where a task returns a value, the joiner receives it from a channel with
// room for it; where it only ends, a sync.WaitGroup counts. A oneshot is a channel of
// capacity 1. The threads that run tasks (--workers) are GOMAXPROCS.
//
// The standard library only. The line "go 1.23" in go.mod also chooses between old and
// new behaviours of newer versions (timers, above all); a Go older than 1.21 ignores it.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

const modeName = "go"

// workload: one line of WORKLOADS.md's tables.
type workload struct {
	name string
	n    uint64 // the default
	unit uint64 // n is a multiple of it
	run  func(o *options) report
}

// Not offered is jitter: nothing of ours can stand between a timer and its goroutine,
// which the runtime makes runnable itself.
var workloads = []workload{
	{"spawn", 1000000, 1, runSpawn},
	{"spawn-idle", 10000, 1, runSpawnIdle},
	{"spawn-busy", 10000, 1, runSpawnBusy},
	{"remote-spawn", 80000, 1, runRemoteSpawn},
	{"yield", 1000, 1, runYield},
	{"ping-pong", 100000, 1000, runPingPong},
	{"round-trip", 1000000, 1, runRoundTrip},
	{"chain", 1000000, 1000, runChain},
	{"mpsc", 1000000, 5000, runMpsc},
	{"mpsc-contended", 1000000, 5, runMpscContended},
	{"fib", 27, 1, runFib},
	{"skynet", 1000000, 1, runSkynet},
	{"tree", 2000, 1, runTree},
	{"timers", 1000000, 1, runTimers},
	{"timer-churn", 1000000, 100, runTimerChurn},
	{"parked", 1000000, 1, runParked},
	{"wake", 20000, 1, runWake},
	{"jitter", 500, 1, nil},
	{"startup", 1, 1, runStartup},
	{"read", 100000, 1, runRead},
	{"hog", 2000, 1, runHog},
	{"echo", 1, 1, runEcho},
	{"http", 1, 1, runHTTP},
}

var demos = map[string]func(){
	"panic":  demoPanic,
	"cancel": demoCancel,
	"drop":   demoDrop,
	"mix":    nil, // there is one Go runtime in a process, and no other can be in it
}

// When the main goroutine, the first task, came to its first line.
var firstLine times

func main() {
	firstLine = timesNow()
	o := parse(os.Args[1:])
	runtime.GOMAXPROCS(int(o.workers))
	if o.demo != nil {
		o.demo()
		return
	}
	o.workload.run(o).print(o)
}

func version() string {
	return strings.TrimPrefix(runtime.Version(), "go")
}

// complain says one sentence, and ends the process.
func complain(status int, format string, words ...any) {
	fmt.Fprintf(os.Stderr, "peer_go: "+format+"\n", words...)
	os.Exit(status)
}

// fail: something went wrong while working.
func fail(what string, err error) {
	complain(1, "%s: %v", what, err)
}
