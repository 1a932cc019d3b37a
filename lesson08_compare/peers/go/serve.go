package main

// The servers: a goroutine for each connection, on net's own sockets. net/http would be
// the way to serve HTTP in Go, but it parses and answers more than the others here do.

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// WORKLOAD_RESPONSE of workload.h.
const response = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n" +
	"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\nHello, world"

const chunk = 16 * 1024

var (
	requests  atomic.Uint64 // counted only if --stats asks: Go has no thread's own variables
	endOfHead = []byte("\r\n\r\n")
	answers   []byte // to as many requests as one read may bring
)

func runEcho(o *options) report {
	return serve(o, echo)
}

func runHTTP(o *options) report {
	// A head is four bytes at least, so a chunk ends this many at most.
	answers = []byte(strings.Repeat(response, chunk/4+1))
	return serve(o, answerHTTP)
}

func serve(o *options, connection func(net.Conn, bool)) report {
	raiseFdLimit()
	// The backlog of net is the system's largest (net.core.somaxconn), 4,096 on Linux.
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		fail("cannot listen", err)
	}
	leave := make(chan os.Signal, 1)
	signal.Notify(leave, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-leave
		if o.stats {
			now := timesNow()
			fmt.Printf("stats: requests=%d syscalls=0 cpu_us=%d\n", requests.Load(),
				(now.user+now.sys)/1000)
		}
		os.Exit(0)
	}()
	fmt.Printf("listening on %s\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if err != nil { // out of descriptors, say; it fails at once, again and again
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go connection(conn, o.stats) // TCP_NODELAY is net's default
	}
}

func echo(conn net.Conn, count bool) {
	defer conn.Close()
	buffer := make([]byte, chunk)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if count {
			requests.Add(1)
		}
		if _, err = conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func answerHTTP(conn net.Conn, count bool) {
	defer conn.Close()
	buffer := make([]byte, chunk)
	held := 0 // so many bytes at the buffer's start, in which the end of a head may begin
	for {
		n, err := conn.Read(buffer[held:])
		if err != nil {
			return
		}
		rest := buffer[:held+n]
		heads := 0
		for {
			at := bytes.Index(rest, endOfHead)
			if at < 0 {
				break
			}
			heads++
			rest = rest[at+len(endOfHead):]
		}
		if len(rest) > len(endOfHead)-1 {
			rest = rest[len(rest)-(len(endOfHead)-1):]
		}
		held = copy(buffer, rest)
		if heads == 0 {
			continue
		}
		if count {
			requests.Add(uint64(heads))
		}
		if _, err = conn.Write(answers[:heads*len(response)]); err != nil {
			return
		}
	}
}

// Ten thousand connections need ten thousand descriptors; take what we may have.
func raiseFdLimit() {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		limit.Cur = limit.Max
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
}
