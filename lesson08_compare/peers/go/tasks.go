package main

// The scheduler workloads. The main goroutine is the root task.

import (
	"runtime"
	"sync"
	"sync/atomic"
)

func runSpawn(o *options) report {
	start := timesNow()
	handles := make([]chan uint64, o.n)
	for i := range handles {
		result, number := make(chan uint64, 1), uint64(i)
		go func() { result <- number }()
		handles[i] = result
	}
	sum := uint64(0)
	for _, result := range handles {
		sum += <-result
	}
	return done(start, o.n, sum)
}

func runYield(o *options) report {
	const tasks = 200
	start := timesNow()
	var group sync.WaitGroup
	var sum atomic.Uint64
	group.Add(tasks)
	for task := 0; task < tasks; task++ {
		go func() {
			yields := uint64(0)
			for ; yields < o.n; yields++ {
				runtime.Gosched()
			}
			sum.Add(yields)
			group.Done()
		}()
	}
	group.Wait()
	return done(start, tasks*o.n, sum.Load())
}

func runPingPong(o *options) report {
	const atOnce = 1000
	start := timesNow()
	var sum atomic.Uint64
	for round := uint64(0); round < o.n/atOnce; round++ {
		var group sync.WaitGroup
		group.Add(atOnce)
		for i := 0; i < atOnce; i++ {
			go func() {
				if ping() == 2 {
					sum.Add(1)
				}
				group.Done()
			}()
		}
		group.Wait()
	}
	return done(start, o.n, sum.Load())
}

func ping() uint64 {
	there, back := make(chan uint64, 1), make(chan uint64, 1)
	var partner sync.WaitGroup
	partner.Add(1)
	go func() {
		ball := <-there
		back <- ball + 1
		partner.Done()
	}()
	there <- 1
	ball := <-back
	partner.Wait()
	return ball
}

func runRoundTrip(o *options) report {
	start := timesNow()
	there, back := make(chan uint64, 1), make(chan uint64, 1)
	var partner sync.WaitGroup
	partner.Add(1)
	go func() {
		for i := range there {
			back <- i + 1
		}
		partner.Done()
	}()
	result := make(chan uint64, 1)
	go func() {
		sum := uint64(0)
		for i := uint64(0); i < o.n; i++ {
			there <- i
			sum += <-back
		}
		close(there)
		result <- sum
	}()
	sum := <-result
	partner.Wait()
	return done(start, o.n, sum)
}

func runChain(o *options) report {
	const inARow = 1000
	start := timesNow()
	sum := uint64(0)
	for round := uint64(0); round < o.n/inARow; round++ {
		last := make(chan uint64, 1)
		go link(inARow, 1, last)
		sum += <-last
	}
	return done(start, o.n, sum)
}

// The task that is number `depth` of the chain.
func link(left, depth uint64, last chan<- uint64) {
	if left > 1 {
		go link(left-1, depth+1, last)
	} else {
		last <- depth
	}
}

func runMpsc(o *options) report {
	const capacity = 5000
	start := timesNow()
	messages, result := make(chan uint64, capacity), make(chan uint64, 1)
	go func() {
		sum := uint64(0)
		for round := uint64(0); round < o.n/capacity; round++ {
			for i := uint64(0); i < capacity; i++ {
				messages <- round*capacity + i
			}
			for i := 0; i < capacity; i++ {
				sum += <-messages
			}
		}
		result <- sum
	}()
	return done(start, o.n, <-result)
}

func runMpscContended(o *options) report {
	const senders = 5
	start := timesNow()
	messages := make(chan uint64, 1000)
	var group sync.WaitGroup
	group.Add(senders)
	for s := uint64(0); s < senders; s++ {
		go func(s uint64) {
			for i := uint64(0); i < o.n/senders; i++ {
				messages <- s + i*senders
			}
			group.Done()
		}(s)
	}
	// A channel does not know how many send: somebody has to close it.
	go func() {
		group.Wait()
		close(messages)
	}()
	count, sum := uint64(0), uint64(0)
	for number := range messages {
		count++
		sum += number
	}
	return done(start, count, sum)
}

func runFib(o *options) report {
	start := timesNow()
	result := make(chan uint64, 1)
	go func() { result <- fib(o.n) }()
	value := <-result
	// Every call above 1 spawns one task, and there are fib(n + 1) - 1 of them.
	spawns, next := uint64(0), uint64(1)
	for i := uint64(0); i < o.n+1; i++ {
		spawns, next = next, spawns+next
	}
	return done(start, spawns-1, value)
}

func fib(n uint64) uint64 {
	if n < 2 {
		return n
	}
	spawned := make(chan uint64, 1)
	go func() { spawned <- fib(n - 1) }()
	here := fib(n - 2)
	return <-spawned + here
}

func runSkynet(o *options) report {
	start := timesNow()
	result := make(chan uint64, 1)
	go skynet(0, o.n, result)
	sum := <-result
	tasks := o.n
	for level := o.n; level > 1; {
		level /= 10
		tasks += level
	}
	return done(start, tasks, sum)
}

// A parent has one channel for all its children and takes what comes: that is how this
// benchmark is written in Go.
func skynet(first, leaves uint64, result chan<- uint64) {
	if leaves <= 1 {
		result <- first
		return
	}
	children := make(chan uint64, 10)
	for child := uint64(0); child < 10; child++ {
		go skynet(first+child*(leaves/10), leaves/10, children)
	}
	sum := uint64(0)
	for child := 0; child < 10; child++ {
		sum += <-children
	}
	result <- sum
}

func runTree(o *options) report {
	start := timesNow()
	result := make(chan uint64, 1)
	go tree(0, o.n, result)
	nodes := <-result
	return done(start, nodes, nodes)
}

func tree(id, children uint64, result chan<- uint64) {
	if children == 0 {
		result <- 1
		return
	}
	below := make(chan uint64, children)
	for k := uint64(0); k < children; k++ {
		child, grandchildren := mix(id+k+1), uint64(0)
		if mix(child)%1000 < 124 {
			grandchildren = 8
		}
		go tree(child, grandchildren, below)
	}
	nodes := uint64(1)
	for k := uint64(0); k < children; k++ {
		nodes += <-below
	}
	result <- nodes
}

// The process ends here, with all of them still waiting.
func runParked(o *options) report {
	var parked atomic.Uint64
	never := make(chan struct{})
	privateDirty() // what looking itself needs is there from now on
	before := privateDirty()
	start := timesNow()
	for i := uint64(0); i < o.n; i++ {
		go park(never, &parked)
	}
	for parked.Load() < o.n {
		runtime.Gosched()
	}
	r := done(start, o.n, parked.Load())
	return r.with("bytes", privateDirty()-before)
}

func park(never <-chan struct{}, parked *atomic.Uint64) {
	parked.Add(1)
	<-never
}

func runStartup(o *options) report {
	took := firstLine
	took.wall -= o.since
	return report{ops: 1, check: 1, took: took}
}
