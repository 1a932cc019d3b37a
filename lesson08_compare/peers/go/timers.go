package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func runTimers(o *options) report {
	start := timesNow()
	var group sync.WaitGroup
	var slept atomic.Uint64
	for i := uint64(0); i < o.n; i++ {
		group.Add(1)
		go func(i uint64) {
			time.Sleep(time.Duration(1000000+mix(i)%2000000) * time.Microsecond)
			slept.Add(1)
			group.Done()
		}(i)
	}
	group.Wait()
	return done(start, o.n, slept.Load())
}

// A time-out in Go is a context with a deadline, which whatever may take long looks at.
// (A timer's channel would cost less since Go 1.23: the runtime does not even set a
// timer in whose channel nobody waits. But that is no time-out then.)
func runTimerChurn(o *options) report {
	const tasks = 100
	start := timesNow()
	var group sync.WaitGroup
	var inTime atomic.Uint64
	group.Add(tasks)
	for task := 0; task < tasks; task++ {
		go func() {
			count := uint64(0)
			for i := uint64(0); i < o.n/tasks; i++ {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				runtime.Gosched()
				if ctx.Err() == nil {
					count++
				}
				cancel()
			}
			inTime.Add(count)
			group.Done()
		}()
	}
	group.Wait()
	return done(start, o.n, inTime.Load())
}
