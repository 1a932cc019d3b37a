package main

// The workloads in which threads matter: runtime.LockOSThread gives a goroutine a thread
// that runs nothing else.

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// In Go no thread is outside the runtime: one that spawns needs, like all that run Go,
// one of the GOMAXPROCS places. The nearest to "a thread that is no worker" is a goroutine
// with a thread of its own. It shares the places with the tasks: with one worker, they
// run when it waits or has had its turn.
func outside(work func()) {
	var ended sync.WaitGroup
	ended.Add(1)
	go func() {
		runtime.LockOSThread()
		work()
		ended.Done()
	}()
	ended.Wait()
}

// countdown: the last task to end tells the one who waits.
type countdown struct {
	left atomic.Int64
	zero chan struct{}
}

func newCountdown(n uint64) *countdown {
	c := &countdown{zero: make(chan struct{})}
	c.left.Store(int64(n))
	if n == 0 {
		close(c.zero)
	}
	return c
}

func (c *countdown) down() {
	if c.left.Add(-1) == 0 {
		close(c.zero)
	}
}

func spawnAll(n uint64, c *countdown) {
	for i := uint64(0); i < n; i++ {
		go c.down()
	}
}

func spawnAndWait(n uint64) report {
	c := newCountdown(n)
	start := timesNow()
	spawnAll(n, c)
	<-c.zero
	return done(start, n, n-uint64(c.left.Load()))
}

func runSpawnIdle(o *options) report {
	var r report
	outside(func() { r = spawnAndWait(o.n) })
	return r
}

func runSpawnBusy(o *options) report {
	var stop atomic.Bool
	started := newCountdown(o.workers)
	for w := uint64(0); w < o.workers; w++ {
		go func() {
			started.down()
			for !stop.Load() {
				runtime.Gosched()
			}
		}()
	}
	<-started.zero
	var r report
	outside(func() { r = spawnAndWait(o.n) })
	stop.Store(true)
	return r
}

func runRemoteSpawn(o *options) report {
	c := newCountdown(o.n)
	begin := make(chan struct{})
	ready := newCountdown(o.threads)
	for t := uint64(0); t < o.threads; t++ {
		// The first ones take what does not divide evenly.
		share := o.n / o.threads
		if t < o.n%o.threads {
			share++
		}
		go outside(func() {
			ready.down()
			<-begin
			spawnAll(share, c)
		})
	}
	<-ready.zero
	start := timesNow()
	close(begin)
	<-c.zero
	return done(start, o.n, o.n-uint64(c.left.Load()))
}

// Two goroutines on two threads, with a channel each way. Go wakes threads only for
// goroutines, so this is the nearest to a waker; and they need a place each.
func runWake(o *options) report {
	if o.workers < 2 {
		runtime.GOMAXPROCS(2)
	}
	there, back := make(chan struct{}, 1), make(chan struct{}, 1)
	go func() {
		runtime.LockOSThread()
		back <- struct{}{} // up
		for range there {
			back <- struct{}{}
		}
	}()
	var r report
	outside(func() {
		samples := make(percentiles, 0, o.n)
		<-back
		start := timesNow()
		for i := uint64(0); i < o.n; i++ {
			since := time.Now()
			there <- struct{}{}
			<-back
			samples = append(samples, time.Since(since))
		}
		r = done(start, o.n, uint64(len(samples)))
		r = r.with("p50_ns", samples.at(50)).with("p99_ns", samples.at(99))
	})
	return r
}
