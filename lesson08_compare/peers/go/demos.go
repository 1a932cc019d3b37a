package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const asChild = "PEER_GO_DEMO_CHILD" // set for the process that is to die

func demoPanic() {
	if os.Getenv(asChild) != "" {
		panicInTask()
	}
	result := make(chan error, 1)
	go func() {
		defer func() { result <- fmt.Errorf("recovered: %v", recover()) }()
		panic("a bug")
	}()
	fmt.Printf("a goroutine that panics and recovers itself: its joiner receives %q\n",
		(<-result).Error())
	fmt.Println("this process goes on")

	child := exec.Command(os.Args[0], os.Args[1:]...)
	child.Env = append(os.Environ(), asChild+"=1")
	var says, complains strings.Builder
	child.Stdout, child.Stderr = &says, &complains
	err := child.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		fail("the child did not die", err)
	}
	first, _, _ := strings.Cut(complains.String(), "\n")
	fmt.Printf("a goroutine that does not recover: the whole process ends (%v)\n", exit)
	fmt.Printf("its last words: %q\n", first)
	fmt.Printf("another goroutine, asleep meanwhile, said %q; the joiner, nothing\n",
		strings.TrimSpace(says.String()))
}

// In the child. None of the others comes to its second line.
func panicInTask() {
	result := make(chan int)
	go func() {
		fmt.Println("I sleep")
		time.Sleep(200 * time.Millisecond)
		fmt.Println("I am awake")
	}()
	go func() {
		time.Sleep(50 * time.Millisecond)
		panic("a bug")
	}()
	fmt.Println("joined:", <-result)
}

func demoCancel() {
	sleeps := make(chan time.Duration, 1)
	ctx, cancel := context.WithCancel(context.Background())
	start := time.Now()
	go func() {
		time.Sleep(300 * time.Millisecond)
		sleeps <- time.Since(start)
	}()
	watches := make(chan error, 1)
	go func() {
		select {
		case <-time.After(300 * time.Millisecond):
			watches <- nil
		case <-ctx.Done():
			watches <- ctx.Err()
		}
	}()
	time.Sleep(20 * time.Millisecond)
	cancelled := time.Now()
	cancel()
	err := <-watches
	fmt.Println("nobody can cancel a goroutine; a context can only ask it to end")
	fmt.Printf("one that waits for its timer or the context: joiner sees %q after %v\n",
		err, time.Since(cancelled).Round(time.Microsecond))
	fmt.Printf("one in time.Sleep(300ms) does not look: it ended after %v\n",
		(<-sleeps).Round(time.Millisecond))
}

func demoDrop() {
	goesOn := make(chan string, 1)
	func() {
		result := make(chan int, 1) // the nearest to a handle
		go func() {
			time.Sleep(50 * time.Millisecond)
			result <- 1
			goesOn <- "it slept, and sent its result to nobody"
		}()
	}()
	fmt.Println("a goroutine has no handle; the channel for its result is forgotten")
	fmt.Println("does it go on?", <-goesOn)
	fmt.Println("only the end of main, or of the process, ends it")
}
