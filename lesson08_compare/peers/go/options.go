package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
)

// options: the command line of WORKLOADS.md, after it was found to make sense.
type options struct {
	workload      *workload
	demo          func()
	workers       uint64
	n             uint64
	threads       uint64
	depth         uint64
	file          string
	direct, stats bool
	since         uint64
	port          uint64
}

// What was said.
type words struct {
	mode, workload, demo        string
	nGiven, sinceGiven, anyDemo bool
}

func parse(args []string) *options {
	o := &options{workers: 1, threads: 1, depth: 64}
	var w words
	for len(args) > 0 {
		option := args[0]
		args = args[1:]
		if takeFlag(option, o) {
			continue
		}
		if len(args) == 0 {
			complain(2, "'%s' is no option, or needs a value", option)
		}
		takeValue(option, args[0], o, &w)
		args = args[1:]
	}
	check(o, &w)
	return o
}

func takeFlag(option string, o *options) bool {
	switch option {
	case "--list":
		for _, known := range workloads {
			if known.run != nil {
				fmt.Println(modeName, known.name)
			}
		}
		os.Exit(0)
	case "--version":
		fmt.Println("go", version())
		os.Exit(0)
	case "--direct":
		o.direct = true
	case "--stats":
		o.stats = true
	default:
		return false
	}
	return true
}

func takeValue(option, value string, o *options, w *words) {
	switch option {
	case "--mode":
		w.mode = value
	case "--workload":
		w.workload = value
	case "--demo":
		w.demo, w.anyDemo = value, true
	case "--workers":
		o.workers = number(option, value, 1, 1024)
	case "--n":
		o.n, w.nGiven = number(option, value, 0, math.MaxInt64), true
	case "--threads":
		o.threads = number(option, value, 1, 1024)
	case "--depth":
		o.depth = number(option, value, 1, 65536)
	case "--file":
		o.file = value
	case "--since":
		o.since, w.sinceGiven = number(option, value, 0, math.MaxUint64), true
	case "--port":
		o.port = number(option, value, 0, 65535)
	default:
		complain(2, "'%s' is no option", option)
	}
}

func number(option, text string, low, high uint64) uint64 {
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil || text[0] == '+' || value < low || value > high {
		complain(2, "%s takes %d to %d, not '%s'", option, low, high, text)
	}
	return value
}

func check(o *options, w *words) {
	if w.mode == "" {
		complain(2, "--mode MODE is missing")
	}
	if w.mode != modeName {
		complain(2, "there is no mode '%s', only %s", w.mode, modeName)
	}
	if w.anyDemo {
		checkDemo(o, w)
		return
	}
	if w.workload == "" {
		complain(2, "--workload NAME is missing")
	}
	for i := range workloads {
		if workloads[i].name == w.workload {
			o.workload = &workloads[i]
		}
	}
	if o.workload == nil {
		complain(2, "there is no workload '%s'", w.workload)
	}
	if !w.nGiven {
		o.n = o.workload.n
	}
	checkN(o)
	if w.workload == "startup" && !w.sinceGiven {
		complain(2, "startup needs --since NS")
	}
	if (w.workload == "read" || w.workload == "hog") && o.file == "" {
		complain(2, "%s needs --file PATH", w.workload)
	}
	if o.workload.run == nil {
		complain(3, "mode '%s' does not offer '%s'", w.mode, w.workload)
	}
}

func checkDemo(o *options, w *words) {
	demo, known := demos[w.demo]
	if w.workload != "" {
		complain(2, "--workload and --demo exclude each other")
	}
	if !known {
		complain(2, "there is no demo '%s'", w.demo)
	}
	if demo == nil {
		complain(3, "mode '%s' does not offer '%s'", w.mode, w.demo)
	}
	o.demo = demo
}

func checkN(o *options) {
	name := o.workload.name
	if o.n%o.workload.unit != 0 {
		complain(2, "--n of %s is a multiple of %d", name, o.workload.unit)
	}
	power := uint64(1)
	for name == "skynet" && power < o.n {
		power *= 10
	}
	if name == "skynet" && power != o.n {
		complain(2, "--n of skynet is a power of ten")
	}
	if name == "fib" && o.n > 60 {
		complain(2, "--n of fib is 60 at most")
	}
}
