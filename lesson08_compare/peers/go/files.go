package main

// os.File.ReadAt: a pread that blocks its thread. The scheduler notices, and lets
// another thread take over the place.

import (
	"encoding/binary"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const blockSize = 4096

func open(o *options) (file *os.File, blocks uint64) {
	flags := os.O_RDONLY
	if o.direct {
		flags |= syscall.O_DIRECT
	}
	file, err := os.OpenFile(o.file, flags, 0)
	if err != nil {
		fail("cannot open the file", err)
	}
	info, err := file.Stat()
	if err != nil {
		fail("cannot ask for the file's size", err)
	}
	if info.Size() < blockSize {
		complain(1, "%s has no block", o.file)
	}
	return file, uint64(info.Size()) / blockSize
}

// Go aligns no memory on demand; so take twice as much, and the part that is aligned.
func alignedBlock() []byte {
	memory := make([]byte, 2*blockSize)
	start := -uintptr(unsafe.Pointer(&memory[0])) % blockSize
	return memory[start : start+blockSize]
}

func readBlock(file *os.File, block uint64, buffer []byte) uint64 {
	if _, err := file.ReadAt(buffer, int64(block*blockSize)); err != nil {
		fail("cannot read a block", err)
	}
	return binary.LittleEndian.Uint64(buffer)
}

func runRead(o *options) report {
	file, blocks := open(o)
	start := timesNow()
	result := make(chan uint64, o.depth)
	for t := uint64(0); t < o.depth; t++ {
		go func(t uint64) {
			sum, buffer := uint64(0), alignedBlock()
			for i := t; i < o.n; i += o.depth {
				sum += readBlock(file, mix(i)%blocks, buffer)
			}
			result <- sum
		}(t)
	}
	sum := uint64(0)
	for t := uint64(0); t < o.depth; t++ {
		sum += <-result
	}
	return done(start, o.n, sum)
}

func runHog(o *options) report {
	file, blocks := open(o)
	start := timesNow()
	var stop atomic.Bool
	stopped, result := make(chan struct{}), make(chan uint64, 1)
	go func() {
		for !stop.Load() {
			for since := time.Now(); time.Since(since) < time.Millisecond; {
			}
			runtime.Gosched()
		}
		close(stopped)
	}()
	samples := make(percentiles, 0, o.n)
	go func() {
		sum, buffer := uint64(0), alignedBlock()
		for i := uint64(0); i < o.n; i++ {
			since := time.Now()
			sum += readBlock(file, mix(i)%blocks, buffer)
			samples = append(samples, time.Since(since))
		}
		stop.Store(true)
		result <- sum
	}()
	sum := <-result
	<-stopped
	r := done(start, o.n, sum)
	r = r.with("p50_ns", samples.at(50)).with("p99_ns", samples.at(99))
	return r.with("max_ns", samples.at(100))
}
