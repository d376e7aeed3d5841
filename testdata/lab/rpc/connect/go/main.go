// The lab's Connect in Go: `connect-go server ADDRESS`, and `connect-go client ADDRESS VERSION PLAN LOG`.
//
// Both speak the service wirespan.lab.Shop in Connect, gRPC-Web and gRPC, over HTTP/2 (VERSION 2) and
// HTTP/1.1 without TLS. Orders and plans are those of ../../grpc/README.md.
package main

import (
	"fmt"
	"os"
)

const service = "wirespan.lab.Shop"

// Order is what a request says, as JSON: what the server shall do.
type Order struct {
	// Code and Text are the status to answer with, after Count messages where several are answered.
	Code int    `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
	// Size is how many bytes each answer is filled up with.
	Size int `json:"size,omitempty"`
	// Count is how many messages a stream has, each Pause milliseconds after the one before.
	Count int `json:"count,omitempty"`
	Pause int `json:"pause,omitempty"`
	// Sleep is how many milliseconds the server does nothing, whether or not somebody still waits.
	Sleep int `json:"sleep,omitempty"`
	// Fill makes a request large.
	Fill string `json:"fill,omitempty"`
}

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "server":
		err = serve(os.Args[2])
	case len(os.Args) == 6 && os.Args[1] == "client":
		err = call(os.Args[2], os.Args[3] == "2", os.Args[4], os.Args[5])
	default:
		fmt.Fprintln(os.Stderr, "usage: connect-go server ADDRESS | client ADDRESS VERSION PLAN LOG")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "connect-go:", err)
		os.Exit(1)
	}
}
